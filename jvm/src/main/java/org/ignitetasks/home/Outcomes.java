package org.ignitetasks.home;

import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Outcome;

/**
 * What the end of a delivery means for the record: a pure function, applied to a copy.
 *
 * <p>This is the only place where a task's state is decided; {@link TaskState#mayBecome} is checked
 * on every change.
 */
final class Outcomes {
  /** A worker may vanish this often under a task before the task is held to be the cause. */
  static final int MAX_WORKER_LOSSES = 20;

  static final String WHILE_RUNNING = "revoked while it ran";

  private Outcomes() {}

  /** What is to be done with an entry after its record was changed. */
  enum Next {
    /** The task has a terminal state. */
    END,
    /** Back into the queue (or the delayed ones); the record must be written first. */
    REQUEUE,
    /** Back into the queue; the record is as it was, nothing to write. */
    REQUEUE_UNCHANGED,
    /** It runs on; the record must be written. */
    RUN_ON,
    /** The id has no call any more, until its spawn or a later one brings another. */
    PROMISE,
    /** The ledger says that the task has ended already: nothing to write. */
    AS_FOUND
  }

  /** Changes {@code r} (a copy) by what the outcome says. */
  static Next apply(TaskRecord r, Outcome o, String worker, long now, boolean leaseOnRecord) {
    switch (o.kind()) {
      case Outcome.SUCCESS -> end(r, TaskState.SUCCESS, o, worker, now);
      case Outcome.FAILURE, Outcome.CUT -> end(r, TaskState.FAILURE, o, worker, now);
      case Outcome.IGNORE -> end(r, TaskState.IGNORED, o, worker, now);
      case Outcome.REVOKED ->
          fail(r, TaskState.REVOKED, Failures.REVOKED, "terminated", worker, now);
      case Outcome.REJECT -> {
        if (o.requeue()) {
          return lost(r, o.fence(), worker, now, "rejected with requeue");
        }
        end(r, TaskState.REJECTED, o, worker, now);
        r.overFence = o.fence();
      }
      case Outcome.RETRY -> {
        retry(r, o, worker);
        return Next.REQUEUE;
      }
      case Outcome.REPLACED -> {
        promise(r, o.fence());
        return Next.PROMISE;
      }
      case Outcome.LOST -> {
        return lost(r, o.fence(), worker, now, "lost with the process that ran it");
      }
      case Outcome.STARTED -> {
        change(r, TaskState.STARTED);
        r.startedMillis = now;
        r.worker = worker;
        r.fence = o.fence();
        return Next.RUN_ON;
      }
      case Outcome.PROGRESS -> {
        progress(r, o, worker, now);
        return Next.RUN_ON;
      }
      case Outcome.GIVE_BACK, Outcome.NOT_REGISTERED -> {
        return giveBack(r, o.fence(), leaseOnRecord);
      }
      case Outcome.UNDELIVERED -> {
        reopen(r, o.fence());
        return Next.REQUEUE;
      }
      default -> throw new IllegalArgumentException("no outcome has the kind " + o.kind());
    }
    return Next.END;
  }

  private static void progress(TaskRecord r, Outcome o, String worker, long now) {
    if (r.state != TaskState.STARTED) {
      change(r, TaskState.STARTED);
      r.startedMillis = now;
    }
    r.worker = worker;
    r.fence = o.fence();
    r.note = o.errorType();
    r.payload = o.payload();
    r.flag(TaskFlags.RESULT_REF, false);
  }

  /**
   * Changes {@code r} by the loss of the worker or node that held it. The worker has not agreed,
   * and may be heard again: that this delivery is over is put on record before the next one is
   * given out, for a later home to know.
   *
   * @param fence the delivery
   * @param started whether it is known to have started: one that only waited for a child is not to
   *     blame for what happened to its worker
   */
  static Next workerLost(TaskRecord r, long fence, String worker, long now, boolean started) {
    if (r.has(TaskFlags.EARLY_ACK) && r.state == TaskState.STARTED) {
      return lost(r, fence, worker, now, "lost with its worker");
    }
    if (!started) {
      reopen(r, fence);
      return Next.REQUEUE;
    }
    r.workerLosses++;
    if (r.workerLosses >= MAX_WORKER_LOSSES) {
      String text = "its worker went away " + r.workerLosses + " times while it ran";
      fail(r, TaskState.DEAD, Failures.WORKER_LOST, text, worker, now);
      r.overFence = fence;
      return Next.END;
    }
    reopen(r, fence);
    return Next.REQUEUE;
  }

