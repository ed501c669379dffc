package org.ignitetasks.worker;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.ignitetasks.protocol.Labels;
import org.ignitetasks.protocol.Outcome;

/**
 * What the lane counts, under the names Prometheus gets it by. Thread-safe.
 *
 * <p>Durations of runs are not here: the home has them, with what it made of the outcome.
 */
final class LaneMetrics {
  private static final String[] KINDS = {"success", "failure", "retry", "reject", "ignore"};

  private final Map<String, LongAdder[]> runs = Labels.map();
  private final Map<String, LongAdder> deaths = Labels.map();
  private final Map<String, LongAdder> givenBack = Labels.map();

  /** Counts one run of a task that ended by a child's own word. */
  void ran(String task, int kind) {
    if (kind >= Outcome.SUCCESS && kind <= Outcome.IGNORE) {
      Labels.series(runs, task, name -> adders())[kind].increment();
    }
  }

  private static LongAdder[] adders() {
    LongAdder[] kinds = new LongAdder[KINDS.length];
    for (int i = 0; i < kinds.length; i++) {
      kinds[i] = new LongAdder();
    }
    return kinds;
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

  /** Returns {counters, gauges}, each {name: {labels: number}}. */
  Map<String, Object> snapshot(Map<String, Object> gauges) {
    Map<String, Object> tasks = new HashMap<>();
    runs.forEach(
        (task, kinds) -> {
          for (int kind = 0; kind < KINDS.length; kind++) {
            long count = kinds[kind].sum();
            if (count > 0) {
              tasks.put(Labels.of("task", task) + "," + Labels.of("outcome", KINDS[kind]), count);
            }
          }
        });
    Map<String, Object> counters = new HashMap<>();
    counters.put("ignitetasks_lane_runs_total", tasks);
    counters.put("ignitetasks_lane_child_deaths_total", labelled(deaths));
    counters.put("ignitetasks_lane_given_back_total", labelled(givenBack));
    return Map.of("counters", counters, "gauges", gauges);
  }

  private static Map<String, Object> labelled(Map<String, LongAdder> adders) {
    Map<String, Object> values = new HashMap<>();
    adders.forEach((reason, adder) -> values.put(Labels.of("reason", reason), adder.sum()));
    return values;
  }
}
