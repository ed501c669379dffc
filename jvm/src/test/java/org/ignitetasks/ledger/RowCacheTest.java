package org.ignitetasks.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.ignitetasks.model.Locator;
import org.ignitetasks.node.TestNodes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowCacheTest {
  private static final String LARGE = "x".repeat(RowCache.LARGEST + 1);

  @TempDir static Path home;
  private static Ignite ignite;

  private IgniteCache<String, byte[]> cache;
  private RowCache rows;

  @BeforeAll
  static void startNode() {
    ignite = TestNodes.embedded(home, "row-cache");
  }

  @AfterAll
  static void stopNode() {
    ignite.close();
  }

  @BeforeEach
  void open() {
    cache = TestNodes.ledger(ignite);
    cache.clear();
    rows = new RowCache(cache, Commit.PLAIN);
  }

  private static String id(int counter) {
    return String.format("01234567-89ab-4cde-8f01-%08x3a5c", counter);
  }

  private static TreeMap<String, byte[]> some(int from, int to, String value) {
    TreeMap<String, byte[]> some = new TreeMap<>();
    for (int counter = from; counter < to; counter++) {
      some.put(id(counter), value == null ? null : value.getBytes());
    }
    return some;
  }

  private String read(String key) {
    byte[] row = rows.read(new TreeSet<>(List.of(key))).get(key);
    return row == null ? null : new String(row);
  }

  private Map<String, String> all() {
    Map<String, String> all = new TreeMap<>();
    for (int partition = 0; partition < Locator.PARTITIONS; partition++) {
      try (Ledger.Walk walk = rows.walk(partition)) {
        while (walk.hasNext()) {
          Map.Entry<String, byte[]> row = walk.next();
          assertNull(all.put(row.getKey(), new String(row.getValue())), "met twice");
        }
      }
    }
    return all;
  }

  @Test
  void neighboursThatComeTogetherAreStoredTogether() {
    TreeMap<String, byte[]> some = some(0, 2 * RowPack.ROWS, "1");
    rows.store(some, some.keySet());
    assertEquals(2, cache.size());
    assertEquals("1", read(id(3)));
    assertEquals(2 * RowPack.ROWS, rows.read(new TreeSet<>(some.keySet())).size());
    assertEquals(some.keySet(), all().keySet());
    // Also where nobody knows whether they are new.
    rows.store(some(1000, 1064, "2"), Set.of());
    assertTrue(cache.size() <= 4);
    assertEquals("2", read(id(1001)));
  }

  @Test
  void fewOrLargeRowsAreStoredAlone() {
    TreeMap<String, byte[]> few = some(0, RowCache.FEWEST - 1, "1");
    rows.store(few, few.keySet());
    TreeMap<String, byte[]> large = some(64, 128, LARGE);
    rows.store(large, large.keySet());
    assertEquals(few.size() + large.size(), cache.size());
    assertEquals("1", new String(cache.get(id(0))));
  }

  @Test
  void aRowStaysWhereItIs() {
    rows.store(some(0, 2, "alone"), Set.of());
    rows.store(some(0, 64, "1"), Set.of());
    assertEquals(3, cache.size());
    assertEquals("1", new String(cache.get(id(0))));
    assertEquals(64, all().size());
    rows.store(some(0, 3, "2"), Set.of());
    assertEquals(3, cache.size());
    assertEquals("2", read(id(1)));
    assertEquals("2", read(id(2)));
    assertFalse(cache.containsKey(id(2)));
  }

  @Test
  void aRowThatGrowsLeavesItsPack() {
    rows.store(some(0, 64, "1"), Set.of());
    rows.store(some(5, 6, LARGE), Set.of());
    assertEquals(2, cache.size());
    assertEquals(LARGE, read(id(5)));
    assertEquals(64, all().size());
    rows.store(some(5, 6, "small"), Set.of());
    assertEquals("small", read(id(5)));
    assertEquals("small", all().get(id(5)));
  }

  @Test
  void aRowThatWasLeavingItsPackAtACrashIsInOnePlaceAgain() {
    rows.store(some(0, 64, "1"), Set.of());
    // As a crash leaves it: alone already, and not yet out of its pack.
    cache.put(id(5), LARGE.getBytes());
    cache.put(id(6), LARGE.getBytes());
    TreeMap<String, byte[]> log = some(5, 6, "shrunk since");
    log.putAll(some(6, 7, LARGE));
    rows.storeAgain(log);
    Map<String, String> all = all();
    assertEquals(64, all.size());
    assertEquals("shrunk since", all.get(id(5)));
    assertEquals("shrunk since", read(id(5)));
    assertEquals(LARGE, all.get(id(6)));
    rows.store(some(0, 64, null), Set.of());
    assertEquals(0, cache.size());
  }

  @Test
  void aPackGoesWithItsLastRow() {
    rows.store(some(0, 64, "1"), Set.of());
    rows.store(some(0, 63, null), Set.of());
    assertEquals(Map.of(id(63), "1"), all());
    rows.store(some(63, 64, null), Set.of());
    assertEquals(0, cache.size());
  }

  @Test
  void randomChangesAgreeWithAMap() {
    Random random = new Random(7);
    TreeMap<String, String> model = new TreeMap<>();
    Set<String> known = new HashSet<>();
    for (int step = 0; step < 600; step++) {
      TreeMap<String, byte[]> change = new TreeMap<>();
      Set<String> absent = new HashSet<>();
      int from = random.nextInt(6 * RowPack.ROWS);
      int length = random.nextInt(3) == 0 ? 1 + random.nextInt(100) : 1 + random.nextInt(4);
      boolean delete = random.nextInt(4) == 0;
      String value = random.nextInt(12) == 0 ? LARGE + step : "v" + step;
      change.putAll(some(from, from + length, delete ? null : value));
      change.put("k" + random.nextInt(20), value.getBytes());
      change.forEach(
          (key, row) -> {
            if (known.add(key)) {
              absent.add(key);
            }
            if (row == null) {
              model.remove(key);
            } else {
              model.put(key, value);
            }
          });
      rows.store(change, random.nextBoolean() ? absent : Set.of());
      String key = id(random.nextInt(6 * RowPack.ROWS));
      assertEquals(model.get(key), read(key));
      if (step % 20 == 0) {
        assertEquals(model, all());
      }
    }
    assertEquals(model, all());
  }
}
