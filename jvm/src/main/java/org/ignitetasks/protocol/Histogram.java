package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/**
 * Durations per bucket, in the layout of the "metrics" call. Thread-safe; not read as one whole.
 */
public final class Histogram {
  private final double[] boundsMillis;
  private final AtomicLongArray counts;
  private final LongAdder sumMicros = new LongAdder();

  /**
   * @param boundsMillis upper ends of the buckets, rising; one more bucket takes what is above
   */
  public Histogram(double... boundsMillis) {
    this.boundsMillis = boundsMillis;
    this.counts = new AtomicLongArray(boundsMillis.length + 1);
  }

  /** Counts one duration; a negative one, after a step of the clock, counts as none. */
  public void add(double millis) {
    int bucket = 0;
    while (bucket < boundsMillis.length && millis > boundsMillis[bucket]) {
      bucket++;
    }
    counts.incrementAndGet(bucket);
    sumMicros.add((long) (Math.max(0, millis) * 1000));
  }

  /** Returns how many durations were counted. */
  public long count() {
    long total = 0;
    for (int i = 0; i < counts.length(); i++) {
      total += counts.get(i);
    }
    return total;
  }

  /** Returns {bounds_ms, counts, sum_ms, count}; counts are per bucket, not added up. */
  public Map<String, Object> read() {
    List<Object> bounds = new ArrayList<>(boundsMillis.length);
    for (double bound : boundsMillis) {
      bounds.add(bound);
    }
    List<Object> values = new ArrayList<>(counts.length());
    long total = 0;
    for (int i = 0; i < counts.length(); i++) {
      long count = counts.get(i);
      total += count;
      values.add(count);
    }
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("bounds_ms", bounds);
    map.put("counts", values);
    map.put("sum_ms", sumMicros.sum() / 1000.0);
    map.put("count", total);
    return map;
  }
}
