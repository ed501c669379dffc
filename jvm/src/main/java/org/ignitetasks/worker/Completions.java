package org.ignitetasks.worker;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Outcome;

/**
 * Brings outcomes home: the first try on the caller's thread, later ones on others, with backoff.
 *
 * <p>An outcome is kept until a home has taken it or the epoch is closed; then the home has ended
 * the lease by itself. Never called with a lock held.
 */
final class Completions {
  private static final Logger LOG = System.getLogger(Completions.class.getName());
  private static final long FIRST_DELAY_MILLIS = 50;
  private static final long MAX_DELAY_MILLIS = 2_000;

  private final HomeApi home;
  private final Executor calls;
  private final ScheduledExecutorService timer;

  Completions(HomeApi home, Executor calls, ScheduledExecutorService timer) {
    this.home = home;
    this.calls = calls;
    this.timer = timer;
  }

  /**
   * Reports outcomes; returns after the first try.
   *
   * @param closed says that the epoch has ended and nobody waits for these outcomes any more
   * @param finished runs once when the outcomes are committed or given up
   */
  void report(long epoch, List<Outcome> outcomes, BooleanSupplier closed, Runnable finished) {
    attempt(new Batch(epoch, outcomes, closed, finished), FIRST_DELAY_MILLIS);
  }

  /** Says that an epoch is over, until a home has heard it. */
  void left(long epoch, Runnable finished) {
    left(epoch, finished, FIRST_DELAY_MILLIS);
  }

  private void left(long epoch, Runnable finished, long delay) {
    try {
      home.workerLeft(epoch);
    } catch (RuntimeException e) {
      LOG.log(
          Level.WARNING,
          "worker_left_unreported epoch={0} error={1}",
          Long.toString(epoch),
          e.toString());
      if (later(() -> left(epoch, finished, next(delay)), delay)) {
        return;
      }
    }
    finished.run();
  }

  private record Batch(
      long epoch, List<Outcome> outcomes, BooleanSupplier closed, Runnable finished) {}

  private void attempt(Batch batch, long delay) {
    try {
      home.complete(batch.epoch, batch.outcomes);
    } catch (TasksException e) {
      if (e.code() == Code.BAD_REQUEST || e.code() == Code.TOO_LARGE) {
        refused(batch, e);
        return;
      }
      retry(batch, e, delay);
      return;
    } catch (RuntimeException e) {
      retry(batch, e, delay);
      return;
    }
    batch.finished.run();
  }

  private void retry(Batch batch, RuntimeException error, long delay) {
    if (batch.closed.getAsBoolean() || !later(() -> attempt(batch, next(delay)), delay)) {
      LOG.log(
          Level.WARNING,
          "completions_dropped epoch={0} count={1} error={2}",
          Long.toString(batch.epoch),
          batch.outcomes.size(),
          error.toString());
      batch.finished.run();
      return;
    }
    LOG.log(
        Level.INFO,
        "completions_kept epoch={0} count={1} error={2}",
        Long.toString(batch.epoch),
        batch.outcomes.size(),
        error.toString());
  }

  /** One bad outcome must not take the good ones with it: each is tried alone, once. */
  private void refused(Batch batch, TasksException error) {
    if (batch.outcomes.size() > 1) {
      Countdown rest = new Countdown(batch.outcomes.size(), batch.finished);
      for (Outcome outcome : batch.outcomes) {
        List<Outcome> alone = List.of(outcome);
        attempt(new Batch(batch.epoch, alone, batch.closed, rest), FIRST_DELAY_MILLIS);
      }
      return;
    }
    Outcome refused = batch.outcomes.get(0);
    LOG.log(
        Level.ERROR,
        "completion_refused id={0} kind={1} error={2}",
        refused.id(),
        refused.kind(),
        error.toString());
    if (refused.kind() == Outcome.LOST || refused.runsOn()) {
      batch.finished.run();
      return;
    }
    // The lease must end: as lost it comes to the dead letters at the cap instead of hanging.
    Outcome lost = Outcome.plain(refused.id(), refused.fence(), Outcome.LOST);
    attempt(
        new Batch(batch.epoch, List.of(lost), batch.closed, batch.finished), FIRST_DELAY_MILLIS);
  }

  private boolean later(Runnable work, long delayMillis) {
    try {
      timer.schedule(() -> calls.execute(work), delayMillis, TimeUnit.MILLISECONDS);
      return true;
    } catch (RejectedExecutionException e) {
      // This JVM stops: homes see the worker leave.
      return false;
    }
  }

  private static long next(long delay) {
    return Math.min(MAX_DELAY_MILLIS, delay * 2);
  }

  /** Runs something when the last of several has ended. */
  private static final class Countdown implements Runnable {
    private final Runnable last;
    private int left;

    Countdown(int count, Runnable last) {
      this.left = count;
      this.last = last;
    }

    @Override
    public void run() {
      synchronized (this) {
        left--;
        if (left > 0) {
          return;
        }
      }
      last.run();
    }
  }
}
