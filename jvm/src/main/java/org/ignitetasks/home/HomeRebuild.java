package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.Lock;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.WorkerApi;

/**
 * Changes the set of partitions that this node is the home of: gives up those it no longer has, and
 * builds the order of those it has gained, from the ledger alone.
 *
 * <p>Tasks keep their order by the time of their submit. What a worker says it still runs is put on
 * record and adopted with its fence, so that its result is accepted; what was on record as running
 * and is not, is a lost start. What nobody was heard to run is over, even if it turns up later: see
 * {@link PastHomes}. Until the last step nothing is changed that a rebuild which is tried again
 * would not find as good as before.
 */
final class HomeRebuild {
  /** What one partition holds: sheets first seen as keys, rows as their tasks' latest truth. */
  private static final class Found {
    final int partition;
    final List<String> sheets = new ArrayList<>();

    /** By sheet key: places of tasks with a row, and of those whose row is terminal. */
    final Map<String, BitSet> withRow = new HashMap<>();

    final Map<String, BitSet> ended = new HashMap<>();
    final List<Entry> waiting = new ArrayList<>();
    final List<SheetUse.Use> uses = new ArrayList<>();
    final int[] stored = new int[TaskState.values().length];
    final List<String> dead = new ArrayList<>();

    /** By id: sizes of joins that have not ended, and how many members of any join have. */
    final Map<String, Integer> joinSizes = new HashMap<>();

    final Map<String, Integer> joinEnds = new HashMap<>();
    final List<String> joinsOver = new ArrayList<>();
    final Map<String, Long> ahead = new HashMap<>();

    Found(int partition) {
      this.partition = partition;
    }

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

  /** Adopted deliveries that are put on record together. */
  private static final int BATCH = 500;

  private final HomeContext home;
  private final Completer completer;
  private long kept;

  HomeRebuild(HomeContext home, Completer completer) {
    this.home = home;
    this.completer = completer;
  }

  void run(BitSet wanted, long homeEpoch) {
    BitSet gained = (BitSet) wanted.clone();
    gained.andNot(home.owned);
    giveUpAllBut(wanted, homeEpoch);
    if (gained.isEmpty()) {
      return;
    }
    long[] past = home.past.last();
    List<Found> all = gained.stream().mapToObj(this::scan).toList();
    List<Entry> waiting = new ArrayList<>();
    all.forEach(found -> waiting.addAll(found.waiting));
    waiting.sort(Comparator.<Entry>comparingLong(e -> e.createdMillis).thenComparing(e -> e.id));
    Map<String, WorkerApi.Running> running = new HashMap<>();
    if (!waiting.isEmpty()) {
      // Of two deliveries of one task the later one counts.
      home.workers
          .running()
          .forEach(r -> running.merge(r.id(), r, (a, b) -> a.fence() > b.fence() ? a : b));
    }
    load(waiting.stream().filter(e -> e.record == null && running.containsKey(e.id)).toList());
    waiting.forEach(entry -> running.computeIfPresent(entry.id, current(entry, past)));
    putOnRecord(waiting.stream().filter(e -> running.containsKey(e.id)).toList(), running);
    home.past.taken(gained, homeEpoch);
    List<Entry> lost = new ArrayList<>();
    long now = home.nowMillis();
    Map<String, Integer> sizes = new HashMap<>();
    all.forEach(found -> sizes.putAll(found.joinSizes));
    synchronized (home.lock) {
      restoreJoins(all);
      for (Entry entry : waiting) {
        place(entry, sizes.getOrDefault(entry.id, 0), running.get(entry.id), lost, now);
      }
      all.forEach(this::count);
      BitSet owned = (BitSet) home.owned.clone();
      owned.or(gained);
      home.owned = owned;
    }
    try {
      completer.workerLost(lost, null);
    } catch (RuntimeException e) {
      home.log("lost starts could not be written: the timer does it", e);
    }
  }

  /** Counts the ended members of joins that have not ended, or were not inserted yet. */
  private void restoreJoins(List<Found> all) {
    Map<String, Integer> ends = new HashMap<>();
    for (Found found : all) {
      found.joinEnds.forEach((id, ended) -> ends.merge(id, ended, Integer::sum));
    }
    all.forEach(found -> found.joinsOver.forEach(ends::remove));
    ends.forEach(home.joins::restore);
  }

  /** Brings the records of tasks that run: nobody else will read them again. */
  private void load(List<Entry> running) {
    Map<String, TaskRecord> records = home.store.read(running.stream().map(e -> e.id).toList());
    running.forEach(entry -> entry.record = records.get(entry.id));
  }

  /** Tells whether the last home would take a result of what a worker says it holds. */
  private static BiFunction<String, WorkerApi.Running, WorkerApi.Running> current(
      Entry entry, long[] past) {
    return (id, held) -> {
      boolean onRecord = held.fence() == entry.fence;
      boolean givenOutByLast = held.fence() >>> 32 >= past[Locator.partition(id)];
      boolean current =
          entry.record != null
              && held.fence() >= entry.fence
              && held.fence() > entry.record.overFence
              && (onRecord || givenOutByLast);
      return current ? held : null;
    };
  }

  /** Writes down what this home goes on with of its predecessor's, for its successor to know. */
  private void putOnRecord(List<Entry> adopted, Map<String, WorkerApi.Running> running) {
    List<TaskRecord> rows = new ArrayList<>();
    for (Entry entry : adopted) {
      long fence = running.get(entry.id).fence();
      if (fence != entry.fence) {
        TaskRecord row = entry.record.copy();
        row.fence = fence;
        entry.record = row;
        entry.ownRow = true;
        rows.add(row);
      }
    }
    for (int from = 0; from < rows.size(); from += BATCH) {
      home.store.write(rows.subList(from, Math.min(rows.size(), from + BATCH)));
    }
  }

