package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;
import org.junit.jupiter.api.Test;

/** A home that knows only what the ledger and the workers say. */
class HomeRebuildTest extends HomeTestBase {
  private static List<TaskRecord> counted(int from, int count) {
    List<TaskRecord> records = new ArrayList<>();
    long created = System.currentTimeMillis() - 1_000 + from;
    for (int i = from; i < from + count; i++) {
      TaskRecord r = Make.record(String.format("3f2b8c1e-0d4a-4b6c-8a9e-%08xf1d3", i));
      r.createdMillis = created;
      records.add(r);
    }
    return records;
  }

  @Test
  void theOrderIsWhatItWas() {
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      TaskRecord r = Make.record("t" + (char) ('z' - i % 20) + i);
      r.createdMillis = 1_000 + i;
      r.priority = i % 4 == 0 ? 9 : 0;
      submit(r);
      expected.add(r.id);
    }
    expected.sort((a, b) -> Integer.compare(info(b).priority, info(a).priority));
    restart();
    worker(1, 100);
    assertEquals(expected, runAll(1));
    checkMemory();
  }

  @Test
  void sheetsAndRowsMakeOneOrder() {
    home.submit(counted(0, 600), CLIENT, false);
    worker(1, 5);
    List<Delivery> first = workers.take(1);
    complete(1, success(first.get(0)), plain(first.get(1), Outcome.LOST));
    restart();
    assertEquals(599, number("PENDING"));
    assertEquals(1, number("SUCCESS"));
    worker(2, 7);
    List<String> ran = runAll(2);
    assertEquals(
        counted(1, 599).stream().map(r -> r.id).toList(), ran, "each of the others, in order");
    restart();
    assertEquals(600, number("SUCCESS"));
    assertEquals(0, number("PENDING"));
    checkMemory();
  }

  @Test
  void aFinishedSheetGoesAndItsTasksStayEnded() {
    home.submit(counted(0, 512), CLIENT, false);
    worker(1, 1_000);
    runAll(1);
    assertEquals(513, rowCount(), "the sheet and a row each");
    String some = counted(7, 1).get(0).id;
    home.forget(List.of(some));
    assertEquals(null, state(some));
    restart();
    worker(2, 10);
    assertEquals(List.of(), runAll(2), "forgotten while its sheet was there: it is not run again");
    start();
    waitFor("the sheet goes", () -> rowCount() == 512);
    stopTimers();
    home.forget(counted(0, 512).stream().map(r -> r.id).toList());
    restart();
    worker(3, 10);
    assertEquals(List.of(), runAll(3));
    assertEquals(0, number("SUCCESS"));
  }

  @Test
  void delayedTasksStayDelayed() {
    TaskRecord later = Make.record("later");
    later.etaMillis = System.currentTimeMillis() + 60_000;
    TaskRecord soon = Make.record("soon");
    soon.etaMillis = System.currentTimeMillis() + 300;
    submit(later, soon);
    restart();
    assertEquals(2, number("DELAYED"));
    worker(1, 5);
    assertEquals(List.of(), workers.take(1));
    start();
    waitFor("due", () -> FakeWorkers.ids(workers.take(1)).equals(List.of("soon")));
    assertTrue(System.currentTimeMillis() >= soon.etaMillis, "not early");
    aheadMillis.set(61_000);
    waitFor("due", () -> FakeWorkers.ids(workers.take(1)).equals(List.of("later")));
  }

  @Test
  void deadLettersAndNumbersAreFoundAgain() {
    for (int i = 0; i < 3; i++) {
      TaskRecord r = Make.record("dead" + i);
      r.maxDeliveries = 1;
      submit(r);
    }
    submit(Make.record("ok"));
    worker(1, 4);
    List<Delivery> all = workers.take(1);
    for (Delivery d : all.subList(0, 2)) {
      complete(1, plain(d, Outcome.LOST));
    }
    Outcome reject =
        new Outcome("dead2", all.get(2).fence(), 3, null, false, 0, "Reject", null, false);
    complete(1, reject, success(all.get(3)));
    restart();
    assertEquals(2, number("DEAD"));
    assertEquals(1, number("REJECTED"));
    assertEquals(1, number("SUCCESS"));
    assertEquals(3, home.deadList(10).size());
    assertEquals(3, home.deadRetry(null));
    worker(2, 10);
    assertEquals(3, runAll(2).size());
  }

  @Test
  void whatAWorkerStillRunsIsAdoptedWithItsFence() {
    submit(Make.record("a"), Make.record("b"));
    worker(1, 2);
    final List<Delivery> both = workers.take(1);
    workers.held.add(new WorkerApi.Running(1, "a", both.get(0).fence()));
    restart();
    assertEquals(1, number("RUNNING"));
    home.complete(1, List.of(success(both.get(1))));
    assertEquals(TaskState.PENDING, state("b"), "nobody said that it runs: its fence is stale");
    home.complete(1, List.of(success(both.get(0))));
    assertEquals(TaskState.SUCCESS, state("a"));
    worker(1, 5);
    Delivery again = workers.take(1).get(0);
    assertEquals("b", again.record().id);
    assertTrue(again.fence() > both.get(1).fence());
    complete(1, success(again));
    checkMemory();
  }

  @Test
  void ofTwoStragglersTheLaterLeaseCounts() {
    submit(Make.record("a"));
    worker(1, 1);
    Delivery first = workers.take(1).get(0);
    complete(1, plain(first, Outcome.LOST));
    worker(2, 1);
    Delivery second = workers.take(2).get(0);
    workers.held.add(new WorkerApi.Running(2, "a", second.fence()));
    workers.held.add(new WorkerApi.Running(1, "a", first.fence()));
    restart();
    complete(1, success(first));
    assertEquals(TaskState.PENDING, state("a"));
    complete(2, success(second));
    assertEquals(TaskState.SUCCESS, state("a"));
  }

  @Test
  void anAdoptedLeaseWhoseWorkerNeverComesIsAnOrphan() {
    submit(Make.record("a"));
    worker(77, 1);
    workers.held.add(new WorkerApi.Running(77, "a", workers.take(77).get(0).fence()));
    restart();
    assertEquals(1, number("RUNNING"));
    synchronized (home.home.lock) {
      home.home.state.leases().forEach(e -> e.leasedNanos -= 20_000_000_000L);
    }
    start();
    worker(2, 1);
    waitFor("it runs elsewhere", () -> FakeWorkers.ids(workers.take(2)).equals(List.of("a")));
  }

  @Test
  void aStartOnRecordThatNobodyRunsIsALostStart() {
    submit(Make.record("a"));
    TaskRecord early = Make.record("early");
    early.flags = TaskFlags.EARLY_ACK;
    submit(early);
    TaskRecord tracked = Make.record("tracked");
    tracked.flags = TaskFlags.TRACK_STARTED;
    submit(tracked);
    worker(1, 3);
    List<Delivery> all = workers.take(1);
    complete(1, plain(all.get(2), Outcome.STARTED));
    synchronized (home.home.lock) {
      home.home.state.leases().forEach(e -> e.leasedNanos -= 5_000_000_000L);
    }
    start();
    waitFor("on record", () -> record("a").fence == all.get(0).fence());
    restart();
    assertEquals(1, info("a").workerLosses);
    assertEquals(TaskState.PENDING, state("a"));
    assertEquals(TaskState.FAILURE, state("early"), "at most once");
    assertEquals(1, info("tracked").workerLosses);
    worker(2, 5);
    assertEquals(List.of("a", "tracked"), runAll(2));
  }

  private TaskRecord record(String id) {
    return home.home.store.read(List.of(id)).get(id);
  }

  @Test
  void aRebuildThatFailsIsDoneAgainAsIfItHadNotBeen() {
    home.submit(counted(0, 50), CLIENT, false);
    TaskRecord dead = Make.record("dead");
    dead.maxDeliveries = 1;
    submit(dead);
    synchronized (home.home.lock) {
      home.home.state.drain(null, 50, e -> !e.id.equals("dead")).forEach(home.home::unpark);
    }
    worker(1, 1);
    complete(1, plain(workers.take(1).get(0), Outcome.LOST));
    home.own(new int[0], 900_000);
    assertEquals(0, number("DEAD"));
    faults.once("read");
    assertThrows(TasksException.class, this::ownAll);
    assertThrows(TasksException.class, () -> submit(Make.record("b")), "not its home yet");
    ownAll();
    ownAll();
    assertEquals(1, number("DEAD"));
    assertEquals(50, number("PENDING"));
    checkMemory();
    home.credits(1, 100);
    assertEquals(50, workers.take(1).size());
  }

  @Test
  void aLostStartThatCannotBeWrittenDoesNotStopTheRebuild() {
    submit(Make.record("a"));
    TaskRecord row = record("a");
    row.fence = 5;
    home.home.store.write(List.of(row));
    faults.once("write");
    restart();
    assertEquals(1, number("RUNNING"));
    submit(Make.record("b"));
    synchronized (home.home.lock) {
      home.home.state.leases().forEach(e -> e.leasedNanos -= 20_000_000_000L);
    }
    start();
    waitFor("made good", () -> number("PENDING") == 2);
    worker(1, 5);
    assertEquals(List.of("a", "b"), FakeWorkers.ids(workers.take(1)));
  }

  @Test
  void partitionsGivenUpAndGainedAgainHoldEachTaskOnce() {
    home.submit(counted(0, 100), CLIENT, false);
    for (int i = 0; i < 50; i++) {
      submit(Make.record("x" + i));
    }
    worker(1, 3);
    final List<Delivery> running = workers.take(1);
    int[] none = {};
    int[] some = IntStream.range(0, 32).toArray();
    long epoch = 2_000_000;
    for (int[] partitions : List.of(some, none, some, some, none)) {
      home.own(partitions, epoch++);
      checkMemory();
      synchronized (home.home.lock) {
        for (Entry entry : Make.waiting(home.home.state)) {
          assertTrue(Locator.partition(entry.id) < 32);
        }
      }
    }
    home.own(IntStream.range(0, 64).toArray(), epoch);
    assertEquals(150, number("PENDING"), "nobody said that it runs any");
    running.forEach(d -> complete(1, success(d)));
    assertEquals(0, number("SUCCESS"), "fences of before are stale");
    assertEquals(150, runAll(1).size());
    assertEquals(150, number("SUCCESS"));
    checkMemory();
  }

  @Test
  void anAnswerThatCrossesTheLossOfThePartitionPutsNothingBack() {
    submit(Make.record("a"));
    worker(1, 1);
    Delivery d = workers.take(1).get(0);
    Entry claimed;
    synchronized (home.home.lock) {
      claimed = home.home.state.completing("a", d.fence());
    }
    home.own(new int[0], 3_000_000);
    ownAll();
    synchronized (home.home.lock) {
      assertEquals(false, home.home.state.requeueCold(claimed, 0));
    }
    checkMemory();
    assertEquals(List.of("a"), runAll(1));
  }

  @Test
  void aMillionRecordsAreNotAllKeptOnTheHeap() {
    List<TaskRecord> large = counted(0, 1_000);
    large.forEach(r -> r.body = new byte[60_000]);
    for (int from = 0; from < 1_000; from += 100) {
      home.submit(large.subList(from, from + 100), CLIENT, false);
    }
    assertTrue(home.home.hotBytes() <= HomeContext.HOT_BYTES);
    restart();
    assertTrue(home.home.hotBytes() <= HomeContext.HOT_BYTES);
    checkMemory();
    worker(1, 50);
    assertEquals(1_000, runAll(1).size());
    assertEquals(0, home.home.hotBytes());
  }
}
