package org.ignitetasks.gateway;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.ignitetasks.protocol.Histogram;
import org.ignitetasks.protocol.Labels;

/**
 * What the gateway counts about itself, under the names Prometheus gets it by; only numbers, and
 * labels from fixed lists. Thread-safe.
 */
final class GatewayMetrics {
  private static final String PREFIX = "ignitetasks_";
  private static final double[] BOUNDS_MILLIS = {
    0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000
  };
  private static final long LOG_EVERY_NANOS = 1_000_000_000L;

  private final Map<String, Map<String, LongAdder>> counters = new ConcurrentHashMap<>();
  private final Map<String, Histogram> latencies = new ConcurrentHashMap<>();
  private final LongAdder bytesIn = new LongAdder();
  private final LongAdder bytesOut = new LongAdder();
  private final AtomicLong nextLogNanos = new AtomicLong(System.nanoTime());

  void count(String name) {
    counter(name, Labels.NONE).increment();
  }

  void bytes(long in, long out) {
    bytesIn.add(in);
    bytesOut.add(out);
  }

  /**
   * Counts one call; errorCode is null if it was answered. The time of a poll includes its wait.
   */
  void call(String op, long nanos, String errorCode) {
    latencies.computeIfAbsent(op, key -> new Histogram(BOUNDS_MILLIS)).add(nanos / 1e6);
    if (errorCode != null) {
      counter("gateway_errors_total", Labels.of("op", op) + "," + Labels.of("code", errorCode))
          .increment();
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
          all.put(PREFIX + name, values);
        });
    Map<String, Object> calls = new TreeMap<>();
    latencies.forEach((op, histogram) -> calls.put(Labels.of("op", op), histogram.count()));
    all.put(PREFIX + "gateway_calls_total", calls);
    all.put(PREFIX + "gateway_received_bytes_total", Map.of(Labels.NONE, bytesIn.sum()));
    all.put(PREFIX + "gateway_sent_bytes_total", Map.of(Labels.NONE, bytesOut.sum()));
    return all;
  }

  /** Returns histograms as {name: {labels: {bounds_ms, counts, sum_ms, count}}}. */
  Map<String, Object> histograms() {
    Map<String, Object> byLabel = new TreeMap<>();
    latencies.forEach((op, histogram) -> byLabel.put(Labels.of("op", op), histogram.read()));
    return Map.of(PREFIX + "gateway_call_seconds", byLabel);
  }

  private LongAdder counter(String name, String label) {
    return counters
        .computeIfAbsent(name, key -> new ConcurrentHashMap<>())
        .computeIfAbsent(label, key -> new LongAdder());
  }
}
