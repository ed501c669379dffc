package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.SettleTask;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;

/**
 * What follows the ends of deliveries: works out, before their write, which rows their spawns come
 * to, and puts those tasks into the order after it.
 *
 * <p>The ids that spawns name are reserved by the caller, before it claims any lease. (Those that
 * revoke reserve first and claim then, too: the other way round the two could wait for each other.)
 * So between the look at the ledger and the write nobody else inserts, fills in, grows or ends the
 * same tasks. What only counts (a member's end) happens under the home's lock after the write and
 * needs no reservation: of two members that end in batches at the same time, the one that comes
 * second under the lock lets the join go.
 */
final class Continuations {
  private final HomeContext home;
  private final DoubtSettler doubts;

  Continuations(HomeContext home, DoubtSettler doubts) {
    this.home = home;
    this.doubts = doubts;
  }

  /** Returns the ids that a spawn names. */
  static Set<String> ids(Spawn spawn) {
    Set<String> ids = new LinkedHashSet<>();
    addIds(spawn, ids);
    return ids;
  }

  /** Returns the ids that the spawns of these outcomes name; empty if there are none. */
  static Set<String> ids(List<Outcome> outcomes) {
    Set<String> ids = Set.of();
    for (Outcome outcome : outcomes) {
      if (outcome.spawn() != null) {
        ids = ids.isEmpty() ? new LinkedHashSet<>() : ids;
        addIds(outcome.spawn(), ids);
      }
    }
    return ids;
  }

  private static void addIds(Spawn spawn, Collection<String> ids) {
    spawn.submit().forEach(r -> ids.add(r.id));
    spawn.end().forEach(r -> ids.add(r.id));
    spawn.grow().forEach(growth -> ids.add(growth.id()));
  }

  /** Returns what these steps write beside their own records; null if nothing follows them. */
  Plan plan(List<Step> steps) {
    boolean some = false;
    for (Step step : steps) {
      some |=
          step.spawn() != null || step.settles(home::heard) || step.next() == Outcomes.Next.PROMISE;
    }
    if (!some) {
      return null;
    }
    Plan plan = new Plan();
    try {
      plan.read(steps);
    } catch (RuntimeException e) {
      plan.undo();
      throw e;
    }
    return plan;
  }

  /**
   * Writes what an outcome of another home brings; returns whether something became ready. Harmless
   * when it comes again.
   */
  boolean bring(Spawn spawn) {
    Set<String> ids = ids(spawn);
    return home.unmoved(
        () -> {
          ids.forEach(home::requireOwned);
          home.reservations.take(ids);
          try {
            return write(spawn, ids);
          } finally {
            home.reservations.release(ids);
          }
        });
  }

  private boolean write(Spawn spawn, Set<String> ids) {
    Plan plan = new Plan();
    try {
      plan.look(ids);
      plan.add(spawn);
    } catch (RuntimeException e) {
      plan.undo();
      throw e;
    }
    try {
      home.store.write(plan.records());
    } catch (RuntimeException e) {
      plan.inDoubt();
      throw e;
    }
    boolean ready;
    Map<Origin, List<Completion>> mail = Watchers.mail();
    synchronized (home.lock) {
      ready = plan.settle(mail);
    }
    try {
      plan.afterwards();
    } finally {
      home.tell(mail);
    }
    return ready;
  }

  /** One row that is to be written. */
  private static final class Planned {
    TaskRecord record;

    /** The entry that this task had before; null for a new task. */
    final Entry before;

    /** The record that a replaced task had; null for all others. */
    final TaskRecord replaced;

    Planned(TaskRecord record, Entry before, TaskRecord replaced) {
      this.record = record;
      this.before = before;
      this.replaced = replaced;
    }

    boolean leased() {
      return replaced != null;
    }
  }

  /** The rows that follow one batch of steps, from the look at the ledger to the order. */
  final class Plan {
    private final Map<String, Planned> rows = new LinkedHashMap<>();
    private Map<String, TaskRecord> found = Map.of();

    private void read(List<Step> steps) {
      Set<String> ids = new LinkedHashSet<>();
      for (Step step : steps) {
        if (step.spawn() != null) {
          addIds(step.spawn(), ids);
        }
      }
      look(ids);
      for (Step step : steps) {
        if (step.next() == Outcomes.Next.PROMISE) {
          String id = step.entry().id;
          rows.put(id, new Planned(step.record(), step.entry(), step.before()));
        }
      }
      for (Step step : steps) {
        if (step.spawn() != null) {
          add(step.spawn());
        }
        if (step.settles(home::heard)) {
          TaskRecord task = SettleTask.after(step.record(), home.nowMillis());
          rows.put(task.id, new Planned(task, null, null));
        }
      }
    }

    private void look(Set<String> ids) {
      Map<String, Doubts.Doubt> open = home.doubts.take(ids);
      found = doubts.read(open, ids);
      doubts.settle(open, found);
    }

