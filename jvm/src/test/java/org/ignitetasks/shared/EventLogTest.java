package org.ignitetasks.shared;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.node.TestNodes;
import org.ignitetasks.protocol.EventsApi;
import org.ignitetasks.protocol.EventsApi.Event;
import org.ignitetasks.protocol.EventsApi.Page;
import org.ignitetasks.protocol.Repeats;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The event feed on a real node: order, cursors, long polls, limits, repeats, restart. */
class EventLogTest {
  private static final EventStore.Limits SMALL = new EventStore.Limits(100, 1 << 20, 3_600_000);

  @TempDir static Path dir;
  private static Ignite ignite;
  private EventLog log;

  @BeforeAll
  static void start() {
    ignite = TestNodes.embedded(dir, "events-node");
  }

  @AfterAll
  static void stop() {
    Ignition.stop("events-node", true);
  }

  private static IgniteCache<String, byte[]> cache() {
    return ignite.cache("ignitetasks-default-events");
  }

  private static EventStore store(EventStore.Limits limits) {
    return new EventStore(ignite, EventLogTest::cache, Runnable::run, limits);
  }

  @BeforeEach
  void open() {
    cache().clear();
    log = new EventLog(ignite, store(SMALL), new Repeats(5_000));
  }

  @AfterEach
  void close() {
    log.close();
  }

  private static List<byte[]> events(int from, int to) {
    return IntStream.range(from, to)
        .mapToObj(i -> ("e" + i).getBytes(StandardCharsets.UTF_8))
        .toList();
  }

  private static List<Long> places(Page page) {
    return page.events().stream().map(Event::seq).toList();
  }

  private static List<Long> range(long from, long to) {
    return LongStream.rangeClosed(from, to).boxed().toList();
  }

  @Test
  void eventsAreReadInTheirOrderFromAnyPlace() {
    assertEquals(new Page(0, List.of(), 0), log.read(0, 10, 0));
    log.append(events(1, 41), false);
    log.append(events(41, 43), false);
    Page all = log.read(0, 1_000, 0);
    assertEquals(range(1, 42), places(all));
    assertEquals(42, all.cursor());
    for (Event event : all.events()) {
      assertEquals("e" + event.seq(), new String(event.body(), StandardCharsets.UTF_8));
    }
    assertEquals(range(31, 35), places(log.read(30, 5, 0)));
    assertEquals(new Page(42, List.of(), 0), log.read(42, 5, 0));
    assertEquals(42, log.read(EventsApi.NOW, 5, 0).cursor());
    assertThrows(TasksException.class, () -> log.read(43, 5, 0));
  }

  @Test
  void aReaderWaitsForWhatComes() throws Exception {
    log.append(events(1, 2), false);
    CompletableFuture<Page> reading =
        CompletableFuture.supplyAsync(() -> log.read(EventsApi.NOW, 10, 20_000));
    CompletableFuture<Page> later = CompletableFuture.supplyAsync(() -> log.read(1, 10, 20_000));
    // As long as either waits: a reader of what comes may begin after everything so far.
    while (!later.isDone() || !reading.isDone()) {
      log.append(events(2, 3), false);
    }
    assertEquals(2, later.get().events().get(0).seq());
    assertTrue(reading.get(20, TimeUnit.SECONDS).events().get(0).seq() >= 2);
  }

  @Test
  void aReaderIsLetGoWhenTheNodeStops() throws Exception {
    CompletableFuture<Page> reading = CompletableFuture.supplyAsync(() -> log.read(0, 10, 60_000));
    log.close();
    assertEquals(List.of(), reading.get(20, TimeUnit.SECONDS).events());
  }

  @Test
  void theOldestGoWhenThereAreTooMany() {
    for (int i = 1; i <= 500; i += 10) {
      log.append(events(i, i + 10), false);
    }
    Page kept = log.read(0, 1_000, 0);
    assertEquals(500, kept.cursor());
    assertTrue(kept.events().size() <= 100 && kept.events().size() > 100 - 2 * EventPages.SIZE);
    assertEquals(0, kept.dropped());
    long oldest = kept.events().get(0).seq();
    Page late = log.read(7, 1, 0);
    assertEquals(oldest, late.events().get(0).seq());
    assertEquals(oldest - 8, late.dropped());
    // Head and pages: nothing of what went is left in the cache.
    assertTrue(cache().size() <= 2 + 100 / EventPages.SIZE + 1);
  }

