package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.SettleTask;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;

/** What time does to tasks and results, and what an operator sees and clears away. */
class HomeSweepTest extends HomeTestBase {
  private static final long HOUR = 3_600_000;

  @Test
  void aResultExpiresLeavesAMarkerAndIsGone() {
    submit(Make.record("a"));
    worker(1, 1);
    runAll(1);
    start();
    aheadMillis.set(HOUR + 1_000);
    waitFor("expired", () -> info("a").expired);
    waitFor("counted", () -> number("SUCCESS") == 0);
    assertEquals(List.of("a"), home.watch(List.of("a"), CLIENT).expired());
    assertEquals(0, home.forget(List.of("a")));
    aheadMillis.set(2 * HOUR + 2_000);
    waitFor("gone", () -> info("a") == null);
    assertEquals(0, rowCount(), "storage returns to where it was");
  }

  @Test
  void anExpiredIdMayBeUsedAgainAndTheMarkersEndDoesNotTakeTheNewTask() {
    TaskRecord r = Make.record("a");
    r.flags = TaskFlags.CHECK_EXISTS;
    submit(r.copy());
    worker(1, 1);
    runAll(1);
    start();
    aheadMillis.set(HOUR + 1_000);
    waitFor("expired", () -> info("a").expired);
    submit(r.copy());
    aheadMillis.set(3 * HOUR);
    submit(Make.record("other"));
    assertEquals(List.of("a", "other"), runAll(1));
    assertEquals(TaskState.SUCCESS, state("a"));
  }

  /** Lets a sweeper look at the ledger, then changes it under the sweeper's eyes. */
  private void sweepWhileItChanges(String id) throws InterruptedException {
    HomeContext context = home.home;
    context.reservations.take(List.of(id));
    Thread sweeper =
        new Thread(
            () -> new Sweeper(context, new Operations(context, new DoubtSettler(context))).run());
    sweeper.start();
    waitFor("it has looked", () -> sweeper.getState() == Thread.State.WAITING);
    context.store.write(List.of(Make.record(id)));
    context.reservations.release(List.of(id));
    sweeper.join(10_000);
    assertEquals(TaskState.PENDING, state(id), "what waits now is left alone");
  }

  @Test
  void whatComesToLifeBetweenTheSweepersLookAndItsWriteStays() throws InterruptedException {
    submit(Make.record("a"));
    worker(1, 1);
    runAll(1);
    aheadMillis.set(HOUR + 1_000);
    sweepWhileItChanges("a");
    TaskRecord marker = new TaskRecord();
    marker.id = "b";
    marker.expired = true;
    marker.finishedMillis = 1;
    home.home.store.write(List.of(marker));
    home.home.due.lookAgain(Locator.partition("b"));
    sweepWhileItChanges("b");
  }

  @Test
  void aTaskThatExpiresWhileItWaitsIsNotRun() {
    TaskRecord r = Make.record("a");
    r.expiresMillis = System.currentTimeMillis() + 10_000;
    TaskRecord delayed = Make.record("b");
    delayed.expiresMillis = r.expiresMillis;
    delayed.etaMillis = r.expiresMillis + 5_000;
    submit(r, delayed, Make.record("c"));
    start();
    aheadMillis.set(20_000);
    waitFor("expired", () -> number("REVOKED") == 2);
    assertEquals(TaskState.REVOKED, state("a"));
    assertEquals(Failures.EXPIRED, info("b").errorType);
    worker(1, 5);
    assertEquals(List.of("c"), runAll(1));
    waitFor("told", () -> gateways.told(CLIENT).size() == 3);
  }

  @Test
  void aTaskThatIsLateWhenItIsSentEndsAndFreesTheSlotAtOnce() {
    for (int i = 0; i < 5; i++) {
      TaskRecord r = Make.record("late" + i);
      r.expiresMillis = System.currentTimeMillis() + 1_000;
      submit(r);
    }
    submit(Make.record("b"));
    aheadMillis.set(2_000);
    worker(1, 1);
    assertEquals(List.of("b"), FakeWorkers.ids(workers.take(1)));
    assertEquals(5, number("REVOKED"));
    checkMemory();
  }

  @Test
  void aTaskNobodyKnowsFailsAndSaysSo() {
    submit(Make.record("a", "strange", "default", 0), Make.record("b"));
    home.workerJoined(Make.worker(1, List.of("default"), List.of("add", SettleTask.NAME)));
    home.credits(1, 1);
    start();
    waitFor("failed", () -> number("FAILURE") == 1);
    assertEquals(Failures.NOT_REGISTERED, info("a").errorType);
    // It is counted before anybody is told of it.
    waitFor("told", () -> gateways.told(CLIENT).size() == 1);
    List<String> ran = new ArrayList<>();
    waitFor("both", () -> ran.addAll(runAll(1)) && ran.size() >= 2);
    assertEquals("b", ran.get(0));
    assertEquals(2, ran.size(), "a worker is told of it, though none has asked to hear of ends");
  }

  @Test
  void aWorkerWithoutTheCodeGivesTheTaskToOneThatHasIt() {
    submit(Make.record("a"));
    worker(1, 1);
    Delivery d = workers.take(1).get(0);
    complete(1, plain(d, Outcome.NOT_REGISTERED));
    home.credits(1, 5);
    assertEquals(0, workers.take(1).size(), "it is not asked again");
    worker(2, 1);
    assertEquals(List.of("a"), runAll(2));
  }

