package org.ignitetasks.worker;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import java.util.function.BooleanSupplier;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;

/**
 * Outcomes of one epoch that are on their way home. Until they are committed their deliveries count
 * as running, so that a home that is rebuilt meanwhile does not hand them out again.
 */
final class Reports {
  private final long epoch;
  private final Completions completions;
  private final Lock lock;
  private final BooleanSupplier closed;
  private final Runnable onReported;
  private final Set<List<Outcome>> underWay = Collections.newSetFromMap(new IdentityHashMap<>());

  /**
   * @param onReported runs under the lock after each batch that is committed or given up
   */
  Reports(
      long epoch, Completions completions, Lock lock, BooleanSupplier closed, Runnable onReported) {
    this.epoch = epoch;
    this.completions = completions;
    this.lock = lock;
    this.closed = closed;
    this.onReported = onReported;
  }

  /** Takes note of outcomes, under the lock that ends their deliveries; send them next. */
  void track(List<Outcome> outcomes) {
    if (!outcomes.isEmpty()) {
      underWay.add(outcomes);
    }
  }

  /** Sends tracked outcomes; without the lock, returns after the first try. */
  void send(List<Outcome> outcomes) {
    if (!outcomes.isEmpty()) {
      completions.report(epoch, outcomes, closed, () -> reported(outcomes));
    }
  }

  private void reported(List<Outcome> outcomes) {
    lock.lock();
    try {
      underWay.remove(outcomes);
      onReported.run();
    } finally {
      lock.unlock();
    }
  }

  /** Says, under the lock, whether nothing is under way. */
  boolean isEmpty() {
    return underWay.isEmpty();
  }

  /** Adds, under the lock, the deliveries whose outcomes are under way. */
  void running(List<WorkerApi.Running> out) {
    for (List<Outcome> outcomes : underWay) {
      for (Outcome outcome : outcomes) {
        out.add(new WorkerApi.Running(epoch, outcome.id(), outcome.fence()));
      }
    }
  }
}
