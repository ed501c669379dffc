package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.BlobRef;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskFlags;
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

  /**
   * What is to become of one claimed delivery.
   *
   * @param before the record as the delivery had it, or null
   * @param record the record as it is to be
   * @param outcome kind of the outcome, or -1
   */
  private record Step(
      Entry entry, TaskRecord before, TaskRecord record, Outcomes.Next next, int outcome) {
    boolean writes() {
      return next != Outcomes.Next.REQUEUE_UNCHANGED && next != Outcomes.Next.AS_FOUND;
    }
  }

  private final HomeContext home;

  Completer(HomeContext home) {
    this.home = home;
  }

  /**
   * Ends the deliveries whose fence is current; others are dropped. A delivery that somebody else
   * has claimed, if only to put it on record, is waited for: an outcome is not sent twice.
   */
  void complete(List<Outcome> outcomes) {
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
        perform(steps);
        settled += steps.size();
      }
      left = busy;
    }
    home.metrics.staleOutcomes.add(outcomes.size() - settled);
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
        steps.forEach(step -> home.release(step.entry));
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
    return unlessRevoked(new Step(entry, entry.record, record, next, outcome.kind()), now);
  }

  /** A task that was revoked while it ran may end by itself, but does not run another time. */
  private static Step unlessRevoked(Step step, long now) {
    boolean again =
        step.next == Outcomes.Next.REQUEUE || step.next == Outcomes.Next.REQUEUE_UNCHANGED;
    if (!again || !step.entry.revokeAsked) {
      return step;
    }
    Outcomes.fail(
        step.record, TaskState.REVOKED, Failures.REVOKED, "revoked while it ran", null, now);
    return new Step(step.entry, step.before, step.record, Outcomes.Next.END, step.outcome);
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
      Outcomes.Next next = Outcomes.workerLost(record, worker, now);
      steps.add(unlessRevoked(new Step(entry, entry.record, record, next, Outcome.LOST), now));
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
    List<Step> steps = new ArrayList<>(claimed.size());
    for (Entry entry : claimed) {
      TaskRecord before = entry.record != null ? entry.record : found.get(entry.id);
      TaskRecord record = before.copy();
      Outcomes.fail(record, state, errorType, message, null, home.nowMillis());
      steps.add(new Step(entry, before, record, Outcomes.Next.END, -1));
    }
    perform(steps);
  }

  private void perform(List<Step> planned) {
    List<Step> steps = planned;
    List<TaskRecord> rows = List.of();
    try {
      steps = lookFirst(planned);
      rows = steps.stream().filter(Step::writes).map(Step::record).toList();
      long start = home.nowNanos();
      home.store.write(rows);
      if (!rows.isEmpty()) {
        home.metrics.committed(start);
      }
    } catch (RuntimeException e) {
      giveUp(steps, !rows.isEmpty());
      throw e;
    }
    Map<Origin, List<Completion>> mail = Watchers.mail();
    synchronized (home.lock) {
      steps.forEach(step -> settle(step, mail));
      home.claimsReleased();
    }
    home.tell(mail);
    steps.forEach(this::afterwards);
  }

  /** Replaces steps for tasks whose last write was in doubt and turns out to have ended them. */
  private List<Step> lookFirst(List<Step> planned) {
    List<String> unsure = new ArrayList<>();
    for (Step step : planned) {
      if (step.entry.unsure) {
        unsure.add(step.entry.id);
      }
    }
    if (unsure.isEmpty()) {
      return planned;
    }
    Map<String, TaskRecord> found = home.store.readSettled(unsure);
    List<Step> steps = new ArrayList<>(planned.size());
    for (Step step : planned) {
      TaskRecord there = found.get(step.entry.id);
      boolean over = step.entry.unsure && (there == null || there.state.terminal());
      steps.add(
          over
              ? new Step(step.entry, step.before, there, Outcomes.Next.AS_FOUND, step.outcome)
              : step);
    }
    return steps;
  }

  private void giveUp(List<Step> steps, boolean wrote) {
    synchronized (home.lock) {
      for (Step step : steps) {
        step.entry.unsure |= wrote && step.writes();
        home.release(step.entry);
      }
      home.claimsReleased();
    }
  }

  private void settle(Step step, Map<Origin, List<Completion>> mail) {
    Entry entry = step.entry;
    WorkerSlots worker = home.state.worker(entry.epoch);
    if (worker != null) {
      tally(worker, step.outcome);
    }
    if (step.writes()) {
      entry.unsure = false;
      entry.ownRow = true;
    }
    switch (step.next) {
      case END, AS_FOUND -> {
        home.state.ended(entry);
        home.leftOrder(entry);
        if (step.record != null && !step.record.expired) {
          home.watchers.collect(home.completion(step.record), entry.origin, mail);
        }
      }
      case REQUEUE -> {
        entry.record = step.record;
        if (home.state.requeue(entry, step.record, home.nowMillis())) {
          home.park(entry);
        }
      }
      case REQUEUE_UNCHANGED -> {
        if (home.state.requeueCold(entry, home.nowMillis())) {
          home.park(entry);
        }
      }
      case RUN_ON -> {
        entry.record = step.record;
        entry.leaseOnRecord = true;
        home.release(entry);
      }
    }
  }

  private static void tally(WorkerSlots worker, int kind) {
    switch (kind) {
      case Outcome.SUCCESS, Outcome.IGNORE -> worker.done++;
      case Outcome.FAILURE, Outcome.CUT, Outcome.RETRY, Outcome.REJECT -> worker.failed++;
      case Outcome.LOST -> worker.lost++;
      default -> {}
    }
  }

  private void afterwards(Step step) {
    TaskRecord r = step.record;
    switch (step.next) {
      case END -> {
        home.ended(r);
        measure(r);
        dropReplaced(step.before, r);
      }
      case AS_FOUND -> {
        if (r != null && !r.expired) {
          home.ended(r);
        }
      }
      case REQUEUE -> {
        dropReplaced(step.before, r);
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

  /** Deletes the blobs that the record named before and names no more. */
  private void dropReplaced(TaskRecord before, TaskRecord now) {
    if (before == null) {
      return;
    }
    if (before.has(TaskFlags.BODY_REF) && before.body != now.body) {
      BlobRef.of(before.body).ifPresent(ref -> home.dropBlobLater(ref.blobId()));
    }
    if (before.has(TaskFlags.RESULT_REF) && before.payload != now.payload) {
      BlobRef.of(before.payload).ifPresent(ref -> home.dropBlobLater(ref.blobId()));
    }
  }
}