  /** Ends {@code r} with a failure that no child reported. */
  static void fail(
      TaskRecord r, TaskState state, String type, String message, String worker, long now) {
    change(r, state);
    r.note = null;
    r.payload = Failures.of(type, text(r, message));
    r.flag(TaskFlags.RESULT_REF, false);
    r.errorType = type;
    r.worker = worker;
    r.finishedMillis = now;
  }

  /**
   * Ends {@code r} as revoked.
   *
   * @param signal by which its process is ended; null if it does not run
   */
  static void revoke(TaskRecord r, String signal, long now) {
    String message = signal == null ? "revoked" : WHILE_RUNNING;
    fail(r, TaskState.REVOKED, Failures.REVOKED, message, null, now);
    r.payload = Failures.of(Failures.REVOKED, text(r, message), signal);
  }

  private static String text(TaskRecord r, String message) {
    return "task " + r.id + " (" + r.task + "): " + message;
  }

  private static Next giveBack(TaskRecord r, long fence, boolean leaseOnRecord) {
    boolean changed = leaseOnRecord || r.state == TaskState.STARTED;
    if (!changed) {
      return Next.REQUEUE_UNCHANGED;
    }
    reopen(r, fence);
    return Next.REQUEUE;
  }

  private static Next lost(TaskRecord r, long fence, String worker, long now, String what) {
    r.deliveries++;
    if (r.has(TaskFlags.EARLY_ACK)) {
      String text = what + "; it was acknowledged before it ran, so it is not run again";
      fail(r, TaskState.FAILURE, Failures.WORKER_LOST, text, worker, now);
      return Next.END;
    }
    if (r.deliveries >= r.maxDeliveries) {
      String text = what + "; it was started " + r.deliveries + " times, which is its limit";
      fail(r, TaskState.DEAD, Failures.WORKER_LOST, text, worker, now);
      r.overFence = fence;
      return Next.END;
    }
    reopen(r, fence);
    return Next.REQUEUE;
  }

  /** The id, its place in the order and what waits for it stay; everything else may change. */
  private static void promise(TaskRecord r, long fence) {
    r.attempt = 0;
    reopen(r, fence);
    r.joinSize = TaskRecord.PROMISED - r.joinSize;
    r.replacedFence = fence;
    r.deliveries = 0;
    r.workerLosses = 0;
    r.etaMillis = 0;
    r.body = null;
    r.flag(TaskFlags.BODY_REF, false);
    r.payload = null;
    r.flag(TaskFlags.RESULT_REF, false);
    r.errorType = null;
    r.note = null;
  }

  private static void reopen(TaskRecord r, long fence) {
    change(r, r.attempt > 0 ? TaskState.RETRY : TaskState.PENDING);
    if (r.note != null) {
      // How far the last execution was says nothing of the next one.
      r.note = null;
      r.payload = null;
    }
    r.fence = 0;
    r.overFence = fence;
    r.startedMillis = 0;
  }

  private static void retry(TaskRecord r, Outcome o, String worker) {
    Outcome.Retry how = o.retry();
    r.attempt++;
    reopen(r, o.fence());
    r.etaMillis = how.etaMillis();
    r.payload = o.payload();
    r.flag(TaskFlags.RESULT_REF, o.payloadIsRef());
    r.errorType = o.errorType();
    r.worker = worker;
    if (how.body() != null) {
      r.body = how.body();
      r.flag(TaskFlags.BODY_REF, how.bodyIsRef());
    }
    if (how.queue() != null) {
      r.queue = how.queue();
    }
    if (how.priority() >= 0) {
      r.priority = how.priority();
    }
    if (how.expires() >= 0) {
      r.expiresMillis = how.expires();
    }
    if (how.options() != null) {
      r.options = how.options();
    }
  }

  private static void end(TaskRecord r, TaskState state, Outcome o, String worker, long now) {
    change(r, state);
    boolean keep = state != TaskState.SUCCESS || !r.has(TaskFlags.IGNORE_RESULT);
    r.note = null;
    r.payload = keep ? o.payload() : null;
    r.flag(TaskFlags.RESULT_REF, keep && o.payloadIsRef());
    r.errorType = o.errorType();
    r.worker = worker;
    r.runMicros = o.runMicros();
    r.finishedMillis = now;
    r.startedMillis = now - o.runMicros() / 1000;
    if (state == TaskState.SUCCESS || state == TaskState.IGNORED) {
      // Nothing will run it again: arguments and stamps are kept only where somebody wants to see
      // them.
      if (!keep || !r.has(TaskFlags.KEEP_BODY)) {
        r.body = null;
        r.options = null;
      }
    }
  }

  private static void change(TaskRecord r, TaskState next) {
    if (!r.state.mayBecome(next)) {
      throw new IllegalStateException(
          "task " + r.id + " cannot go from " + r.state + " to " + next);
    }
    r.state = next;
  }
}
