package org.ignitetasks.worker;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import org.ignitetasks.protocol.Outcome;

/** Counters and histograms of the worker side, in the layout of the "metrics" call. Thread-safe. */
final class LaneMetrics {
  private static final double[] BOUNDS_MILLIS = {
    0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000
  };
  private static final String[] KINDS = {"success", "failure", "retry", "reject", "ignore"};

  /** A guard for memory against task names made up at run time. */
  private static final int MAX_LABELS = 10_000;

  private final Map<String, Series> runs = new ConcurrentHashMap<>();
  private final Map<String, LongAdder> deaths = new ConcurrentHashMap<>();
  private final Map<String, LongAdder> givenBack = new ConcurrentHashMap<>();

  /** Runs of one task name. */
  private static final class Series {
    final LongAdder[] kinds = new LongAdder[KINDS.length];
    final AtomicLongArray buckets = new AtomicLongArray(BOUNDS_MILLIS.length + 1);
    final LongAdder micros = new LongAdder();

    Series() {
      for (int i = 0; i < kinds.length; i++) {
        kinds[i] = new LongAdder();
      }
    }

    void add(int kind, long runMicros) {
      kinds[kind].increment();
      micros.add(runMicros);
      int bucket = 0;
      while (bucket < BOUNDS_MILLIS.length && runMicros > BOUNDS_MILLIS[bucket] * 1000) {
        bucket++;
      }
      buckets.incrementAndGet(bucket);
    }
  }

  /** Counts one run of a task that ended by a child's own word. */
  void ran(String task, int kind, long micros) {
    if (kind < Outcome.SUCCESS || kind > Outcome.IGNORE) {
      return;
    }
    Series series = runs.get(task);
    if (series == null && runs.size() < MAX_LABELS) {
      series = runs.computeIfAbsent(task, name -> new Series());
    }
    if (series != null) {
      series.add(kind, micros);
    }
  }

  /** Counts a child's end; reasons outside the agreed ones count as "unknown". */
  void childDied(Death death) {
    String reason = death.reason();
    String known =
        switch (reason) {
          case Death.EXIT, Death.HARD_LIMIT, Death.REVOKED, Death.SHUTDOWN -> reason;
          default -> "unknown";
        };
    deaths.computeIfAbsent(known, name -> new LongAdder()).increment();
  }

  /** Counts a delivery that went back without having run. */
  void gaveBack(String reason) {
    String known =
        switch (reason) {
          case "slow", "drain", "recycle", "not_registered", "waited", "closed" -> reason;
          default -> "unknown";
        };
    givenBack.computeIfAbsent(known, name -> new LongAdder()).increment();
  }

  /** Returns {counters, gauges, histograms}; labels read {@code name="value",...}. */
  Map<String, Object> snapshot(Map<String, Object> gauges) {
    Map<String, Object> tasks = new HashMap<>();
    Map<String, Object> times = new HashMap<>();
    runs.forEach(
        (task, series) -> {
          String label = label("task", task);
          for (int kind = 0; kind < KINDS.length; kind++) {
            long count = series.kinds[kind].sum();
            if (count > 0) {
              tasks.put(label + "," + label("outcome", KINDS[kind]), count);
            }
          }
          times.put(label, histogram(series));
        });
    Map<String, Object> counters = new HashMap<>();
    counters.put("ignitetasks_worker_tasks_total", tasks);
    counters.put("ignitetasks_worker_child_deaths_total", labelled("reason", deaths));
    counters.put("ignitetasks_worker_given_back_total", labelled("reason", givenBack));
    return Map.of(
        "counters",
        counters,
        "gauges",
        gauges,
        "histograms",
        Map.of("ignitetasks_worker_run_milliseconds", times));
  }

  private static Map<String, Object> histogram(Series series) {
    List<Object> bounds = new ArrayList<>();
    List<Object> counts = new ArrayList<>();
    long count = 0;
    for (int i = 0; i < series.buckets.length(); i++) {
      if (i < BOUNDS_MILLIS.length) {
        bounds.add(BOUNDS_MILLIS[i]);
      }
      long bucket = series.buckets.get(i);
      counts.add(bucket);
      count += bucket;
    }
    double sum = series.micros.sum() / 1000.0;
    return Map.of("bounds_ms", bounds, "counts", counts, "sum_ms", sum, "count", count);
  }

  private static Map<String, Object> labelled(String name, Map<String, LongAdder> adders) {
    Map<String, Object> values = new HashMap<>();
    adders.forEach((key, adder) -> values.put(label(name, key), adder.sum()));
    return values;
  }

  static String label(String name, String value) {
    String escaped = value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    return name + "=\"" + escaped + "\"";
  }
}
