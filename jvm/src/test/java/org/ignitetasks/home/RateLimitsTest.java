package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.Rate;
import org.ignitetasks.protocol.WorkerInfo;
import org.junit.jupiter.api.Test;

/** Rates within the order of a home, by lists of events. Time is whatever the test says. */
class RateLimitsTest {
  private final QueueState state = new QueueState(10_000 * Make.MILLI, 2_000 * Make.MILLI, e -> {});
  private long full;

  private void worker(long epoch, int free, Map<String, String> limits) {
    WorkerInfo plain = Make.worker(epoch, List.of("default"), List.of("add", "slow"));
    state.workerJoined(
        new WorkerInfo(
            epoch,
            plain.node(),
            plain.name(),
            plain.host(),
            plain.pid(),
            plain.queues(),
            plain.tasks(),
            4,
            "prefork",
            1_000,
            limits,
            false),
        0);
    assertTrue(state.credits(epoch, free, 0));
  }

  private void submit(String id, String task, int priority) {
    state.submitted(Make.entry(id, task, "default", priority), 0);
  }

  /** Dispatches and draws as a home does, and returns what is then outbound. */
  private List<String> sent(long nowMillis) {
    state.dispatch(nowMillis, nowMillis * Make.MILLI);
    List<RateLimits.Ask> asks = state.asks();
    while (!asks.isEmpty()) {
      for (RateLimits.Ask ask : asks) {
        Rate.Draw draw = ask.rate().draw(full, nowMillis * 1000, ask.rate().burst());
        full = draw.fullMicros();
        state.drawn(ask, draw.count(), draw.nextMicros() / 1000 + 1);
      }
      state.dispatch(nowMillis, nowMillis * Make.MILLI);
      asks = state.asks();
    }
    List<String> ids = new ArrayList<>();
    for (WorkerSlots worker : state.workers()) {
      for (Entry entry : worker.takeOutbound(1000)) {
        entry.sent = true;
        ids.add(entry.id);
      }
    }
    return ids;
  }

  @Test
  void aLimitedTaskWaitsForItsRateAndHoldsUpNoOther() {
    worker(1, 100, Map.of("slow", "1/s"));
    submit("s1", "slow", 9);
    submit("s2", "slow", 9);
    submit("s3", "slow", 9);
    submit("a1", "add", 0);
    submit("a2", "add", 0);
    assertEquals(List.of("s1", "a1", "a2"), sent(1_000));
    assertEquals(97, state.worker(1).free, "waiting takes no slot");
    assertEquals(List.of(), sent(1_500));
    long wake = state.nextWakeMillis();
    assertTrue(wake >= 1_980 && wake <= 1_982, "wakes in time: " + wake);
    assertEquals(List.of("s2"), sent(wake));
    assertEquals(List.of("s3"), sent(9_000));
    assertEquals(Long.MAX_VALUE, state.nextWakeMillis());
  }

  @Test
  void orderStaysByPriorityThenArrival() {
    worker(1, 100, Map.of("slow", "1/s"));
    submit("low1", "slow", 0);
    submit("low2", "slow", 0);
    submit("high1", "slow", 200);
    List<String> order = new ArrayList<>();
    for (long now = 1_000; order.size() < 5; now += 1_100) {
      order.addAll(sent(now));
      if (order.size() == 1) {
        submit("high2", "slow", 200);
        submit("low3", "slow", 0);
      }
    }
    assertEquals(List.of("high1", "high2", "low1", "low2", "low3"), order);
  }

  @Test
  void twoWorkersShareOneRate() {
    worker(1, 10, Map.of("slow", "2/s"));
    worker(2, 10, Map.of("slow", "2/s"));
    for (int i = 0; i < 30; i++) {
      submit("s" + i, "slow", 0);
    }
    int count = 0;
    for (long now = 1_000; now <= 11_000; now += 10) {
      count += sent(now).size();
    }
    assertTrue(count >= 19 && count <= 21, "started in 10 s: " + count);
  }

  @Test
  void withoutCreditNothingIsDrawn() {
    worker(1, 0, Map.of("slow", "1/s"));
    submit("s1", "slow", 0);
    assertEquals(List.of(), sent(1_000));
    assertEquals(0, full, "no start was taken from the bucket");
    assertEquals(Long.MAX_VALUE, state.nextWakeMillis(), "nothing to wake for");
    state.credits(1, 1, 0);
    assertEquals(List.of("s1"), sent(1_000));
  }

  @Test
  void whatDidNotStartIsNotCounted() {
    worker(1, 10, Map.of("slow", "1/h"));
    submit("s1", "slow", 0);
    submit("s2", "slow", 0);
    assertEquals(List.of("s1"), sent(1_000));
    Entry entry = state.lease("s1");
    state.completing("s1", entry.fence);
    state.ended(entry);
    state.unsent(state.worker(1), List.of("slow"));
    assertEquals(List.of("s2"), sent(1_001));
  }

  @Test
  void whatCameBackUnstartedIsNotCounted() {
    worker(1, 10, Map.of("slow", "1/h"));
    submit("s1", "slow", 0);
    submit("s2", "slow", 0);
    assertEquals(List.of("s1"), sent(1_000));
    Entry entry = state.lease("s1");
    state.completing("s1", entry.fence);
    state.notStarted(entry);
    assertTrue(state.requeueCold(entry, 1_001));
    assertEquals(List.of("s1"), sent(1_001));
  }

  @Test
  void limitsSetAtRunTimeWinAndCanBeLifted() {
    worker(1, 100, Map.of("slow", "1/h"));
    for (int i = 0; i < 5; i++) {
      submit("s" + i, "slow", 0);
    }
    assertEquals(1, sent(1_000).size());
    Map<String, Rate> faster = new HashMap<>();
    faster.put("slow", Rate.parse("1/s"));
    state.rateOverrides(faster);
    assertEquals(List.of(), sent(1_100), "the bucket is empty for one interval of the new rate");
    assertEquals(List.of("s1"), sent(2_200));
    Map<String, Rate> none = new HashMap<>();
    none.put("slow", null);
    state.rateOverrides(none);
    assertEquals(List.of("s2", "s3", "s4"), sent(2_201));
    state.rateOverrides(Map.of());
    assertEquals(Map.of("slow", 3_600_000_000L), state.rateLimits());
    state.workerLeft(1, 0);
    assertEquals(Map.of(), state.rateLimits());
  }

  @Test
  void theStrictestOfTwoReleasesCounts() {
    worker(1, 1, Map.of("slow", "10/s"));
    worker(2, 1, Map.of("slow", "10/m"));
    assertEquals(Map.of("slow", 6_000_000L), state.rateLimits());
  }

  @Test
  void aHundredThousandThatWaitCostNothingATick() {
    worker(1, 100, Map.of("slow", "1/h"));
    for (int i = 0; i < 100_000; i++) {
      submit("s" + i, "slow", i % 256);
    }
    for (int i = 0; i < 10; i++) {
      submit("a" + i, "add", 0);
    }
    assertEquals(11, sent(1_000).size());
    long start = System.nanoTime();
    for (int tick = 0; tick < 10_000; tick++) {
      assertEquals(List.of(), sent(1_001));
    }
    long micros = (System.nanoTime() - start) / 10_000 / 1_000;
    assertTrue(micros < 100, "one tick took " + micros + " us");
    assertEquals(99_999, state.waiting());
  }
}
