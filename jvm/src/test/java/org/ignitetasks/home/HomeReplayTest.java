package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.Test;

/**
 * Every step of a task's life replayed: the second time changes neither the ledger nor the order.
 */
class HomeReplayTest extends HomeTestBase {
  /** Returns all that is stored, readable. */
  private Map<String, String> stored() {
    Map<String, String> all = new TreeMap<>();
    for (Map.Entry<String, byte[]> row : allRows().entrySet()) {
      all.put(row.getKey(), java.util.HexFormat.of().formatHex(row.getValue()));
    }
    return all;
  }

  private String status() {
    // All but what time alone changes.
    return home.status().toString().replaceAll("oldest_ms=\\d+", "");
  }

  private void twice(Runnable step) {
    step.run();
    final Map<String, String> once = stored();
    final String status = status();
    final int told = gateways.told(CLIENT).size();
    step.run();
    assertEquals(once, stored());
    assertEquals(status, status());
    assertEquals(told, gateways.told(CLIENT).size(), "told again");
    checkMemory();
  }

  private Delivery running(TaskRecord r) {
    submit(r);
    worker(1, 1);
    return workers.take(1).get(0);
  }

  private static TaskRecord record(String id) {
    TaskRecord r = Make.record(id);
    r.fingerprint = new byte[] {1};
    return r;
  }

  @Test
  void submit() {
    TaskRecord r = record("a");
    twice(() -> home.submit(List.of(r.copy()), CLIENT, true));
    worker(1, 5);
    assertEquals(List.of("a"), runAll(1));
    twice(() -> home.submit(List.of(r.copy()), CLIENT, true));
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void everyOutcome() {
    Outcome.Retry soon = new Outcome.Retry(0, null, false, null, -1, -1);
    for (int kind = Outcome.SUCCESS; kind <= Outcome.NOT_REGISTERED; kind++) {
      int which = kind;
      String id = "t" + kind;
      TaskRecord r = record(id);
      r.flags = TaskFlags.TRACK_STARTED;
      submit(r);
      long epoch = 10 + kind;
      home.workerJoined(Make.worker(epoch, List.of("default"), List.of("add")));
      home.credits(epoch, 1);
      Delivery d = workers.take(epoch).get(0);
      assertEquals(id, d.record().id);
      Outcome outcome =
          new Outcome(
              id,
              d.fence(),
              which,
              new byte[] {'m', 1},
              false,
              7,
              "E",
              which == Outcome.RETRY ? soon : null,
              false);
      twice(() -> complete(epoch, outcome));
      home.revoke(List.of(id), true, "KILL");
      home.workerLeft(epoch);
    }
  }

  @Test
  void revoke() {
    submit(record("a"));
    twice(() -> assertArrayEquals(new int[] {5}, home.revoke(List.of("a"), false, null)));
    assertEquals(TaskState.REVOKED, state("a"));
    Delivery d = running(record("b"));
    twice(() -> assertArrayEquals(new int[] {5}, home.revoke(List.of("b"), true, "TERM")));
    assertEquals(new FakeWorkers.Kill(1, "b", d.fence(), "TERM"), workers.kills.get(0));
    complete(1, success(d));
    assertEquals(TaskState.REVOKED, state("b"), "its result comes too late");
    twice(() -> assertArrayEquals(new int[] {-1}, home.revoke(List.of("nobody"), true, "TERM")));
    assertArrayEquals(new int[] {5, -1, 5}, home.revoke(List.of("a", "nobody", "a"), false, null));
  }

  @Test
  void aTaskRevokedWhileItRunsEndsByItselfOrNotAtAll() {
    Delivery d = running(record("a"));
    assertArrayEquals(new int[] {0}, home.revoke(List.of("a"), false, null));
    assertNull(workers.kills.get(0).signal(), "only if it has not started");
    complete(1, plain(d, Outcome.GIVE_BACK));
    assertEquals(TaskState.REVOKED, state("a"), "it does not run another time");
    assertEquals(List.of(), runAll(1));
    Delivery e = running(record("b"));
    home.revoke(List.of("b"), false, null);
    complete(1, success(e));
    assertEquals(TaskState.SUCCESS, state("b"));
  }

  @Test
  void workerLeft() {
    complete(1, plain(running(record("a")), Outcome.STARTED));
    twice(() -> home.workerLeft(1));
    assertEquals(1, info("a").workerLosses);
    assertEquals(0, info("a").deliveries);
    worker(2, 5);
    assertEquals(List.of("a"), runAll(2));
  }

  @Test
  void deadRetryAndDeadDrop() {
    TaskRecord r = record("a");
    r.maxDeliveries = 1;
    Delivery d = running(r);
    complete(1, plain(d, Outcome.LOST));
    assertEquals(TaskState.DEAD, state("a"));
    assertEquals("a", home.deadList(10).get(0).id);
    AtomicInteger revived = new AtomicInteger();
    twice(() -> revived.addAndGet(home.deadRetry(List.of("a"))));
    assertEquals(1, revived.get());
    assertEquals(0, number("DEAD"));
    home.credits(1, 1);
    d = workers.take(1).get(0);
    assertEquals(0, d.record().deliveries, "it has all its chances again");
    complete(1, plain(d, Outcome.LOST));
    assertEquals(1, number("DEAD"));
    AtomicInteger dropped = new AtomicInteger();
    twice(() -> dropped.addAndGet(home.deadDrop(null)));
    assertEquals(1, dropped.get());
    assertNull(info("a"));
    assertEquals(0, number("DEAD"));
  }

  @Test
  void whoIsToldOfAnEndFindsItInTheDeadLettersAndTheCounts() {
    TaskRecord r = record("a");
    r.maxDeliveries = 1;
    Delivery d = running(r);
    List<Integer> found = new ArrayList<>();
    gateways.heard =
        () -> {
          found.add(home.deadList(10).size());
          found.add((int) number("DEAD"));
        };
    complete(1, plain(d, Outcome.LOST));
    assertEquals(List.of(1, 1), found);
  }

  @Test
  void twoDeadRetriesAtOnceRunATaskOnce() throws InterruptedException {
    for (int i = 0; i < 20; i++) {
      TaskRecord r = record("t" + i);
      r.maxDeliveries = 1;
      submit(r);
    }
    worker(1, 100);
    for (Delivery d : workers.take(1)) {
      complete(1, plain(d, Outcome.LOST));
    }
    AtomicInteger revived = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 4; t++) {
      Thread thread = new Thread(() -> revived.addAndGet(home.deadRetry(null)));
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join(10_000);
    }
    assertEquals(20, revived.get());
    assertEquals(20, runAll(1).size());
    checkMemory();
  }