  @Test
  void aSilentWorkerLosesItsTasks() {
    submit(Make.record("a"));
    worker(1, 1);
    assertEquals(1, workers.take(1).size());
    synchronized (home.home.lock) {
      home.home.state.worker(1).heardNanos -= 11_000_000_000L;
    }
    start();
    waitFor("taken away", () -> number("PENDING") == 1);
    worker(2, 1);
    assertEquals(List.of("a"), runAll(2));
    assertEquals(
        TasksException.Code.NOT_FOUND,
        Assertions.assertThrows(TasksException.class, () -> home.credits(1, 1)).code());
  }

  @Test
  void scanReturnsEachTaskOnceInPages() {
    Set<String> ids = new HashSet<>();
    List<TaskRecord> sheet = new ArrayList<>();
    long created = System.currentTimeMillis();
    for (int i = 0; i < 100; i++) {
      TaskRecord r = Make.record(String.format("3f2b8c1e-0d4a-4b6c-8a9e-%08xf1d3", i));
      r.createdMillis = created;
      sheet.add(r);
      ids.add(r.id);
    }
    home.submit(sheet, CLIENT, false);
    worker(1, 3);
    workers.take(1).forEach(d -> complete(1, success(d)));
    for (int i = 0; i < 137; i++) {
      submit(Make.record("t" + i));
      ids.add("t" + i);
    }
    List<String> seen = new ArrayList<>();
    String cursor = null;
    do {
      HomeApi.ScanPage page = home.scan(cursor, 20);
      for (TaskRecord r : page.rows()) {
        seen.add(r.id);
        assertNull(r.body);
        assertNull(r.payload);
      }
      cursor = page.cursor();
    } while (cursor != null);
    assertEquals(ids.size(), seen.size(), "none twice");
    assertEquals(ids, new HashSet<>(seen));
    Assertions.assertThrows(TasksException.class, () -> home.scan("nonsense", 5));
  }

  @Test
  void purgeTakesOneQueueOrAll() {
    submit(
        Make.record("a"),
        Make.record("x1", "add", "other", 0),
        Make.record("x2", "add", "other", 3));
    TaskRecord later = Make.record("x3", "add", "other", 0);
    later.etaMillis = System.currentTimeMillis() + HOUR;
    submit(later);
    assertEquals(3, home.purge("other"));
    assertEquals(TaskState.REVOKED, state("x3"));
    assertTrue(new String(info("x1").payload).contains("from queue other"));
    assertEquals(1, home.purge(null));
    assertEquals(4, number("REVOKED"));
  }

  @Test
  void theNumbersOfStatusAreTrue() {
    submit(Make.record("a"), Make.record("b"), Make.record("c"));
    TaskRecord later = Make.record("later");
    later.etaMillis = System.currentTimeMillis() + HOUR;
    submit(later);
    worker(1, 1);
    assertEquals(2, number("PENDING"));
    assertEquals(1, number("DELAYED"));
    assertEquals(1, number("RUNNING"));
    complete(1, success(workers.take(1).get(0)));
    assertEquals(1, number("SUCCESS"));
    assertEquals(0, number("RUNNING"));
    home.forget(List.of("a"));
    assertEquals(0, number("SUCCESS"));
    assertNotNull(home.metrics().get("counters"));
  }

  @Test
  void moreWaitThanAreSearchedAndARevokeStillHolds() {
    // Above the limit ids are only marked: forced here by hand, the limit is large.
    submit(Make.record("a"), Make.record("b"));
    HomeContext context = home.home;
    synchronized (context.lock) {
      context.state.revokedWaiting("a");
    }
    worker(1, 5);
    assertEquals(List.of("b"), runAll(1));
    assertEquals(0, context.hotBytes());
    checkMemory();
  }

  @Test
  void workerLossesDoNotMakeDeadLettersSoon() {
    submit(Make.record("a"));
    for (int epoch = 1; epoch < 20; epoch++) {
      worker(epoch, 1);
      complete(epoch, plain(workers.take(epoch).get(0), Outcome.STARTED));
      home.workerLeft(epoch);
    }
    assertEquals(TaskState.PENDING, state("a"));
    worker(20, 1);
    complete(20, plain(workers.take(20).get(0), Outcome.STARTED));
    home.workerLeft(20);
    assertEquals(TaskState.DEAD, state("a"));
  }

  @Test
  void aTaskThatOnlyWaitedForAChildIsNotToBlameForItsWorkersEnd() {
    submit(Make.record("a"));
    for (int epoch = 1; epoch <= 2 * Outcomes.MAX_WORKER_LOSSES; epoch++) {
      worker(epoch, 1);
      assertEquals(1, workers.take(epoch).size());
      home.workerLeft(epoch);
    }
    assertEquals(0, info("a").workerLosses);
    worker(100, 1);
    assertEquals(List.of("a"), runAll(100));
  }

  @Test
  void aPoisonousTaskIsADeadLetterAtItsLimit() {
    submit(Make.record("a"));
    worker(1, 1);
    for (int i = 0; i < 3; i++) {
      home.credits(1, 1);
      complete(1, plain(workers.take(1).get(0), Outcome.LOST));
    }
    assertEquals(TaskState.DEAD, state("a"));
    assertEquals(3, info("a").deliveries);
    home.credits(1, 1);
    assertEquals(0, workers.take(1).size());
  }
}
