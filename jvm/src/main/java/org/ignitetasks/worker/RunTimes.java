package org.ignitetasks.worker;

import java.util.concurrent.ConcurrentHashMap;

/**
 * Expected run time of a task by its name, in microseconds: a moving average. Thread-safe.
 *
 * <p>A name never seen counts as long: one of it goes to a child at a time until one has ended.
 */
final class RunTimes {
  /** What a task takes of which nothing is known, in microseconds. */
  static final long UNKNOWN_MICROS = 1_000_000;

  /** The least a task is expected to take: decoding, encoding and the lane cost that anyway. */
  static final long LEAST_MICROS = 10;

  private static final double WEIGHT = 0.2;

  /** Far above any registry of tasks; a guard against names that are made up at run time. */
  private static final int MAX_NAMES = 10_000;

  private final ConcurrentHashMap<String, Long> byName = new ConcurrentHashMap<>();

  /** Returns what the next run of this task is expected to take, in microseconds. */
  long expect(String task) {
    Long known = byName.get(task);
    return known == null ? UNKNOWN_MICROS : known;
  }

  /** Learns from a run of {@code micros} microseconds. */
  void ran(String task, long micros) {
    if (byName.size() >= MAX_NAMES && !byName.containsKey(task)) {
      byName.clear();
    }
    long run = Math.max(LEAST_MICROS, micros);
    byName.merge(task, run, RunTimes::blend);
  }

  /** Learns that a run that has not ended takes {@code micros} microseconds or more. */
  void atLeast(String task, long micros) {
    byName.merge(task, micros, Math::max);
  }

  /** Returns the moving average after one more value. */
  static long blend(long average, long value) {
    return Math.max(LEAST_MICROS, Math.round(average + WEIGHT * (value - average)));
  }
}
