package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
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
 * <p>The order is the promise: nobody hears of an end that is not durable, and a lease is held until
 * its end is. A failed write gives the claims back, so that the same outcomes can come again.
 */
final class Completer {
  private record Step(Entry entry, TaskRecord record, Outcomes.Next next) {}

  private final HomeContext home;

  Completer(HomeContext home) {
    this.home = home;
  }

  /** Ends the deliveries whose fence is current; others are dropped. */
  void complete(List<Outcome> outcomes) {
    List<Step> steps = new ArrayList<>(outcomes.size());
    long now = home.nowMillis();
    synchronized (home.lock) {
      for (Outcome outcome : outcomes) {
        Entry entry = home.state.completing(outcome.id(), outcome.fence());
        if (entry != null) {
          steps.add(step(entry, outcome, now));
        }
      }
    }
    home.metrics.staleOutcomes.add(outcomes.size() - steps.size());
    if (!steps.isEmpty()) {
      perform(steps);
    }
  }

  private Step step(Entry entry, Outcome outcome, long now) {
    TaskRecord record = entry.record.copy();
    WorkerSlots worker = home.state.worker(entry.epoch);
    String name = worker == null ? null : worker.info.name();
    Outcomes.Next next = Outcomes.apply(record, outcome, name, now, entry.leaseOnRecord);
    if (outcome.kind() == Outcome.NOT_REGISTERED && worker != null) {
      // The worker told us at its start what it knows; its child knows better.
      worker.tasks.remove(entry.task);
    }
    if (worker != null) {
      tally(worker, outcome.kind());
    }
    return new Step(entry, record, next);
  }

  private static void tally(WorkerSlots worker, int kind) {
    switch (kind) {
      case Outcome.SUCCESS, Outcome.IGNORE -> worker.done++;
      case Outcome.FAILURE, Outcome.RETRY, Outcome.REJECT -> worker.failed++;
      case Outcome.LOST -> worker.lost++;
      default -> {}
    }
  }

  /** Puts back, or ends, what a worker held that is gone; the entries are claimed already. */
  void workerLost(List<Entry> held, String worker) {
    List<Step> steps = new ArrayList<>(held.size());
    long now = home.nowMillis();
    for (Entry entry : held) {
      TaskRecord record = entry.record == null ? null : entry.record.copy();
      if (record == null) {
        synchronized (home.lock) {
          home.state.requeueCold(entry, now);
        }
      } else {
        steps.add(new Step(entry, record, Outcomes.workerLost(record, worker, now)));
      }
    }
    if (!steps.isEmpty()) {
      perform(steps);
    }
  }

  /** Ends a leased or otherwise claimed entry with a failure that no child reported. */
  void end(Entry entry, TaskState state, String errorType, String message) {
    TaskRecord record = entry.record.copy();
    Outcomes.fail(record, state, errorType, message, null, home.nowMillis());
    entry.completing = true;
    perform(List.of(new Step(entry, record, Outcomes.Next.END)));
  }

  private void perform(List<Step> steps) {
    List<TaskRecord> rows = new ArrayList<>(steps.size());
    for (Step step : steps) {
      if (step.next != Outcomes.Next.REQUEUE_UNCHANGED) {
        rows.add(step.record);
      }
    }
    long start = home.nowNanos();
    try {
      home.store.write(rows);
    } catch (TasksException e) {
      synchronized (home.lock) {
        steps.forEach(step -> home.state.completionFailed(step.entry));
      }
      throw e;
    }
    if (!rows.isEmpty()) {
      home.metrics.committed(start);
    }
    Map<Origin, List<Completion>> mail = Watchers.mail();
    synchronized (home.lock) {
      steps.forEach(step -> settle(step, mail));
    }
    mail.forEach(home.gateways::completed);
    for (Step step : steps) {
      afterwards(step);
    }
  }

  private void settle(Step step, Map<Origin, List<Completion>> mail) {
    Entry entry = step.entry;
    TaskRecord before = entry.record;
    switch (step.next) {
      case END -> {
        home.state.ended(entry);
        home.sheets.ended(entry);
        entry.record = null;
        TaskRecord r = step.record;
        boolean ref = r.has(TaskFlags.RESULT_REF);
        home.watchers.collect(
            new Completion(r.id, r.state.code(), r.payload, ref), entry.origin, mail);
      }
      case REQUEUE -> {
        entry.record = step.record;
        entry.ownRow = true;
        home.state.requeue(entry, step.record, home.nowMillis());
        home.park(entry);
      }
      case REQUEUE_UNCHANGED -> {
        home.state.requeue(entry, before, home.nowMillis());
        home.park(entry);
      }
      case RUN_ON -> {
        entry.record = step.record;
        entry.ownRow = true;
        entry.leaseOnRecord = true;
        home.state.completionFailed(entry);
      }
    }
  }

  private void afterwards(Step step) {
    TaskRecord r = step.record;
    if (step.next == Outcomes.Next.REQUEUE_UNCHANGED || step.next == Outcomes.Next.RUN_ON) {
      return;
    }
    if (r.state.terminal()) {
      home.ended(r);
      if (r.state == TaskState.DEAD || r.state == TaskState.REJECTED) {
        home.dead.add(r.id);
      }
      double wait = r.finishedMillis - r.runMicros / 1000.0 - Math.max(r.createdMillis, r.etaMillis);
      home.metrics.waits.of(r.queue).add(wait);
      home.metrics.runs.of(r.task).add(r.runMicros / 1000.0);
      if (r.state == TaskState.SUCCESS && step.entry.hasBlobBody()) {
        home.dropBlobLater(r.id + "/a");
      }
    } else if (r.state == TaskState.RETRY) {
      home.metrics.retries.of(r.queue).increment();
    }
  }
}