  @Test
  void theOldestGoWhenTheyAreTooLargeTogetherOrTooOld() throws InterruptedException {
    EventStore narrow = store(new EventStore.Limits(1_000, 40_000, 3_600_000));
    for (int i = 0; i < 100; i++) {
      narrow.append(List.of(new byte[1_000]), 0, place -> {});
    }
    assertTrue(narrow.head().bytes() <= 40_000 + EventPages.SIZE * 1_000L);
    EventStore brief = store(new EventStore.Limits(1_000, 1 << 20, 1));
    Thread.sleep(5);
    assertTrue(!brief.trim());
    // The newest page stays: it is still being written to.
    assertEquals(EventPages.pageOf(brief.head().next()), brief.head().oldestPage());
  }

  @Test
  void anAppendThatIsRepeatedIsThereOnce() {
    EventStore store = store(SMALL);
    long[] place = {0};
    store.append(events(1, 4), 0, at -> place[0] = at);
    assertEquals(1, place[0]);
    store.append(events(9, 10), 0, at -> {});
    store.append(events(1, 4), place[0], at -> place[0] = at);
    assertEquals(5, store.head().next());
    // One that did not happen is done: another's events are at its place.
    store.append(events(20, 22), 4, at -> place[0] = at);
    assertEquals(5, place[0]);
    assertEquals(7, store.head().next());
  }

  @Test
  void aCallThatComesAgainIsTakenOnceWhoeverTakesIt() {
    log.append(events(1, 4), false);
    log.append(events(1, 4), true);
    assertEquals(range(1, 3), places(log.read(0, 100, 0)));
    // Many others have written meanwhile, and another node is asked.
    for (int i = 10; i < 90; i++) {
      log.append(events(i, i + 1), false);
    }
    EventLog other = new EventLog(ignite, store(SMALL), new Repeats(5_000));
    other.append(events(1, 4), true);
    assertEquals(83, log.read(EventsApi.NOW, 1, 0).cursor());
    // One that has not been done is done.
    other.append(events(200, 202), true);
    other.append(events(200, 202), true);
    assertEquals(85, log.read(EventsApi.NOW, 1, 0).cursor());
    other.close();
  }

  @Test
  void aCallThatComesAgainWhileTheFirstWaitsIsTakenOnce() {
    List<CompletableFuture<Void>> calls = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int from = 10 * (i / 2);
      boolean repeated = i % 2 == 1;
      if (!repeated) {
        log.offer(events(from, from + 2));
      } else {
        calls.add(CompletableFuture.runAsync(() -> log.append(events(from, from + 2), true)));
      }
    }
    calls.forEach(CompletableFuture::join);
    assertEquals(20, log.read(EventsApi.NOW, 1, 0).cursor());
  }

  @Test
  void manyWritersMakeOneOrderWithoutGaps() {
    EventLog other =
        new EventLog(
            ignite, store(new EventStore.Limits(10_000, 1 << 20, 3_600_000)), new Repeats(5_000));
    EventLog wide =
        new EventLog(
            ignite, store(new EventStore.Limits(10_000, 1 << 20, 3_600_000)), new Repeats(5_000));
    List<CompletableFuture<Void>> writers = new ArrayList<>();
    for (int writer = 0; writer < 4; writer++) {
      EventLog mine = writer % 2 == 0 ? other : wide;
      int from = writer * 1_000;
      writers.add(
          CompletableFuture.runAsync(
              () -> {
                for (int i = 0; i < 100; i++) {
                  mine.append(events(from + i, from + i + 1), false);
                  mine.offer(events(9_000, 9_001));
                }
              }));
    }
    writers.forEach(CompletableFuture::join);
    wide.append(events(1, 2), false);
    other.append(events(1, 2), false);
    Page all = wide.read(0, 10_000, 0);
    assertEquals(range(1, 802), places(all));
    other.close();
    wide.close();
  }

  @Test
  void whatIsTooLargeIsDroppedAndCounted() {
    log.offer(List.of(new byte[EventsApi.MAX_EVENT + 1], new byte[] {5}));
    log.append(events(1, 2), false);
    assertEquals(1, log.dropped());
    assertArrayEquals(new byte[] {5}, log.read(0, 10, 0).events().get(0).body());
  }
}
