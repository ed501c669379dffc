package org.ignitetasks.home;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.WorkerInfo;

/**
 * Who listens to which queue, and whose workers may be on their way back: those whose node was lost
 * a moment ago, and all of them where this home has just begun and there was one before it. To be
 * called with the home's lock.
 */
final class Listeners {
  /** A worker that lost its node, or its connection, is back within this time. */
  static final long RETURN_NANOS = 10_000_000_000L;

  private final QueueState state;
  private final Map<String, Long> lostNanos = new HashMap<>();
  private boolean begun;
  private long returnUntilNanos;

  Listeners(QueueState state) {
    this.state = state;
  }

  /** Takes note that this home has become one, perhaps again. */
  void began(long homeEpoch, long nowNanos) {
    if (!begun) {
      begun = true;
      // The first home of all has no workers that could come back.
      returnUntilNanos = homeEpoch > 1 ? nowNanos + RETURN_NANOS : nowNanos;
    }
  }

  /** Takes note that a worker is gone with its node. */
  void lost(WorkerInfo worker, long nowNanos) {
    worker.queues().forEach(queue -> lostNanos.put(queue, nowNanos));
  }

  /** See {@link HomeApi#listening}. */
  Map<String, Integer> of(List<String> queues, long nowNanos) {
    lostNanos.values().removeIf(lost -> nowNanos - lost >= RETURN_NANOS);
    boolean young = !begun || nowNanos - returnUntilNanos < 0;
    Map<String, Integer> counts = new LinkedHashMap<>();
    for (String queue : queues) {
      int count = state.listeners(queue);
      boolean soon = count == 0 && (young || lostNanos.containsKey(queue));
      counts.put(queue, soon ? HomeApi.PERHAPS_SOON : count);
    }
    return counts;
  }
}
