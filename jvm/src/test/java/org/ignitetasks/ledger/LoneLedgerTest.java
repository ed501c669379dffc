package org.ignitetasks.ledger;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.node.TestNodes;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoneLedgerTest {
  @TempDir static Path home;
  private static Ignite ignite;

  @TempDir Path dir;
  private final AtomicBoolean held = new AtomicBoolean();
  private final AtomicInteger awaits = new AtomicInteger();
  private IgniteCache<String, byte[]> cache;
  private LoneLedger ledger;

  /** A cache that takes nothing while the test holds it. */
  private final Commit base =
      new Commit() {
        @Override
        public void write(Runnable change) {
          if (held.get()) {
            throw new IgniteException("held by the test");
          }
          change.run();
        }

        @Override
        public void await() {
          awaits.incrementAndGet();
        }
      };

  @BeforeAll
  static void startNode() {
    ignite = TestNodes.embedded(home, "lone-ledger");
  }

  @AfterAll
  static void stopNode() {
    ignite.close();
  }

  @BeforeEach
  void open() {
    cache = TestNodes.ledger(ignite);
    cache.clear();
    reopen();
  }

  @AfterEach
  void close() {
    held.set(false);
    ledger.close();
  }

  private void reopen() {
    ledger = new LoneLedger(ignite, cache, base, new CommitLog(dir, false, 3, 1 << 16, () -> {}));
  }

  private void crash() {
    Crash.of(ledger);
    held.set(false);
    reopen();
  }

  private static TreeMap<String, byte[]> rows(Object... pairs) {
    TreeMap<String, byte[]> rows = new TreeMap<>();
    for (int i = 0; i < pairs.length; i += 2) {
      rows.put((String) pairs[i], ((String) pairs[i + 1]).getBytes());
    }
    return rows;
  }

  private void write(Object... pairs) {
    ledger.write(rows(pairs));
    ledger.awaitDurable();
  }

  private String read(String key) {
    byte[] row = ledger.read(new TreeSet<>(List.of(key))).get(key);
    return row == null ? null : new String(row);
  }

  private Map<String, String> all() {
    Map<String, String> all = new TreeMap<>();
    for (int partition : ledger.primaryPartitions()) {
      try (Ledger.Walk walk = ledger.walk(partition)) {
        while (walk.hasNext()) {
          Map.Entry<String, byte[]> row = walk.next();
          assertNull(all.put(row.getKey(), new String(row.getValue())), "met twice");
        }
      }
    }
    return all;
  }

  @Test
  void aRowIsReadBeforeItIsInTheCacheAndAfterwards() {
    held.set(true);
    write("a", "1", "b", "2");
    assertEquals(0, cache.size());
    assertEquals("1", read("a"));
    assertEquals(Map.of("a", "1", "b", "2"), all());
    held.set(false);
    ledger.awaitCache();
    assertEquals("1", new String(cache.get("a")));
    assertEquals("2", read("b"));
    assertEquals(Map.of("a", "1", "b", "2"), all());
  }

  @Test
  void aRowThatIsGoneIsNotMetAlthoughTheCacheHasIt() {
    write("a", "1", "b", "2");
    ledger.awaitCache();
    held.set(true);
    ledger.delete(new TreeSet<>(List.of("a")));
    write("c", "3");
    assertNull(read("a"));
    assertEquals(Map.of("b", "2", "c", "3"), all());
    assertEquals(2, cache.size());
    held.set(false);
    ledger.awaitCache();
    assertEquals(Map.of("b", "2", "c", "3"), all());
    assertFalse(cache.containsKey("a"));
  }

  @Test
  void aCrashBeforeTheCacheHasItLosesNothing() {
    held.set(true);
    write("a", "1", "b", "1");
    write("a", "2");
    ledger.delete(new TreeSet<>(List.of("b")));
    ledger.awaitDurable();
    crash();
    assertArrayEquals("2".getBytes(), cache.get("a"));
    assertFalse(cache.containsKey("b"));
    crash();
    assertEquals(Map.of("a", "2"), all());
  }

  @Test
  void oneChangeIsThereWholeOrNotAtAll() {
    held.set(true);
    write("a", "1");
    // Never awaited: a crash may take it, but then all of it.
    ledger.write(rows("a", "2", "b", "2", "c", "2"));
    assertEquals("2", read("b"));
    crash();
    assertEquals(Map.of("a", "1"), all());
  }

  @Test
  void manyChangesOfARowAreOneInTheCache() {
    AtomicInteger puts = new AtomicInteger();
    ledger.close();
    Commit counting =
        new Commit() {
          @Override
          public void write(Runnable change) {
            puts.incrementAndGet();
            change.run();
          }

          @Override
          public void await() {}
        };
    ledger =
        new LoneLedger(ignite, cache, counting, new CommitLog(dir, false, 3, 1 << 16, () -> {}));
    int before = puts.get();
    for (int i = 0; i < 20; i++) {
      write("a", "" + i);
    }
    ledger.awaitCache();
    assertEquals("19", new String(cache.get("a")));
    assertTrue(puts.get() - before < 20, "each change was put: " + puts.get());
  }

  @Test
  void aLogThatIsFullGoesOnAsSoonAsTheCacheHasWhatIsInIt() {
    String value = "x".repeat(1000);
    for (int i = 0; i < 500; i++) {
      write("k" + i % 50, value + i);
    }
    assertTrue(awaits.get() > 0, "no file was used again");
    crash();
    Map<String, String> all = all();
    assertEquals(50, all.size());
    IntStream.range(450, 500).forEach(i -> assertEquals(value + i, all.get("k" + i % 50)));
  }

  @Test
  void aCacheThatStaysAwaySlowsWritersDownAndTheySayWhy() {
    held.set(true);
    TasksException e =
        assertThrows(
            TasksException.class,
            () -> {
              // Larger than the log's files: nothing waits there, the heap's share fills.
              for (int i = 0; i < 100; i++) {
                ledger.write(rows("k" + i, "x".repeat(1 << 20)));
              }
            });
    assertEquals(TasksException.Code.UNAVAILABLE, e.code());
    held.set(false);
    ledger.awaitCache();
    write("after", "1");
    assertEquals("1", read("after"));
  }

  @Test
  void afterItsEndItRefuses() {
    write("a", "1");
    ledger.close();
    assertThrows(TasksException.class, () -> ledger.write(rows("a", "2")));
    reopen();
    assertEquals(Map.of("a", "1"), all());
  }

  @Test
  void randomChangesAndCrashesAgreeWithAMap() {
    Random random = new Random(11);
    TreeMap<String, String> model = new TreeMap<>();
    for (int life = 0; life < 12; life++) {
      held.set(random.nextBoolean());
      for (int step = 0; step < 150; step++) {
        List<Object> pairs = new ArrayList<>();
        for (int i = random.nextInt(4); i >= 0; i--) {
          pairs.add("k" + random.nextInt(30));
          pairs.add("v" + life + "." + step);
        }
        if (random.nextInt(4) == 0) {
          String key = (String) pairs.get(0);
          ledger.delete(new TreeSet<>(List.of(key)));
          model.remove(key);
        } else {
          ledger.write(rows(pairs.toArray()));
          for (int i = 0; i < pairs.size(); i += 2) {
            model.put((String) pairs.get(i), (String) pairs.get(i + 1));
          }
        }
        if (random.nextInt(10) == 0) {
          assertEquals(model, all());
        }
        String key = "k" + random.nextInt(30);
        assertEquals(model.get(key), read(key));
      }
      ledger.awaitDurable();
      crash();
      assertEquals(model, all());
    }
  }

  @Test
  void whatIsKnownToBeNewIsNotTakenToBeSoAfterAFailure() {
    AtomicBoolean half = new AtomicBoolean(true);
    ledger.close();
    Commit failing =
        new Commit() {
          @Override
          public void write(Runnable change) {
            change.run();
            if (half.getAndSet(false)) {
              throw new IgniteException("failed by the test, after the change");
            }
          }

          @Override
          public void await() {}
        };
    half.set(false);
    ledger =
        new LoneLedger(ignite, cache, failing, new CommitLog(dir, false, 3, 1 << 16, () -> {}));
    half.set(true);
    TreeMap<String, byte[]> few = counted(0, 4, "1");
    ledger.write(few, few.keySet());
    ledger.awaitDurable();
    TreeMap<String, byte[]> more = counted(4, 64, "1");
    ledger.write(more, more.keySet());
    ledger.awaitDurable();
    ledger.awaitCache();
    assertFalse(half.get());
    assertEquals(64, all().size());
    ledger.write(counted(0, 64, "2"));
    ledger.awaitDurable();
    ledger.awaitCache();
    assertEquals(Set.of("2"), new HashSet<>(all().values()));
    assertEquals(64, all().size());
  }

  private static TreeMap<String, byte[]> counted(int from, int to, String value) {
    TreeMap<String, byte[]> rows = new TreeMap<>();
    for (int counter = from; counter < to; counter++) {
      rows.put(
          String.format("01234567-89ab-4cde-8f01-%08x3a5c", counter),
          value == null ? null : value.getBytes());
    }
    return rows;
  }

  @Test
  void countedRowsThatComeInAnyWayAgreeWithAMap() {
    Random random = new Random(23);
    TreeMap<String, String> model = new TreeMap<>();
    Set<String> known = new HashSet<>();
    for (int life = 0; life < 10; life++) {
      held.set(random.nextInt(3) == 0);
      for (int step = 0; step < 60; step++) {
        int from = random.nextInt(200);
        TreeMap<String, byte[]> rows = counted(from, from + 1 + random.nextInt(40), "v" + step);
        Set<String> absent = new HashSet<>(rows.keySet());
        absent.removeAll(known);
        known.addAll(rows.keySet());
        if (random.nextInt(4) == 0) {
          ledger.delete(new TreeSet<>(rows.keySet()));
          rows.keySet().forEach(model::remove);
        } else {
          ledger.write(rows, absent);
          int now = step;
          rows.keySet().forEach(key -> model.put(key, "v" + now));
        }
        if (random.nextInt(10) == 0) {
          assertEquals(model, all());
        }
        if (random.nextInt(10) == 0 && !held.get()) {
          ledger.awaitDurable();
          ledger.awaitCache();
        }
        String key = counted(random.nextInt(240), 240, "").firstKey();
        assertEquals(model.get(key), read(key));
      }
      ledger.awaitDurable();
      crash();
      assertEquals(model, all());
    }
  }
}
