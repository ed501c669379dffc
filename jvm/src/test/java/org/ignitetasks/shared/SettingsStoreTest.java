package org.ignitetasks.shared;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.ignitetasks.model.Locator;
import org.ignitetasks.node.TestNodes;
import org.ignitetasks.protocol.Repeats;
import org.ignitetasks.protocol.SettingsApi;
import org.ignitetasks.protocol.SettingsApi.Put;
import org.ignitetasks.protocol.SettingsApi.Setting;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The settings on a real node: versions, compare-and-set, lists, time to live, restart. */
class SettingsStoreTest {
  private static final String CACHE = "ignitetasks-default-settings";

  @TempDir static Path dir;
  private static Ignite ignite;
  private static SettingsStore store;

  @BeforeAll
  static void start() {
    ignite = TestNodes.embedded(dir, "settings-node");
    store = new SettingsStore(ignite, () -> ignite.cache(CACHE), new Repeats(5_000));
  }

  @AfterAll
  static void stop() {
    Ignition.stop("settings-node", true);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static Put put(String key, String value, long expected) {
    return store.put("b", key, value == null ? null : bytes(value), expected, 0, null);
  }

  @Test
  void aChangeNeedsTheVersionThatIsThere() {
    assertNull(store.get("b", "cas"));
    Put first = put("cas", "one", 0);
    assertTrue(first.done() && first.version() > 0);
    assertEquals(new Put(false, first.version()), put("cas", "other", 0));
    Put second = put("cas", "two", first.version());
    assertTrue(second.done() && second.version() > first.version());
    assertFalse(put("cas", "three", first.version()).done());
    assertArrayEquals(bytes("two"), store.get("b", "cas").value());
    assertTrue(put("cas", "any", SettingsApi.ANY).done());
  }

  @Test
  void versionsGrowAlsoAcrossADeletion() {
    Put first = put("gone", "one", 0);
    assertEquals(new Put(true, 0), put("gone", null, first.version()));
    assertNull(store.get("b", "gone"));
    Put second = put("gone", "two", 0);
    assertTrue(second.version() > first.version());
    assertFalse(put("gone", "three", first.version()).done());
  }

  @Test
  void aChangeThatIsRepeatedIsDoneOnce() {
    byte[] token = bytes("mine");
    Put first = store.put("b", "again", bytes("one"), 0, 0, token);
    assertEquals(first, store.put("b", "again", bytes("one"), 0, 0, token));
    assertFalse(store.put("b", "again", bytes("one"), 0, 0, bytes("other")).done());
  }

  @Test
  void aListIsSortedAndGoesOnAfterAKey() {
    List.of("a3", "a1", "b1", "a2").forEach(key -> store.put("l", key, bytes(key), -1, 0, null));
    store.put("l2", "a0", bytes("x"), -1, 0, null);
    assertEquals(List.of("a1", "a2", "a3"), keys(store.list("l", "a", null, 10)));
    assertEquals(List.of("a1", "a2"), keys(store.list("l", "a", null, 2)));
    assertEquals(List.of("a3", "b1"), keys(store.list("l", "", "a2", 10)));
    assertEquals(List.of(), store.list("l", "", "b1", 10));
    assertArrayEquals(bytes("a2"), store.list("l", "a2", null, 1).get(0).value());
  }

  private static List<String> keys(List<Setting> settings) {
    return settings.stream().map(Setting::key).toList();
  }

  @Test
  void whatIsPastItsTimeIsAbsentAndSwept() throws InterruptedException {
    Put brief = store.put("t", "brief", bytes("x"), -1, 1, null);
    store.put("t", "long", bytes("x"), -1, 600_000, null);
    while (store.get("t", "brief") != null) {
      Thread.onSpinWait();
    }
    assertEquals(List.of("long"), keys(store.list("t", "", null, 10)));
    assertFalse(store.put("t", "brief", bytes("y"), brief.version(), 0, null).done());
    assertNotNull(ignite.<String, byte[]>cache(CACHE).get("t/brief"));
    assertEquals(1, store.sweep(IntStream.range(0, Locator.PARTITIONS).toArray()));
    assertNull(ignite.<String, byte[]>cache(CACHE).get("t/brief"));
    assertNotNull(store.get("t", "long"));
  }

  @Test
  void ofManyAtOnceEachChangeCounts() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    Callable<Void> adder =
        () -> {
          for (int done = 0; done < 50; ) {
            Setting old = store.get("b", "count");
            long number = old == null ? 0 : Long.parseLong(new String(old.value()));
            Put put = put("count", String.valueOf(number + 1), old == null ? 0 : old.version());
            done += put.done() ? 1 : 0;
          }
          return null;
        };
    List<Future<Void>> adding = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      adding.add(threads.submit(adder));
    }
    for (Future<Void> one : adding) {
      one.get();
    }
    threads.shutdown();
    assertEquals("200", new String(store.get("b", "count").value()));
  }
}
