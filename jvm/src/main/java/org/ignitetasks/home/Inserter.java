package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.SubmitAnswer;

/**
 * Inserts records that are absent, exactly once whatever is repeated: ids that one thread inserts
 * are reserved, so that a repeat of the same call waits for the first and then finds what it wrote.
 */
final class Inserter {
  /** Doubts that are looked at together. */
  private static final int BATCH = 500;

  /** What a call comes to. */
  private static final class Plan {
    List<TaskRecord> fresh = new ArrayList<>();
    final List<SubmitAnswer.Exception> exceptions = new ArrayList<>();

    /**
     * Of those that were there: tasks that are in no order, since their last write was in doubt.
     */
    Map<String, Doubts.Doubt> doubts = Map.of();

    Map<String, TaskRecord> found = Map.of();
  }

  private final HomeContext home;
  private final Dispatcher dispatcher;

  Inserter(HomeContext home, Dispatcher dispatcher) {
    this.home = home;
    this.dispatcher = dispatcher;
  }

  SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    List<String> ids = records.stream().map(r -> r.id).toList();
    List<SubmitAnswer.Exception> exceptions = new ArrayList<>();
    Collection<WorkerSlots> touched =
        home.unmoved(
            () -> {
              ids.forEach(home::requireOwned);
              boolean distinct = home.reservations.take(ids);
              try {
                Plan plan = plan(records, repeated, distinct);
                exceptions.addAll(plan.exceptions);
                return perform(plan, origin);
              } finally {
                home.reservations.release(ids);
              }
            });
    int created = records.size() - exceptions.size();
    dispatcher.flush(touched);
    return new SubmitAnswer(created, exceptions);
  }

  private Plan plan(List<TaskRecord> records, boolean repeated, boolean distinct) {
    Plan plan = new Plan();
    List<String> check = new ArrayList<>();
    for (TaskRecord record : records) {
      if (repeated || record.has(TaskFlags.CHECK_EXISTS)) {
        check.add(record.id);
      }
    }
    if (check.isEmpty() && distinct) {
      plan.fresh = records;
      return plan;
    }
    plan.doubts = home.doubts.take(check);
    plan.found = read(plan.doubts, check);
    Map<String, TaskRecord> there = new HashMap<>(plan.found);
    there.values().removeIf(r -> r.expired);
    for (int i = 0; i < records.size(); i++) {
      TaskRecord record = records.get(i);
      TaskRecord known = there.get(record.id);
      if (known == null) {
        plan.fresh.add(record);
        if (!distinct) {
          there.put(record.id, record);
        }
      } else {
        int code = sameCall(record, known) ? SubmitAnswer.EXISTS : SubmitAnswer.CONFLICT;
        plan.exceptions.add(new SubmitAnswer.Exception(i, code, known.state.code()));
      }
    }
    return plan;
  }

  private Map<String, TaskRecord> read(Map<String, Doubts.Doubt> doubts, List<String> others) {
    try {
      if (doubts.isEmpty()) {
        return home.store.read(others);
      }
      Map<String, TaskRecord> found = new HashMap<>(home.store.readSettled(doubts.keySet()));
      found.putAll(home.store.read(others.stream().filter(id -> !doubts.containsKey(id)).toList()));
      return found;
    } catch (RuntimeException e) {
      home.doubts.putBack(doubts);
      throw e;
    }
  }

  private static boolean sameCall(TaskRecord a, TaskRecord b) {
    return a.fingerprint == null
        || b.fingerprint == null
        || Arrays.equals(a.fingerprint, b.fingerprint);
  }

  private Collection<WorkerSlots> perform(Plan plan, Origin origin) {
    settleOrPutBack(plan.doubts, plan.found);
    List<RecordStore.Run> runs;
    try {
      long start = home.nowNanos();
      runs = home.store.insert(plan.fresh);
      if (!plan.fresh.isEmpty()) {
        home.metrics.committed(start);
        home.metrics.submitted(plan.fresh);
      }
    } catch (RuntimeException e) {
      // Whether it is durable is open: if it is, the task must get its turn without the client.
      home.doubts.add(entries(plan.fresh, origin), null);
      throw e;
    }
    List<Entry> entries = entries(plan.fresh, origin);
    for (RecordStore.Run run : runs) {
      SheetUse.Use use = new SheetUse.Use(run.key(), run.to() - run.from());
      home.sheets.add(use);
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

  private static List<Entry> entries(List<TaskRecord> records, Origin origin) {
    List<Entry> entries = new ArrayList<>(records.size());
    for (TaskRecord record : records) {
      entries.add(new Entry(record, record.has(TaskFlags.IGNORE_RESULT) ? null : origin));
    }
    return entries;
  }

  /** Looks at the ids whose last write is open, and queues those that are there and unfinished. */
  void settleDoubts() {
    List<String> ids = home.doubts.ids(BATCH);
    if (ids.isEmpty()) {
      return;
    }
    home.unmoved(
        () -> {
          home.reservations.take(ids);
          try {
            Map<String, Doubts.Doubt> taken = home.doubts.take(ids);
            settleOrPutBack(taken, read(taken, List.of()));
          } finally {
            home.reservations.release(ids);
          }
          return null;
        });
  }

  private void settleOrPutBack(Map<String, Doubts.Doubt> doubts, Map<String, TaskRecord> found) {
    if (doubts.isEmpty()) {
      return;
    }
    try {
      detach(doubts, found);
    } catch (RuntimeException e) {
      home.doubts.putBack(doubts);
      throw e;
    }
    settle(doubts, found);
  }

  /** Gives records whose insert was in doubt rows of their own: their sheet is then not needed. */
  private void detach(Map<String, Doubts.Doubt> doubts, Map<String, TaskRecord> found) {
    List<TaskRecord> inserted = new ArrayList<>();
    for (Doubts.Doubt doubt : doubts.values()) {
      TaskRecord r = found.get(doubt.entry().id);
      if (doubt.before() == null && r != null && !r.state.terminal()) {
        home.sheets.hold(r.id);
        inserted.add(r);
      }
    }
    home.store.write(inserted);
  }

  /** Puts tasks into the order, or tells of their end, as their settled records say. */
  private void settle(Map<String, Doubts.Doubt> doubts, Map<String, TaskRecord> found) {
    List<Doubts.Doubt> waiting = new ArrayList<>();
    Map<Origin, List<Completion>> mail = Watchers.mail();
    for (Doubts.Doubt doubt : doubts.values()) {
      TaskRecord r = found.get(doubt.entry().id);
      if (r == null || r.expired) {
        home.leftOrder(doubt.entry());
      } else if (r.state.terminal()) {
        ended(doubt, r, mail);
      } else {
        waiting.add(doubt);
      }
    }
    home.tell(mail);
    long now = home.nowMillis();
    synchronized (home.lock) {
      waiting.forEach(doubt -> enqueue(doubt, now));
    }
  }

  private void ended(Doubts.Doubt doubt, TaskRecord r, Map<Origin, List<Completion>> mail) {
    home.leftOrder(doubt.entry());
    if (doubt.before() == TaskState.PENDING) {
      // It waited, and the write in doubt has ended it: nobody has been told.
      home.ended(r);
      synchronized (home.lock) {
        home.watchers.collect(home.completion(r), doubt.entry().origin, mail);
      }
    }
  }

  private void enqueue(Doubts.Doubt doubt, long now) {
    Entry entry = doubt.entry();
    home.waitsAgain(doubt);
    if (entry.seq == 0) {
      home.state.submitted(entry, now);
    } else {
      home.state.restored(entry, now);
    }
  }
}
