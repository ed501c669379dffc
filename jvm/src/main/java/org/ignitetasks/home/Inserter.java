package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.SubmitAnswer;

/**
 * Inserts records that are absent, exactly once whatever is repeated: ids that one thread inserts
 * are reserved, so that a repeat of the same call waits for the first and then finds what it wrote.
 */
final class Inserter {
  /** What a call comes to. */
  private static final class Plan {
    List<TaskRecord> fresh = new ArrayList<>();

    /** New records of promised tasks, and the entries that waited for them. */
    final Map<Entry, TaskRecord> fills = new LinkedHashMap<>();

    final List<SubmitAnswer.Exception> exceptions = new ArrayList<>();

    /** Indices of those whose tasks are promised. */
    final List<Integer> promised = new ArrayList<>();

    /**
     * Of those that were there: tasks that are in no order, since their last write was in doubt.
     */
    Map<String, Doubts.Doubt> doubts = Map.of();

    Map<String, TaskRecord> found = Map.of();
  }

  private final HomeContext home;
  private final Dispatcher dispatcher;
  private final DoubtSettler doubts;
  private final Operations operations;

  Inserter(HomeContext home, Dispatcher dispatcher, DoubtSettler doubts, Operations operations) {
    this.operations = operations;
    this.home = home;
    this.dispatcher = dispatcher;
    this.doubts = doubts;
  }

  SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    // No streams on the way of each task: to the quick compiler they are a dozen calls each.
    List<String> ids = new ArrayList<>(records.size());
    for (TaskRecord r : records) {
      ids.add(r.id);
    }
    List<SubmitAnswer.Exception> exceptions = new ArrayList<>();
    Collection<WorkerSlots> touched =
        home.unmoved(
            () -> {
              ids.forEach(home::requireOwned);
              records.forEach(home::requireJoin);
              boolean distinct = home.reservations.take(ids);
              try {
                Plan plan = plan(records, repeated, distinct);
                Collection<WorkerSlots> slots = perform(plan, records, origin);
                exceptions.addAll(plan.exceptions);
                return slots;
              } finally {
                home.reservations.release(ids);
              }
            });
    int created = records.size() - exceptions.size();
    dispatcher.flush(touched);
    // Work first, then the disk: the child runs the task meanwhile. What was there already may be
    // so new that its own call still waits for the disk: the caller is told of it as of its own.
    home.store.awaitDurable();
    return new SubmitAnswer(created, exceptions);
  }

  private Plan plan(List<TaskRecord> records, boolean repeated, boolean distinct) {
    Plan plan = new Plan();
    // Ids that are promised, or in doubt, are there although the client vouches that they are new.
    boolean all = repeated || home.joins.anyPromised() || home.doubts.any();
    List<String> check = new ArrayList<>();
    for (TaskRecord record : records) {
      if (all || record.has(TaskFlags.CHECK_EXISTS)) {
        check.add(record.id);
      }
    }
    if (check.isEmpty() && distinct) {
      plan.fresh = records;
      return plan;
    }
    plan.doubts = home.doubts.take(check);
    plan.found = doubts.read(plan.doubts, check);
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
      } else if (known.promised() && known.replacedFence == 0 && !record.promised()) {
        // One that ran and was replaced is for spawns alone: this may be its own submit, repeated.
        // So is a promise that is there already.
        plan.promised.add(i);
        there.put(record.id, record);
      } else {
        int code = sameCall(record, known) ? SubmitAnswer.EXISTS : SubmitAnswer.CONFLICT;
        plan.exceptions.add(new SubmitAnswer.Exception(i, code, known.state.code()));
      }
    }
    return plan;
  }

  private static boolean sameCall(TaskRecord a, TaskRecord b) {
    return a.fingerprint == null
        || b.fingerprint == null
        || Arrays.equals(a.fingerprint, b.fingerprint);
  }

  private Collection<WorkerSlots> perform(Plan plan, List<TaskRecord> records, Origin origin) {
    doubts.settle(plan.doubts, plan.found);
    takePromised(plan, records);
    // First of all: if this fails, none of the others is on record yet, and the client comes again.
    refuse(takeRevoked(plan), origin);
    List<RecordStore.Run> runs;
    try {
      long start = home.nowNanos();
      runs = write(plan);
      if (!plan.fresh.isEmpty()) {
        home.metrics.committed(start);
        home.metrics.submitted(plan.fresh);
      }
    } catch (RuntimeException e) {
      // Whether it is durable is open: if it is, the task must get its turn without the client.
      home.doubts.add(entries(plan.fresh, origin), null);
      home.doubts.add(plan.fills.keySet(), TaskState.PENDING);
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
      for (int i = 0; i < entries.size(); i++) {
        home.arrive(entries.get(i), plan.fresh.get(i).joinSize, now);
      }
      plan.fills.forEach((promised, filled) -> fill(promised, filled, origin, now));
      return home.state.dispatch(now, home.nowNanos());
    }
  }

  /** Takes those out of the new records whose ids were revoked before. */
  private List<TaskRecord> takeRevoked(Plan plan) {
    if (!home.ahead.any()) {
      return List.of();
    }
    long now = home.nowMillis();
    List<TaskRecord> refused = plan.fresh.stream().filter(r -> home.ahead.has(r.id, now)).toList();
    if (!refused.isEmpty()) {
      plan.fresh = new ArrayList<>(plan.fresh);
      plan.fresh.removeAll(refused);
    }
    return refused;
  }

  /** Ends them at once, as revoked. */
  private void refuse(List<TaskRecord> refused, Origin origin) {
    if (refused.isEmpty()) {
      return;
    }
    long now = home.nowMillis();
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (TaskRecord r : refused) {
      String what = "revoked before it was submitted";
      Outcomes.fail(r, TaskState.REVOKED, Failures.REVOKED, what, null, now);
      entries.put(r.id, new Entry(r, r.has(TaskFlags.IGNORE_RESULT) ? null : origin));
    }
    operations.writeEnds(refused, entries, home::heard);
  }

  private List<RecordStore.Run> write(Plan plan) {
    if (plan.fills.isEmpty()) {
      return home.store.insert(plan.fresh);
    }
    // No sheets: what is filled in has a row already.
    List<TaskRecord> rows = new ArrayList<>(plan.fresh);
    rows.addAll(plan.fills.values());
    home.store.write(rows);
    return List.of();
  }

  private void takePromised(Plan plan, List<TaskRecord> records) {
    try {
      for (int index : plan.promised) {
        TaskRecord call = records.get(index);
        TaskRecord promise = plan.found.get(call.id);
        Entry promised = home.takeWaiting(call.id);
        if (promised == null) {
          int state = promise.state.code();
          plan.exceptions.add(new SubmitAnswer.Exception(index, SubmitAnswer.EXISTS, state));
        } else {
          plan.fills.put(promised, HomeContext.filled(promise, call));
        }
      }
    } catch (RuntimeException e) {
      synchronized (home.lock) {
        plan.fills.keySet().forEach(entry -> home.restored(entry, home.nowMillis()));
      }
      throw e;
    }
  }

  private void fill(Entry promised, TaskRecord filled, Origin origin, long now) {
    if (promised.origin == null && !filled.has(TaskFlags.IGNORE_RESULT)) {
      promised.origin = origin;
    } else if (origin != null && !origin.equals(promised.origin)) {
      home.watchers.add(filled.id, origin);
    }
    home.succeed(promised, filled, now);
  }

  private static List<Entry> entries(List<TaskRecord> records, Origin origin) {
    List<Entry> entries = new ArrayList<>(records.size());
    for (TaskRecord record : records) {
      entries.add(new Entry(record, record.has(TaskFlags.IGNORE_RESULT) ? null : origin));
    }
    return entries;
  }
}
