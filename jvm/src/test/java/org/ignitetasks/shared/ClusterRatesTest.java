package org.ignitetasks.shared;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.ignitetasks.model.Rate;
import org.ignitetasks.node.TestNodes;
import org.ignitetasks.protocol.Repeats;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Buckets on a real node: homes that draw at once, a home that comes anew, limits as stored. */
class ClusterRatesTest {
  private static final String CACHE = "ignitetasks-default-settings";

  @TempDir static Path dir;
  private static SettingsStore store;
  private final AtomicLong clock = new AtomicLong(1_700_000_000_000L);
  private final ClusterRates rates = new ClusterRates(store, clock::get);

  @BeforeAll
  static void start() {
    Ignite ignite = TestNodes.embedded(dir, "rates-node");
    store = new SettingsStore(ignite, () -> ignite.cache(CACHE), new Repeats(5_000));
  }

  @AfterAll
  static void stop() {
    Ignition.stop("rates-node", true);
  }

  @Test
  void homesThatDrawAtOnceShareOneBucket() throws Exception {
    Rate rate = Rate.parse("1000/s");
    ExecutorService homes = Executors.newFixedThreadPool(4);
    try {
      List<Future<Integer>> all = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Callable<Integer> home =
            () -> {
              ClusterRates own = new ClusterRates(store, clock::get);
              int got = 0;
              for (int step = 0; step < 50; step++) {
                got += own.draw("shared", rate, 2).count();
              }
              return got;
            };
        all.add(homes.submit(home));
      }
      int sum = 0;
      for (Future<Integer> one : all) {
        sum += one.get();
      }
      assertEquals(rate.burst(), sum);
    } finally {
      homes.shutdown();
    }
  }

  @Test
  void anHourlyRateOutlivesTheHome() {
    Rate rate = Rate.parse("1/h");
    assertEquals(1, rates.draw("hourly", rate, 1).count());
    ClusterRates again = new ClusterRates(store, clock::get);
    clock.addAndGet(3_590_000);
    Rate.Draw refused = again.draw("hourly", rate, 1);
    assertEquals(0, refused.count());
    assertTrue(refused.nextMicros() / 1000 > clock.get());
    clock.addAndGet(10_000);
    assertEquals(1, again.draw("hourly", rate, 1).count());
  }

  @Test
  void aFasterRateIsNotHeldUpByTheSlowerOneBefore() {
    assertEquals(1, rates.draw("changed", Rate.parse("1/h"), 1).count());
    Rate fast = Rate.parse("10/s");
    Rate.Draw first = rates.draw("changed", fast, 1);
    assertEquals(0, first.count());
    clock.addAndGet(100);
    assertEquals(1, rates.draw("changed", fast, 1).count());
  }

  @Test
  void limitsAreReadAsStored() {
    store.put(ClusterRates.LIMITS, "a", "10/m".getBytes(StandardCharsets.UTF_8), -1, 0, null);
    store.put(ClusterRates.LIMITS, "b", new byte[0], -1, 0, null);
    assertEquals(Map.of("a", "10/m", "b", ""), rates.overrides());
  }
}
