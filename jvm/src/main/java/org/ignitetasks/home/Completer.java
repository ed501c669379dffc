package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.Progress;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;

/**
 * Ends deliveries: claim the leases, write what the outcomes mean in one transaction, then tell.
 *
 * <p>The order is the promise: nobody hears of an end that is not durable, and a lease is held
 * until its end is. A failed write gives the claims back, so that the same outcomes can come again;
 * since it may have happened all the same, the next write for such a task looks at the ledger
 * first.
 */
final class Completer {
  /** How long an outcome waits for a claim of somebody else on its delivery. */
  private static final long BUSY_MILLIS = 10_000;

  private final HomeContext home;

  private final Continuations continuations;

  Completer(HomeContext home, Continuations continuations) {
    this.home = home;
    this.continuations = continuations;
  }

  /**
   * Ends the deliveries whose fence is current; others are dropped. A delivery that somebody else
   * has claimed, if only to put it on record, is waited for: an outcome is not sent twice.
   *
   * @return whether other tasks became ready by this
   */
  boolean complete(List<Outcome> outcomes) {
    Set<String> ids = Continuations.ids(outcomes);
    if (ids.isEmpty()) {
      return settle(outcomes);
    }
    return home.unmoved(
        () -> {
          ids.forEach(home::requireOwned);
          home.reservations.take(ids);
          try {
            return settle(outcomes);
          } finally {
            home.reservations.release(ids);
          }
        });
  }

  private boolean settle(List<Outcome> outcomes) {
    boolean ready = false;
    long deadline = home.nowNanos() + BUSY_MILLIS * 1_000_000;
    List<Outcome> left = outcomes;
    int settled = 0;
    while (!left.isEmpty()) {
      List<Outcome> busy = new ArrayList<>();
      List<Step> steps;
      synchronized (home.lock) {
        steps = claim(left, busy);
        while (steps.isEmpty() && !busy.isEmpty()) {
          awaitClaims(deadline);
          left = busy;
          busy = new ArrayList<>();
          steps = claim(left, busy);
        }
      }
      if (!steps.isEmpty()) {
        ready |= perform(steps);
        settled += steps.size();
      }
      left = busy;
    }
    home.metrics.staleOutcomes.add(outcomes.size() - settled);
    return ready;
  }

  private List<Step> claim(List<Outcome> outcomes, List<Outcome> busy) {
    List<Step> steps = new ArrayList<>(outcomes.size());
    long now = home.nowMillis();
    for (Outcome outcome : outcomes) {
      Entry entry = home.state.completing(outcome.id(), outcome.fence());
      if (entry == null) {
        if (home.state.busy(outcome.id(), outcome.fence())) {
          busy.add(outcome);
        }
        continue;
      }
      if (startedAlready(entry, outcome)) {
        home.release(entry);
        continue;
      }
      try {
        steps.add(step(entry, outcome, now));
      } catch (RuntimeException e) {
        home.release(entry);
        steps.forEach(step -> home.release(step.entry()));
        home.claimsReleased();
        throw new TasksException(
            TasksException.Code.BAD_REQUEST,
            "the outcome of kind " + outcome.kind() + " for task " + outcome.id() + " is malformed",
            e);
      }
    }
    return steps;
  }

  private static boolean startedAlready(Entry entry, Outcome outcome) {
    return outcome.kind() == Outcome.STARTED
        && entry.record.state == TaskState.STARTED
        && entry.record.fence == outcome.fence();
  }

  /** Waits until some claim ends; call with the lock. */
  void awaitClaims(long deadlineNanos) {
    long left = (deadlineNanos - home.nowNanos()) / 1_000_000;
    if (left <= 0) {
      throw new TasksException(
          TasksException.Code.BUSY, "a change of the same task takes long: try again");
    }
    try {
      home.lock.wait(left);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
    }
  }

  private Step step(Entry entry, Outcome outcome, long now) {
    TaskRecord record = entry.record.copy();
    WorkerSlots worker = home.state.worker(entry.epoch);
    String name = worker == null ? null : worker.info.name();
    boolean onRecord = entry.leaseOnRecord || entry.unsure;
    Outcomes.Next next = Outcomes.apply(record, outcome, name, now, onRecord);
    if (outcome.kind() == Outcome.NOT_REGISTERED && worker != null) {
      // The worker told us at its start what it knows; its child knows better.
      worker.tasks.remove(entry.task);
    }
    return unlessRevoked(Step.of(entry, record, next, outcome), now);
  }