  private void giveUpAllBut(BitSet wanted, long homeEpoch) {
    Predicate<String> gone = id -> !wanted.get(Locator.partition(id));
    Lock alone = home.moving.writeLock();
    alone.lock();
    try {
      BitSet lost = (BitSet) home.owned.clone();
      lost.andNot(wanted);
      synchronized (home.lock) {
        home.state.startFencesAt(homeEpoch);
        if (lost.isEmpty()) {
          return;
        }
        BitSet owned = (BitSet) home.owned.clone();
        owned.and(wanted);
        home.owned = owned;
        home.state.drain(null, Integer.MAX_VALUE, e -> gone.test(e.id)).forEach(home::unpark);
        home.state.dropLeases(e -> gone.test(e.id));
        home.watchers.forget(gone);
        home.joins.forget(gone);
        home.claimsReleased();
      }
      home.sheets.forget(gone);
      home.doubts.forget(gone);
      home.ahead.forget(gone);
      home.dead.removeIf(gone);
      home.store.forgetSheets();
      lost.stream().forEach(home.metrics::forget);
    } finally {
      alone.unlock();
    }
  }

  private void place(
      Entry entry, int joinSize, WorkerApi.Running held, List<Entry> lost, long now) {
    boolean open = entry.fence != 0;
    TaskRecord record = entry.record;
    if (joinSize != 0 && home.joins.hold(entry, joinSize)) {
      if (!open) {
        return;
      }
      home.joins.take(entry.id);
      entry.record = record;
    }
    if (held != null) {
      home.state.adopted(entry, held.epoch(), held.fence(), home.nowNanos());
      entry.leaseOnRecord = true;
    } else if (open) {
      home.state.adopted(entry, 0, entry.fence, home.nowNanos());
      entry.leaseOnRecord = true;
      entry.completing = true;
      lost.add(entry);
    } else {
      home.state.submitted(entry, now);
      home.park(entry);
    }
  }

  private void count(Found found) {
    found.uses.forEach(home.sheets::add);
    found.dead.forEach(home.dead::add);
    found.ahead.forEach(home.ahead::add);
    for (TaskState state : TaskState.values()) {
      home.metrics.stored(found.partition, state, found.stored[state.code()]);
    }
    home.due.lookAgain(found.partition);
  }

  private Found scan(int partition) {
    Found found = new Found(partition);
    home.store.scan(partition, stored -> true, (id, stored) -> row(id, stored, found));
    Map<String, SheetUse.Use> uses = new HashMap<>();
    for (String key : found.sheets) {
      uses.put(key, sheet(key, found));
    }
    found.uses.addAll(uses.values());
    for (Entry entry : found.waiting) {
      if (entry.sheet == null) {
        String key = Sheet.keyOf(entry.id);
        entry.sheet = key == null ? null : uses.get(key);
        entry.ownRow = true;
      }
    }
    return found;
  }

  private SheetUse.Use sheet(String key, Found found) {
    BitSet withRow = found.withRow.getOrDefault(key, new BitSet());
    BitSet ended = found.ended.getOrDefault(key, new BitSet());
    List<TaskRecord> records = home.store.sheet(key);
    int done = ended.get(0, records.size()).cardinality();
    SheetUse.Use use = new SheetUse.Use(key, records.size() - done);
    for (int place = 0; place < records.size(); place++) {
      if (!withRow.get(place)) {
        Entry entry = new Entry(records.get(place).copy(), null);
        entry.sheet = use;
        add(entry, found);
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
    RecordCodec.Join join = RecordCodec.peekJoin(stored);
    if (join != null) {
      join(id, join, state == null || state.terminal(), found);
    }
    if (state == null) {
      if (RecordCodec.isRevokedAhead(stored)) {
        found.ahead.put(id, RecordCodec.decode(id, stored).finishedMillis);
      }
      return;
    }
    if (state.terminal()) {
      found.stored[state.code()]++;
      if (state == TaskState.DEAD || state == TaskState.REJECTED) {
        found.dead.add(id);
      }
      return;
    }
    TaskRecord record = RecordCodec.decode(id, stored);
    if (record.joinId != null && record.has(TaskFlags.COUNTED)) {
      found.joinEnds.merge(record.joinId, 1, Integer::sum);
    }
    Entry entry = new Entry(record, null);
    boolean open = record.fence != 0 || openEarlyAck(record);
    entry.fence = open ? Math.max(1, record.fence) : 0;
    entry.revokeAsked = record.has(TaskFlags.REVOKE_ASKED);
    add(entry, found);
  }

  private static void join(String id, RecordCodec.Join join, boolean ended, Found found) {
    if (!ended) {
      if (join.size() != 0) {
        found.joinSizes.put(id, join.size());
      }
      return;
    }
    if (join.id() != null) {
      found.joinEnds.merge(join.id(), 1, Integer::sum);
    }
    if (join.size() != 0) {
      found.joinsOver.add(id);
    }
  }

  /** Keeps records only as far as the budget for waiting tasks goes: there may be a million. */
  private void add(Entry entry, Found found) {
    if (entry.fence == 0) {
      kept += HomeContext.heapSize(entry.record);
      if (kept > HomeContext.HOT_BYTES) {
        entry.record = null;
      }
    }
    found.waiting.add(entry);
  }

  private static boolean openEarlyAck(TaskRecord record) {
    return record.has(TaskFlags.EARLY_ACK) && record.state == TaskState.STARTED;
  }
}
