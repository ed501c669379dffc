package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.SubmitAnswer;

/**
 * Inserts records that are absent, exactly once whatever is repeated: ids that one thread inserts are
 * reserved, so that a repeat of the same call waits for the first and then finds what it wrote.
 */
final class Inserter {
  private final HomeContext home;
  private final Dispatcher dispatcher;
  private final Set<String> reserved = new HashSet<>();

  Inserter(HomeContext home, Dispatcher dispatcher) {
    this.home = home;
    this.dispatcher = dispatcher;
  }

  SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    List<String> ids = records.stream().map(r -> r.id).toList();
    Collection<WorkerSlots> touched;
    SubmitAnswer answer;
    reserve(ids);
    try {
      List<SubmitAnswer.Exception> exceptions = new ArrayList<>();
      List<TaskRecord> toQueue = absent(records, repeated, exceptions);
      int created = records.size() - exceptions.size();
      List<TaskRecord> fresh = created == toQueue.size() ? toQueue : toQueue.subList(0, created);
      List<RecordStore.Run> runs = insert(fresh);
      touched = enqueue(toQueue, origin, runs);
      answer = new SubmitAnswer(created, exceptions);
      home.metrics.submitted(fresh);
    } finally {
      release(ids);
    }
    dispatcher.flush(touched);
    return answer;
  }

  private List<RecordStore.Run> insert(List<TaskRecord> fresh) {
    long start = home.nowNanos();
    List<RecordStore.Run> runs;
    try {
      runs = home.store.insert(fresh);
    } catch (TasksException e) {
      // Whether it is durable is open: if it is, the task must get its turn without the client.
      home.doubts.add(fresh);
      throw e;
    }
    home.metrics.committed(start);
    return runs;
  }

  private Collection<WorkerSlots> enqueue(
      List<TaskRecord> records, Origin origin, List<RecordStore.Run> runs) {
    List<Entry> entries = new ArrayList<>(records.size());
    for (TaskRecord record : records) {
      entries.add(new Entry(record, record.has(TaskFlags.IGNORE_RESULT) ? null : origin));
    }
    for (RecordStore.Run run : runs) {
      SheetUse.Use use = home.sheets.add(run.key(), run.to() - run.from());
      entries.subList(run.from(), run.to()).forEach(entry -> entry.sheet = use);
    }
    long now = home.nowMillis();
    synchronized (home.lock) {
      for (Entry entry : entries) {
        home.park(entry);
        home.state.submitted(entry, now);
      }
      return home.state.dispatch(now, home.nowNanos());
    }
  }

  /** Gives records whose insert was in doubt rows of their own: their sheet is then not needed. */
  private void detach(List<TaskRecord> stray) {
    stray.forEach(r -> home.sheets.hold(r.id));
    home.store.write(stray);
  }

  /**
   * Returns the records to insert, followed by those that turned out to be in the ledger but in no
   * order (their first insert's outcome was open): these are queued only.
   */
  private List<TaskRecord> absent(
      List<TaskRecord> records, boolean repeated, List<SubmitAnswer.Exception> exceptions) {
    List<String> check = new ArrayList<>();
    for (TaskRecord record : records) {
      if (repeated || record.has(TaskFlags.CHECK_EXISTS)) {
        check.add(record.id);
      }
    }
    if (check.isEmpty()) {
      return records;
    }
    Map<String, TaskRecord> found = home.store.read(check);
    Set<String> open = home.doubts.take(check);
    List<TaskRecord> fresh = new ArrayList<>(records.size());
    List<TaskRecord> stray = new ArrayList<>();
    for (int i = 0; i < records.size(); i++) {
      TaskRecord record = records.get(i);
      TaskRecord there = found.get(record.id);
      if (there == null || there.expired) {
        fresh.add(record);
        continue;
      }
      int code = sameCall(record, there) ? SubmitAnswer.EXISTS : SubmitAnswer.CONFLICT;
      exceptions.add(new SubmitAnswer.Exception(i, code, there.state.code()));
      if (open.contains(record.id) && !there.state.terminal()) {
        stray.add(there);
      }
    }
    detach(stray);
    fresh.addAll(stray);
    return fresh;
  }

  private static boolean sameCall(TaskRecord a, TaskRecord b) {
    return a.fingerprint == null
        || b.fingerprint == null
        || Arrays.equals(a.fingerprint, b.fingerprint);
  }

  /** Looks at the ids whose last write is open, and queues those that are there and unfinished. */
  void settleDoubts() {
    List<String> ids = home.doubts.ids();
    if (ids.isEmpty()) {
      return;
    }
    Collection<WorkerSlots> touched;
    reserve(ids);
    try {
      List<TaskRecord> stray = new ArrayList<>(home.store.read(ids).values());
      Set<String> open = home.doubts.take(ids);
      stray.removeIf(r -> r.expired || r.state.terminal() || !open.contains(r.id));
      detach(stray);
      touched = enqueue(stray, null, List.of());
    } finally {
      release(ids);
    }
    dispatcher.flush(touched);
  }

  private void reserve(List<String> ids) {
    synchronized (reserved) {
      while (ids.stream().anyMatch(reserved::contains)) {
        try {
          reserved.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
        }
      }
      reserved.addAll(ids);
    }
  }

  private void release(List<String> ids) {
    synchronized (reserved) {
      ids.forEach(reserved::remove);
      reserved.notifyAll();
    }
  }
}