  /** A task that was revoked while it ran may end by itself, but does not run another time. */
  private static Step unlessRevoked(Step step, long now) {
    boolean again =
        step.next() == Outcomes.Next.REQUEUE
            || step.next() == Outcomes.Next.REQUEUE_UNCHANGED
            || step.next() == Outcomes.Next.PROMISE;
    if (!again || !step.entry().revokeAsked) {
      return step;
    }
    TaskRecord r = step.record();
    Outcomes.fail(r, TaskState.REVOKED, Failures.REVOKED, Outcomes.WHILE_RUNNING, null, now);
    return step.instead(r, Outcomes.Next.END);
  }

  /** Puts back, or ends, what a worker held that is gone; the entries are claimed already. */
  void workerLost(List<Entry> held, String worker) {
    List<Step> steps = new ArrayList<>(held.size());
    long now = home.nowMillis();
    for (Entry entry : held) {
      if (entry.record == null) {
        synchronized (home.lock) {
          home.state.requeueCold(entry, now);
        }
        continue;
      }
      TaskRecord record = entry.record.copy();
      // A delivery that has not started goes back to its home long before it would be on record.
      boolean started = entry.leaseOnRecord || entry.unsure;
      Outcomes.Next next = Outcomes.workerLost(record, entry.fence, worker, now, started);
      Step step = Step.ofNode(entry, entry.record, record, next, Outcome.LOST);
      steps.add(unlessRevoked(step, now));
    }
    if (!steps.isEmpty()) {
      perform(steps);
    }
  }

  /**
   * Ends claimed entries with a failure that no child reported.
   *
   * @param found records of entries that have none on the heap
   */
  void end(
      List<Entry> claimed,
      Map<String, TaskRecord> found,
      TaskState state,
      String errorType,
      String message) {
    end(
        claimed,
        found,
        (entry, r) -> Outcomes.fail(r, state, errorType, message, null, home.nowMillis()));
  }

  /** Ends claimed entries as revoked; those that may run, by a signal. */
  void revoked(List<Entry> claimed, Map<String, TaskRecord> found, String signal) {
    end(
        claimed,
        found,
        (entry, r) -> Outcomes.revoke(r, entry.sent ? signal : null, home.nowMillis()));
  }

  private void end(
      List<Entry> claimed, Map<String, TaskRecord> found, BiConsumer<Entry, TaskRecord> change) {
    List<Step> steps = new ArrayList<>(claimed.size());
    for (Entry entry : claimed) {
      TaskRecord before = entry.record != null ? entry.record : found.get(entry.id);
      TaskRecord record = before.copy();
      change.accept(entry, record);
      steps.add(Step.ofNode(entry, before, record, Outcomes.Next.END, -1));
    }
    perform(steps);
  }

  private boolean perform(List<Step> planned) {
    List<Step> steps = planned;
    Continuations.Plan more = null;
    List<TaskRecord> rows = List.of();
    try {
      steps = lookFirst(planned);
      more = continuations.plan(steps);
      rows = rows(steps, more);
      long start = home.nowNanos();
      home.store.write(rows, more == null ? withoutRow(steps) : Set.of());
      if (!rows.isEmpty()) {
        home.metrics.committed(start);
      }
    } catch (RuntimeException e) {
      giveUp(steps, more, !rows.isEmpty());
      throw e;
    }
    boolean ready = false;
    Map<Origin, List<Completion>> mail = Watchers.mail();
    synchronized (home.lock) {
      for (Step step : steps) {
        ready |= settle(step, mail);
      }
      ready |= more != null && more.settle(mail);
      home.claimsReleased();
    }
    // Before anybody is told: who knows of an end finds it in the dead letters and the counts.
    try {
      steps.forEach(this::afterwards);
      if (more != null) {
        more.afterwards();
      }
    } finally {
      home.tell(mail);
    }
    return ready;
  }

  private static List<TaskRecord> rows(List<Step> steps, Continuations.Plan more) {
    List<TaskRecord> rows = new ArrayList<>(steps.size());
    if (more != null) {
      rows.addAll(more.records());
    }
    for (Step step : steps) {
      if (step.writes() && (more == null || !more.has(step))) {
        rows.add(step.record());
      }
    }
    return rows;
  }

  /** Returns the ids of those that are on their sheets only, so far. */
  private static Set<String> withoutRow(List<Step> steps) {
    Set<String> ids = new HashSet<>();
    for (Step step : steps) {
      if (step.entry().onSheetOnly()) {
        ids.add(step.entry().id);
      }
    }
    return ids;
  }

