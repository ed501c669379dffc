package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.WorkerApi;

/**
 * Builds the order of partitions that this node has become the home of, from the ledger alone.
 *
 * <p>Tasks keep their order by the time of their submit. What a worker says it still runs is adopted
 * with its fence, so that its result is accepted; what was on record as running and is not, is a lost
 * start.
 */
final class HomeRebuild {
  private final HomeContext home;
  private final Completer completer;

  HomeRebuild(HomeContext home, Completer completer) {
    this.home = home;
    this.completer = completer;
  }

  void run(BitSet wanted, BitSet gained, long homeEpoch) {
    synchronized (home.lock) {
      home.state.startFencesAt(homeEpoch);
      // What is gained as well: an earlier attempt may have been cut short by a failing ledger.
      BitSet foreign = (BitSet) wanted.clone();
      foreign.flip(0, Locator.PARTITIONS);
      foreign.or(gained);
      home.state.drain(null, Integer.MAX_VALUE, e -> foreign.get(Locator.partition(e.id)));
      home.state.dropLeases(e -> foreign.get(Locator.partition(e.id)));
      home.sheets.forget(key -> foreign.get(Locator.partition(key)));
    }
    if (gained.isEmpty()) {
      return;
    }
    List<Entry> waiting = new ArrayList<>();
    gained.stream().forEach(partition -> scan(partition, waiting));
    waiting.sort(Comparator.<Entry>comparingLong(e -> e.createdMillis).thenComparing(e -> e.id));
    Map<String, WorkerApi.Running> running = new HashMap<>();
    if (!waiting.isEmpty()) {
      // Two may hold one task, if one of them is a straggler: the later lease is the one in force.
      home.workers
          .running()
          .forEach(r -> running.merge(r.id(), r, (a, b) -> a.fence() >= b.fence() ? a : b));
    }
    for (Entry entry : waiting) {
      if (running.containsKey(entry.id) && entry.fence == 0) {
        keepOnHeap(entry);
      }
    }
    List<Entry> lost = new ArrayList<>();
    long now = home.nowMillis();
    synchronized (home.lock) {
      for (Entry entry : waiting) {
        place(entry, running.get(entry.id), lost, now);
      }
    }
    completer.workerLost(lost, null);
  }

  private void place(Entry entry, WorkerApi.Running held, List<Entry> lost, long now) {
    if (held != null && (entry.fence == 0 || entry.fence == held.fence())) {
      boolean onRecord = entry.fence != 0;
      home.state.adopted(entry, held.epoch(), held.fence(), home.nowNanos());
      entry.leaseOnRecord = onRecord;
    } else if (entry.fence != 0) {
      long fence = entry.fence;
      home.state.adopted(entry, 0, fence, home.nowNanos());
      entry.completing = true;
      lost.add(entry);
    } else {
      home.state.submitted(entry, now);
    }
  }

  private void keepOnHeap(Entry entry) {
    if (entry.record != null) {
      home.unpark(entry);
    } else {
      entry.record = home.store.read(List.of(entry.id)).get(entry.id);
    }
  }

  /** What one partition holds: sheets first seen as keys, rows as their tasks' latest truth. */
  private static final class Found {
    final List<String> sheets = new ArrayList<>();

    /** By sheet key: places of tasks with a row, and of those whose row is terminal. */
    final Map<String, BitSet> withRow = new HashMap<>();

    final Map<String, BitSet> ended = new HashMap<>();
    final List<Entry> waiting = new ArrayList<>();

    void row(String id, boolean terminal) {
      String key = Sheet.keyOf(id);
      if (key != null) {
        withRow.computeIfAbsent(key, k -> new BitSet()).set(Sheet.place(id));
        if (terminal) {
          ended.computeIfAbsent(key, k -> new BitSet()).set(Sheet.place(id));
        }
      }
    }
  }

  private void scan(int partition, List<Entry> waiting) {
    Found found = new Found();
    home.store.scan(partition, stored -> true, (id, stored) -> row(id, stored, found));
    Map<String, SheetUse.Use> uses = new HashMap<>();
    for (String key : found.sheets) {
      uses.put(key, sheet(key, found));
    }
    for (Entry entry : found.waiting) {
      if (entry.sheet == null) {
        String key = Sheet.keyOf(entry.id);
        entry.sheet = key == null ? null : uses.get(key);
        entry.ownRow = true;
      }
    }
    waiting.addAll(found.waiting);
  }

  private SheetUse.Use sheet(String key, Found found) {
    BitSet withRow = found.withRow.getOrDefault(key, new BitSet());
    BitSet ended = found.ended.getOrDefault(key, new BitSet());
    List<TaskRecord> records = home.store.sheet(key);
    int done = ended.get(0, records.size()).cardinality();
    SheetUse.Use use = home.sheets.add(key, records.size() - done);
    for (int place = 0; place < records.size(); place++) {
      if (!withRow.get(place)) {
        Entry entry = new Entry(records.get(place).copy(), null);
        entry.sheet = use;
        home.park(entry);
        found.waiting.add(entry);
      }
    }
    return use;
  }

  private void row(String id, byte[] stored, Found found) {
    if (Sheet.is(stored)) {
      found.sheets.add(id);
      return;
    }
    TaskState state = RecordCodec.peekState(stored);
    found.row(id, state == null || state.terminal());
    if (state == null) {
      return;
    }
    if (state.terminal()) {
      home.metrics.stored(state, 1);
      if (state == TaskState.DEAD || state == TaskState.REJECTED) {
        home.dead.add(id);
      }
      return;
    }
    TaskRecord record = RecordCodec.decode(id, stored);
    Entry entry = new Entry(record, null);
    boolean open = record.fence != 0 || openEarlyAck(record);
    entry.fence = open ? Math.max(1, record.fence) : 0;
    if (!open) {
      home.park(entry);
    }
    found.waiting.add(entry);
  }

  private static boolean openEarlyAck(TaskRecord record) {
    return record.has(TaskFlags.EARLY_ACK) && record.state == TaskState.STARTED;
  }
}
