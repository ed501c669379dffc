package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import org.ignitetasks.model.TaskState;

/**
 * Counters and latency histograms of a home. Thread-safe; reading is cheap and not atomic as a whole.
 */
public final class HomeMetrics {
  private static final double[] BOUNDS_MILLIS = {
    0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000
  };

  /** A histogram with fixed bounds in milliseconds. */
  static final class Histogram {
    private final AtomicLongArray counts = new AtomicLongArray(BOUNDS_MILLIS.length + 1);
    private final LongAdder sumMicros = new LongAdder();

    void add(double millis) {
      int slot = 0;
      while (slot < BOUNDS_MILLIS.length && millis > BOUNDS_MILLIS[slot]) {
        slot++;
      }
      counts.incrementAndGet(slot);
      sumMicros.add((long) (Math.max(0, millis) * 1000));
    }

    Map<String, Object> read() {
      List<Object> bounds = new ArrayList<>();
      List<Object> perBound = new ArrayList<>();
      long total = 0;
      for (int i = 0; i < counts.length(); i++) {
        long count = counts.get(i);
        total += count;
        perBound.add(count);
        if (i < BOUNDS_MILLIS.length) {
          bounds.add(BOUNDS_MILLIS[i]);
        }
      }
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("bounds_ms", bounds);
      map.put("counts", perBound);
      map.put("sum_ms", sumMicros.sum() / 1000.0);
      map.put("count", total);
      return map;
    }
  }

  private final Map<String, Map<String, LongAdder>> counters = new ConcurrentHashMap<>();
  private final Map<String, Map<String, Histogram>> histograms = new ConcurrentHashMap<>();
  private final LongAdder[] ended = new LongAdder[TaskState.values().length];
  private final Histogram commit = histogram("commit", "");

  public HomeMetrics() {
    for (int i = 0; i < ended.length; i++) {
      ended[i] = new LongAdder();
    }
  }

  void count(String name, String label, long more) {
    counters
        .computeIfAbsent(name, key -> new ConcurrentHashMap<>())
        .computeIfAbsent(label, key -> new LongAdder())
        .add(more);
  }

  Histogram histogram(String name, String label) {
    return histograms
        .computeIfAbsent(name, key -> new ConcurrentHashMap<>())
        .computeIfAbsent(label, key -> new Histogram());
  }

  void committed(long startNanos) {
    commit.add((System.nanoTime() - startNanos) / 1e6);
  }

  /** Adds to the number of stored records in a terminal state (negative when they are deleted). */
  void stored(TaskState state, long more) {
    ended[state.code()].add(more);
  }

  long stored(TaskState state) {
    return Math.max(0, ended[state.code()].sum());
  }

  Map<String, Object> read() {
    Map<String, Object> numbers = new LinkedHashMap<>();
    counters.forEach(
        (name, labels) -> {
          Map<String, Object> values = new LinkedHashMap<>();
          labels.forEach((label, value) -> values.put(label, value.sum()));
          numbers.put(name, values);
        });
    Map<String, Object> shapes = new LinkedHashMap<>();
    histograms.forEach(
        (name, labels) -> {
          Map<String, Object> values = new LinkedHashMap<>();
          labels.forEach((label, value) -> values.put(label, value.read()));
          shapes.put(name, values);
        });
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("counters", numbers);
    all.put("histograms", shapes);
    return all;
  }
}
