package org.ignitetasks.home;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Histogram;
import org.ignitetasks.protocol.Labels;

/**
 * Counters and latency histograms of a home, under the names Prometheus gets them by. Thread-safe;
 * reading is cheap and not atomic as a whole.
 */
public final class HomeMetrics {
  private static final int STATES = TaskState.values().length;
  private static final double[] BOUNDS_MILLIS = {
    0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000, 600_000
  };

  /** A family of series that differ in the value of one label. */
  static final class Family<T> {
    private final String label;
    private final Function<String, T> make;
    private final Map<String, T> series = Labels.map();

    Family(String label, Function<String, T> make) {
      this.label = label;
      this.make = make;
    }

    T of(String value) {
      return Labels.series(series, value, make);
    }

    private Map<String, Object> read(Function<T, Object> number) {
      Map<String, Object> values = new LinkedHashMap<>();
      series.forEach((value, one) -> values.put(Labels.of(label, value), number.apply(one)));
      return values;
    }
  }

  final LongAdder deliveries = new LongAdder();
  final LongAdder recordsExpired = new LongAdder();
  final LongAdder staleOutcomes = new LongAdder();
  final Family<LongAdder> finished = counters("state");
  final Family<LongAdder> retries = counters("queue");
  final Family<LongAdder> deadLetters = counters("queue");
  final Family<LongAdder> timerErrors = counters("code");
  final Family<Histogram> waits = new Family<>("queue", value -> new Histogram(BOUNDS_MILLIS));
  final Family<Histogram> runs = new Family<>("task", value -> new Histogram(BOUNDS_MILLIS));
  private final Family<LongAdder> submitted = counters("queue");
  private final Histogram commits = new Histogram(BOUNDS_MILLIS);

  /** Stored records by partition and state: partitions come and go. */
  private final AtomicLongArray stored = new AtomicLongArray(Locator.PARTITIONS * STATES);

  private static Family<LongAdder> counters(String label) {
    return new Family<>(label, value -> new LongAdder());
  }

  /** Counts new tasks; neighbours mostly share a queue. */
  void submitted(List<TaskRecord> fresh) {
    int start = 0;
    while (start < fresh.size()) {
      String queue = fresh.get(start).queue;
      int end = start + 1;
      while (end < fresh.size() && queue.equals(fresh.get(end).queue)) {
        end++;
      }
      submitted.of(queue).add(end - start);
      start = end;
    }
  }

  void committed(long startNanos) {
    commits.add((System.nanoTime() - startNanos) / 1e6);
  }

  /** Adds to the number of stored records in a terminal state (negative when they are deleted). */
  void stored(int partition, TaskState state, long more) {
    stored.addAndGet(partition * STATES + state.code(), more);
  }

  /** Forgets the stored records of a partition that has another home now. */
  void forget(int partition) {
    for (int state = 0; state < STATES; state++) {
      stored.set(partition * STATES + state, 0);
    }
  }

  long stored(TaskState state) {
    long sum = 0;
    for (int partition = 0; partition < Locator.PARTITIONS; partition++) {
      sum += stored.get(partition * STATES + state.code());
    }
    return Math.max(0, sum);
  }

  /** Returns {counters, histograms}, each {name: {labels: value}}. */
  Map<String, Object> read() {
    Map<String, Object> counters = new LinkedHashMap<>();
    counters.put("ignitetasks_submitted_total", submitted.read(LongAdder::sum));
    counters.put("ignitetasks_finished_total", finished.read(LongAdder::sum));
    counters.put("ignitetasks_retries_total", retries.read(LongAdder::sum));
    counters.put("ignitetasks_dead_letters_total", deadLetters.read(LongAdder::sum));
    counters.put("ignitetasks_deliveries_total", Map.of(Labels.NONE, deliveries.sum()));
    counters.put("ignitetasks_stale_outcomes_total", Map.of(Labels.NONE, staleOutcomes.sum()));
    counters.put("ignitetasks_expired_records_total", Map.of(Labels.NONE, recordsExpired.sum()));
    counters.put("ignitetasks_timer_errors_total", timerErrors.read(LongAdder::sum));
    Map<String, Object> histograms = new LinkedHashMap<>();
    histograms.put("ignitetasks_wait_seconds", waits.read(Histogram::read));
    histograms.put("ignitetasks_run_seconds", runs.read(Histogram::read));
    histograms.put("ignitetasks_commit_seconds", Map.of(Labels.NONE, commits.read()));
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("counters", counters);
    all.put("histograms", histograms);
    return all;
  }
}
