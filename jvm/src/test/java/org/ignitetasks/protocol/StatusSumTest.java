package org.ignitetasks.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The status of several homes as one. */
class StatusSumTest {
  private static Map<String, Object> home(int pending, int running, long oldest) {
    Map<String, Object> queue = new HashMap<>();
    queue.put("name", "default");
    queue.put("pending", pending);
    queue.put("running", running);
    queue.put("oldest_ms", oldest);
    queue.put("workers", 1);
    queue.put("free_slots", 4 - running);
    Map<String, Object> worker = new HashMap<>();
    worker.put("epoch", 17L);
    worker.put("name", "w1");
    worker.put("queues", List.of("default", "mail"));
    worker.put("concurrency", 4);
    worker.put("running", running);
    worker.put("free", 4 - running);
    worker.put("done", 10L);
    worker.put("pid", 4711);
    return Map.of(
        "queues", List.of(queue),
        "workers", List.of(worker),
        "states", Map.of("PENDING", (long) pending, "SUCCESS", 5L));
  }

  @Test
  @SuppressWarnings("unchecked")
  void whatRunsAddsUpAndWhatIsFreeFollowsFromIt() {
    Map<String, Object> all = StatusSum.of(List.of(home(3, 1, 50), home(4, 2, 900)));
    Map<String, Object> worker = ((List<Map<String, Object>>) all.get("workers")).get(0);
    assertEquals(3L, worker.get("running"));
    assertEquals(1L, worker.get("free"), "of four slots, three run for one home or the other");
    assertEquals(20L, worker.get("done"));
    assertEquals(4711, worker.get("pid"));
    Map<String, Object> queue = ((List<Map<String, Object>>) all.get("queues")).get(0);
    assertEquals(7L, queue.get("pending"));
    assertEquals(900L, queue.get("oldest_ms"));
    assertEquals(1L, queue.get("workers"), "one worker, known to both");
    assertEquals(1L, queue.get("free_slots"));
    assertEquals(Map.of("PENDING", 7L, "SUCCESS", 10L), all.get("states"));
  }

  @Test
  void countersAndHistogramsAddUp() {
    Map<String, Object> one =
        Map.of(
            "counters",
            Map.of("c", Map.of("", 3L, "q=\"x\"", 1L)),
            "histograms",
            histogram(List.of(1L, 2L, 3L), 7.5, 6L));
    Map<String, Object> sum = StatusSum.metrics(List.of(one, one, Map.of()));
    assertEquals(Map.of("c", Map.of("", 6L, "q=\"x\"", 2L)), sum.get("counters"));
    assertEquals(histogram(List.of(2L, 4L, 6L), 15.0, 12L), sum.get("histograms"));
  }

  private static Map<String, Object> histogram(List<Long> counts, double sumMillis, long count) {
    Map<String, Object> bins =
        Map.of(
            "bounds_ms", List.of(1.0, 5.0), "counts", counts, "sum_ms", sumMillis, "count", count);
    return Map.of("h", Map.of("", bins));
  }
}