  /** Replaces steps for tasks whose last write was in doubt and turns out to have happened. */
  private List<Step> lookFirst(List<Step> planned) {
    List<String> unsure = new ArrayList<>();
    for (Step step : planned) {
      if (step.entry().unsure) {
        unsure.add(step.entry().id);
      }
    }
    if (unsure.isEmpty()) {
      return planned;
    }
    Map<String, TaskRecord> found = home.store.readSettled(unsure);
    List<Step> steps = new ArrayList<>(planned.size());
    for (Step step : planned) {
      TaskRecord there = found.get(step.entry().id);
      steps.add(step.entry().unsure ? asFound(step, there) : step);
    }
    return steps;
  }

  private static Step asFound(Step step, TaskRecord there) {
    if (there == null || there.state.terminal()) {
      return step.instead(there, Outcomes.Next.AS_FOUND);
    }
    // Its id has gone to another call, or is promised to one, which may come in this very batch.
    boolean replaced = there.replacedFence == step.entry().fence;
    return replaced ? step.instead(there, Outcomes.Next.PROMISE) : step;
  }

  private void giveUp(List<Step> steps, Continuations.Plan more, boolean wrote) {
    synchronized (home.lock) {
      for (Step step : steps) {
        step.entry().unsure |= wrote && step.writes();
        home.release(step.entry());
      }
      home.claimsReleased();
    }
    if (more != null && wrote) {
      more.inDoubt();
    } else if (more != null) {
      more.undo();
    }
  }

  /** Returns whether another task became ready. */
  private boolean settle(Step step, Map<Origin, List<Completion>> mail) {
    Entry entry = step.entry();
    WorkerSlots worker = home.state.worker(entry.epoch);
    if (worker != null) {
      tally(worker, step);
    }
    if (step.writes()) {
      entry.unsure = false;
      entry.ownRow = true;
    }
    switch (step.outcome()) {
      case Outcome.GIVE_BACK, Outcome.NOT_REGISTERED, Outcome.UNDELIVERED ->
          home.state.notStarted(entry);
      default -> {}
    }
    TaskRecord record = step.record();
    switch (step.next()) {
      case END, AS_FOUND -> {
        return settleEnd(entry, record, mail);
      }
      case PROMISE -> home.state.ended(entry);
      case REQUEUE -> {
        entry.record = record;
        if (home.state.requeue(entry, record, home.nowMillis())) {
          home.park(entry);
        }
      }
      case REQUEUE_UNCHANGED -> {
        if (home.state.requeueCold(entry, home.nowMillis())) {
          home.park(entry);
        }
      }
      case RUN_ON -> {
        entry.record = record;
        entry.leaseOnRecord = true;
        home.release(entry);
        if (step.outcome() == Outcome.PROGRESS) {
          byte[] told = Progress.told(record.note, record.payload);
          Completion word = new Completion(entry.id, Progress.CODE, told, false);
          home.watchers.tell(word, entry.origin, mail);
        }
      }
    }
    return false;
  }

  private boolean settleEnd(Entry entry, TaskRecord record, Map<Origin, List<Completion>> mail) {
    boolean current = home.state.ended(entry);
    home.leftOrder(entry);
    if (record == null || record.expired) {
      return false;
    }
    home.watchers.collect(home.completion(record), entry.origin, mail);
    // A lease that went with its partition was counted by the rebuild, should that be back.
    return current && home.joined(record, home.nowMillis());
  }

  /** Counts what a worker has ended, whatever the end; a retry is none. */
  private static void tally(WorkerSlots worker, Step step) {
    if (step.outcome() == Outcome.LOST) {
      worker.lost++;
    } else if (step.next() == Outcomes.Next.END && step.outcome() >= 0) {
      worker.done++;
      if (step.outcome() == Outcome.FAILURE || step.outcome() == Outcome.CUT) {
        worker.failed++;
      }
    }
  }

  private void afterwards(Step step) {
    TaskRecord r = step.record();
    switch (step.next()) {
      case END -> {
        home.ended(r);
        measure(r);
        home.dropReplaced(step.before(), r);
      }
      case AS_FOUND -> {
        if (r != null && !r.expired) {
          home.ended(r);
        }
      }
      case REQUEUE -> {
        home.dropReplaced(step.before(), r);
        if (r.state == TaskState.RETRY) {
          home.metrics.retries.of(r.queue).increment();
        }
      }
      default -> {}
    }
  }

  private void measure(TaskRecord r) {
    double wait = r.finishedMillis - r.runMicros / 1000.0 - Math.max(r.createdMillis, r.etaMillis);
    home.metrics.waits.of(r.queue).add(wait);
    home.metrics.runs.of(r.task).add(r.runMicros / 1000.0);
  }
}
