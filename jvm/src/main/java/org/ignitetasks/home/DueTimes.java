package org.ignitetasks.home;

import java.util.concurrent.atomic.AtomicLongArray;
import org.ignitetasks.model.Locator;

/**
 * For each partition, the earliest time at which something in it may have expired: partitions with
 * nothing due are not looked at. Starts with "unknown", which means "look". Thread-safe.
 */
final class DueTimes {
  private final AtomicLongArray earliest;

  DueTimes() {
    earliest = new AtomicLongArray(new long[Locator.PARTITIONS]);
  }

  boolean mayHave(int partition, long nowMillis) {
    return earliest.get(partition) <= nowMillis;
  }

  void reset(int partition) {
    earliest.set(partition, Long.MAX_VALUE);
  }

  /** Nothing is known of this partition any more: it must be looked at. */
  void lookAgain(int partition) {
    earliest.set(partition, 0);
  }

  void note(String id, long dueMillis) {
    note(Locator.partition(id), dueMillis);
  }

  void note(int partition, long dueMillis) {
    earliest.accumulateAndGet(partition, dueMillis, Math::min);
  }
}