    private void add(Spawn spawn) {
      spawn.submit().forEach(this::submit);
      spawn.end().forEach(this::end);
      spawn.grow().forEach(this::grow);
    }

    private void submit(TaskRecord call) {
      home.requireJoin(call);
      Planned planned = waiting(call.id);
      if (planned != null) {
        if (planned.record.promised()) {
          planned.record = HomeContext.filled(planned.record, call);
        }
      } else if (absent(call.id)) {
        rows.put(call.id, new Planned(call, null, null));
        if (home.ahead.has(call.id, home.nowMillis())) {
          refuse(call);
        }
      }
    }

    /** Ends a task whose id was revoked before anybody brought its call. */
    private void refuse(TaskRecord call) {
      long now = home.nowMillis();
      String what = "revoked before it was submitted";
      Outcomes.fail(call, TaskState.REVOKED, Failures.REVOKED, what, null, now);
      for (TaskRecord task : SettleTask.after(List.of(call), home::heard, now)) {
        rows.put(task.id, new Planned(task, null, null));
      }
    }

    private void end(TaskRecord end) {
      home.requireJoin(end);
      Planned planned = waiting(end.id);
      if (planned != null) {
        if (planned.record.joinSize != 0 && !planned.record.state.terminal()) {
          planned.record = ended(planned.record, end);
        }
      } else if (absent(end.id)) {
        rows.put(end.id, new Planned(end.copy(), null, null));
      }
    }

    /** The task keeps what it is and gets the end's state, result and time. */
    private TaskRecord ended(TaskRecord waiting, TaskRecord end) {
      TaskRecord r = waiting.copy();
      r.state = end.state;
      r.payload = end.payload;
      r.errorType = end.errorType;
      r.finishedMillis = home.nowMillis();
      return r;
    }

    private void grow(Spawn.Growth growth) {
      Planned planned = waiting(growth.id());
      if (planned != null && planned.record.joinSize > 0 && !planned.record.state.terminal()) {
        planned.record = planned.record.copy();
        planned.record.joinSize += growth.by();
      }
    }

    private boolean absent(String id) {
      TaskRecord known = found.get(id);
      return known == null || known.expired;
    }

    /**
     * Returns what this batch has planned for a task, or takes the task out of the joins to plan
     * something: what waits there is in no other place, and what does not is not to be changed.
     */
    private Planned waiting(String id) {
      Planned planned = rows.get(id);
      TaskRecord known = planned == null ? found.get(id) : null;
      if (known == null || known.joinSize == 0 || known.expired || known.state.terminal()) {
        return planned;
      }
      Entry entry = home.takeWaiting(id);
      if (entry == null) {
        return null;
      }
      planned = new Planned(known, entry, null);
      rows.put(id, planned);
      return planned;
    }

    /** Returns the rows; those of replaced tasks stand for the rows of their steps. */
    List<TaskRecord> records() {
      return rows.values().stream().map(planned -> planned.record).toList();
    }

    /** Says whether the row of a step is among these. */
    boolean has(Step step) {
      return step.next() == Outcomes.Next.PROMISE;
    }

    /** Nothing was written: what waited, waits on. */
    void undo() {
      long now = home.nowMillis();
      synchronized (home.lock) {
        for (Planned planned : rows.values()) {
          if (planned.before != null && !planned.leased()) {
            home.restored(planned.before, now);
          }
        }
      }
    }

    /** The write failed and may have happened: the timer, or the outcome's repeat, looks. */
    void inDoubt() {
      for (Planned planned : rows.values()) {
        TaskRecord record = planned.record;
        if (planned.leased()) {
          continue;
        }
        Entry entry = planned.before == null ? new Entry(record, null) : planned.before;
        boolean isNew = planned.before == null && !record.state.terminal();
        home.doubts.add(List.of(entry), isNew ? null : TaskState.PENDING);
      }
    }

    /** The rows are durable; call with the lock. Returns whether something became ready. */
    boolean settle(Map<Origin, List<Completion>> mail) {
      boolean ready = false;
      long now = home.nowMillis();
      for (Planned planned : rows.values()) {
        TaskRecord record = planned.record;
        Entry before = planned.before;
        if (record.state.terminal()) {
          if (before != null) {
            home.leftOrder(before);
          }
          home.watchers.collect(
              home.completion(record), before == null ? null : before.origin, mail);
          ready |= home.joined(record, now);
        } else if (before != null) {
          ready |= home.succeed(before, record, now);
        } else {
          ready |= home.arrive(new Entry(record, null), record.joinSize, now);
        }
      }
      return ready;
    }

    /** Counts and cleans up; without the lock. */
    void afterwards() {
      List<TaskRecord> fresh = new ArrayList<>();
      for (Planned planned : rows.values()) {
        if (planned.record.state.terminal()) {
          home.ended(planned.record);
        } else if (planned.before == null) {
          fresh.add(planned.record);
        }
        if (planned.leased()) {
          home.dropReplaced(planned.replaced, planned.record);
        }
      }
      home.metrics.submitted(fresh);
    }
  }
}