  @Test
  void forgetAndPurge() {
    submit(record("a"), record("b"), record("c"));
    worker(1, 1);
    Delivery a = workers.take(1).get(0);
    complete(1, success(a));
    AtomicInteger forgotten = new AtomicInteger();
    twice(() -> forgotten.addAndGet(home.forget(List.of("a", "b", "nobody"))));
    assertEquals(1, forgotten.get(), "b waits: it is not forgotten");
    assertNull(info("a"));
    AtomicInteger purged = new AtomicInteger();
    twice(() -> purged.addAndGet(home.purge("default")));
    assertEquals(2, purged.get());
    assertEquals(TaskState.REVOKED, state("c"));
    assertEquals(Failures.REVOKED, info("c").errorType);
    assertEquals(0, home.purge(null));
  }

  @Test
  void rebuild() {
    TaskRecord dead = record("dead");
    dead.maxDeliveries = 1;
    complete(1, plain(running(dead), Outcome.LOST));
    submit(record("a"), record("b"));
    home.own(java.util.stream.IntStream.range(0, 64).toArray(), 500);
    twice(this::ownAll);
    twice(this::restart);
    assertEquals(1, number("DEAD"));
    assertEquals(2, number("PENDING"));
    worker(2, 5);
    assertEquals(List.of("a", "b"), runAll(2));
    assertTrue(home.deadList(5).size() == 1);
  }

  @Test
  void blobsGoWithTheTasksThatNamedThem() {
    TaskRecord r = record("a");
    r.flags = TaskFlags.BODY_REF;
    r.body = ref("a/a");
    Delivery d = running(r);
    Outcome.Retry change = new Outcome.Retry(0, ref("a/b1"), true, null, -1, -1);
    complete(1, new Outcome("a", d.fence(), Outcome.RETRY, null, false, 1, "E", change, false));
    assertEquals("a/a", home.home.nextBlobToDrop());
    home.credits(1, 1);
    d = workers.take(1).get(0);
    complete(
        1, new Outcome("a", d.fence(), Outcome.SUCCESS, ref("a/r9"), true, 1, null, null, false));
    assertEquals("a/b1", home.home.nextBlobToDrop());
    assertNull(home.home.nextBlobToDrop());
    home.forget(List.of("a"));
    assertEquals("a/r9", home.home.nextBlobToDrop());
  }

  private static byte[] ref(String id) {
    try (var packer = org.msgpack.core.MessagePack.newDefaultBufferPacker()) {
      packer.packArrayHeader(3).packString(id).packInt(100).packInt(7);
      return packer.toByteArray();
    } catch (java.io.IOException e) {
      throw new AssertionError(e);
    }
  }
}
