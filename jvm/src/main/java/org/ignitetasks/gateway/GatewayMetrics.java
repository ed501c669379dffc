package org.ignitetasks.gateway;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What the gateway counts about itself; only numbers, and labels from fixed lists. Thread-safe.
 *
 * <p>Label strings are those of Prometheus: what stands between the braces, "" for none.
 */
final class GatewayMetrics {
  private static final double[] BOUNDS_MILLIS = {
    0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000
  };
  private static final long LOG_EVERY_NANOS = 1_000_000_000L;
  private static final String NO_LABEL = "";

  private final Map<String, Map<String, LongAdder>> counters = new ConcurrentHashMap<>();
  private final Map<String, Histogram> latencies = new ConcurrentHashMap<>();
  private final LongAdder bytesIn = new LongAdder();
  private final LongAdder bytesOut = new LongAdder();
  private final AtomicLong nextLogNanos = new AtomicLong(System.nanoTime());

  void count(String name) {
    counter(name, NO_LABEL).increment();
  }

  void bytes(long in, long out) {
    bytesIn.add(in);
    bytesOut.add(out);
  }

  /**
   * Counts one call; errorCode is null if it was answered. The time of a poll includes its wait.
   */
  void call(String op, long nanos, String errorCode) {
    latencies.computeIfAbsent(op, key -> new Histogram()).add(nanos);
    if (errorCode != null) {
      counter("gateway_errors_total", "op=\"" + op + "\",code=\"" + errorCode + "\"").increment();
    }
  }

  /** Says whether a refused connection may be logged now: strangers must not fill the disk. */
  boolean mayLogRefusal() {
    long now = System.nanoTime();
    long next = nextLogNanos.get();
    return now - next >= 0 && nextLogNanos.compareAndSet(next, now + LOG_EVERY_NANOS);
  }

  long value(String name) {
    Map<String, LongAdder> byLabel = counters.get(name);
    return byLabel == null ? 0 : byLabel.values().stream().mapToLong(LongAdder::sum).sum();
  }

  /** Returns counters as {name: {labels: number}}. */
  Map<String, Object> counters() {
    Map<String, Object> all = new TreeMap<>();
    counters.forEach(
        (name, byLabel) -> {
          Map<String, Object> values = new TreeMap<>();
          byLabel.forEach((label, adder) -> values.put(label, adder.sum()));
          all.put(name, values);
        });
    Map<String, Object> calls = new TreeMap<>();
    latencies.forEach((op, histogram) -> calls.put(opLabel(op), histogram.count.sum()));
    all.put("gateway_calls_total", calls);
    all.put("gateway_received_bytes_total", Map.of(NO_LABEL, bytesIn.sum()));
    all.put("gateway_sent_bytes_total", Map.of(NO_LABEL, bytesOut.sum()));
    return all;
  }

  /** Returns histograms as {name: {labels: {bounds_ms, counts, sum_ms, count}}}. */
  Map<String, Object> histograms() {
    Map<String, Object> byLabel = new TreeMap<>();
    latencies.forEach((op, histogram) -> byLabel.put(opLabel(op), histogram.toMap()));
    return Map.of("gateway_call_ms", byLabel);
  }

  private LongAdder counter(String name, String label) {
    return counters
        .computeIfAbsent(name, key -> new ConcurrentHashMap<>())
        .computeIfAbsent(label, key -> new LongAdder());
  }

  private static String opLabel(String op) {
    return "op=\"" + op + "\"";
  }

  /** Counts per bucket; counts[i] holds times up to bounds[i], the last one all above. */
  private static final class Histogram {
    private final LongAdder[] counts = new LongAdder[BOUNDS_MILLIS.length + 1];
    private final LongAdder sumNanos = new LongAdder();
    private final LongAdder count = new LongAdder();

    Histogram() {
      for (int i = 0; i < counts.length; i++) {
        counts[i] = new LongAdder();
      }
    }

    void add(long nanos) {
      double millis = nanos / 1e6;
      int bucket = 0;
      while (bucket < BOUNDS_MILLIS.length && millis > BOUNDS_MILLIS[bucket]) {
        bucket++;
      }
      counts[bucket].increment();
      sumNanos.add(nanos);
      count.increment();
    }

    Map<String, Object> toMap() {
      List<Object> bounds = new ArrayList<>();
      for (double bound : BOUNDS_MILLIS) {
        bounds.add(bound);
      }
      List<Object> values = new ArrayList<>();
      for (LongAdder adder : counts) {
        values.add(adder.sum());
      }
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("bounds_ms", bounds);
      map.put("counts", values);
      map.put("sum_ms", sumNanos.sum() / 1e6);
      map.put("count", count.sum());
      return map;
    }
  }
}
