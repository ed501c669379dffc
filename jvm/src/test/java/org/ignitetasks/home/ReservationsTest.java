package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Reserved ids: one holder each, and no circle of waiting. */
class ReservationsTest {
  @Test
  void repeatedIdsAreNoticed() {
    Reservations reservations = new Reservations();
    assertTrue(reservations.take(List.of("a", "b")));
    reservations.release(List.of("a", "b"));
    assertFalse(reservations.take(List.of("a", "b", "a")));
    reservations.release(List.of("a", "b", "a"));
    assertTrue(reservations.take(List.of("a")));
  }

  @Test
  void noTwoThreadsHoldAnIdAndAllGetTheirTurn() throws InterruptedException {
    Reservations reservations = new Reservations();
    ConcurrentHashMap<String, Thread> holders = new ConcurrentHashMap<>();
    AtomicInteger clashes = new AtomicInteger();
    AtomicInteger turns = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int seed = 0; seed < 6; seed++) {
      Random random = new Random(seed);
      Thread thread =
          new Thread(
              () -> {
                for (int i = 0; i < 500; i++) {
                  List<String> ids =
                      random.ints(3, 0, 8).distinct().mapToObj(n -> "t" + n).toList();
                  reservations.take(ids);
                  for (String id : ids) {
                    if (holders.put(id, Thread.currentThread()) != null) {
                      clashes.incrementAndGet();
                    }
                  }
                  turns.incrementAndGet();
                  ids.forEach(holders::remove);
                  reservations.release(ids);
                }
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join(20_000);
    }
    assertEquals(0, clashes.get());
    assertEquals(3_000, turns.get());
  }
}
