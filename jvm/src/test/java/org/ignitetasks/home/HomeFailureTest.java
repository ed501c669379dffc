package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.Test;

/**
 * A storage that fails before a change, or after it with an error for an answer: whichever it was,
 * each task ends exactly once and nobody is told of an end that is not durable.
 */
class HomeFailureTest extends HomeTestBase {
  private static final List<String> POINTS = List.of("write", "write done");

  private static TasksException fails(Runnable step) {
    TasksException e = assertThrows(TasksException.class, step::run);
    assertEquals(TasksException.Code.UNAVAILABLE, e.code());
    return e;
  }

  private static List<TaskRecord> counted(int from, int count) {
    List<TaskRecord> records = new ArrayList<>();
    long created = System.currentTimeMillis();
    for (int i = from; i < from + count; i++) {
      TaskRecord r = Make.record(String.format("3f2b8c1e-0d4a-4b6c-8a9e-%08xf1d3", i));
      r.createdMillis = created;
      records.add(r);
    }
    return records;
  }

  private Delivery running(String id) {
    submit(Make.record(id));
    worker(1, 1);
    return workers.take(1).get(0);
  }

  private void endedOnce(String id, TaskState state) {
    assertEquals(state, state(id));
    assertEquals(1, gateways.told(CLIENT).stream().filter(c -> c.id().equals(id)).count());
    checkMemory();
  }

  @Test
  void aSubmitWhoseOutcomeIsOpenIsSettledByItsRepeat() {
    for (String point : POINTS) {
      freshHome();
      faults.once(point);
      fails(() -> home.submit(counted(0, 20), CLIENT, false));
      int created = home.submit(counted(0, 20), CLIENT, true).created();
      assertEquals(point.equals("write") ? 20 : 0, created);
      worker(1, 100);
      assertEquals(20, runAll(1).size(), point);
      home.home.doubts.ids(100).forEach(id -> assertEquals("", id));
      checkMemory();
    }
  }

  @Test
  void aSubmitWhoseOutcomeIsOpenIsSettledWithoutTheClient() {
    for (String point : POINTS) {
      freshHome();
      worker(1, 100);
      faults.once(point);
      fails(() -> home.submit(counted(512, 30), CLIENT, false));
      assertEquals(0, workers.take(1).size());
      start();
      waitFor("settled", () -> home.home.doubts.ids(1).isEmpty());
      home.credits(1, 100);
      int expected = point.equals("write") ? 0 : 30;
      List<Delivery> got = new ArrayList<>();
      waitFor("runs", () -> got.addAll(workers.take(1)) | got.size() == expected);
      for (Delivery d : got) {
        complete(1, success(d));
      }
      assertEquals(expected, number("SUCCESS"), point);
      stopTimers();
      restart();
      worker(2, 100);
      assertEquals(List.of(), runAll(2), "nor does a restart run anything again");
    }
  }

  @Test
  void aSubmitOfWhichOneTaskWasRevokedBeforeLosesNoneOfTheOthers() {
    int first = 0;
    for (String point : POINTS) {
      for (int number = 1; number <= 3; number++) {
        freshHome();
        first += 1024;
        List<TaskRecord> records = counted(first, 12);
        String early = records.get(5).id;
        home.revoke(List.of(early), false, null);
        faults.once(point, number);
        int tries = 0;
        for (boolean done = false; !done; tries++) {
          try {
            home.submit(counted(first, 12), CLIENT, tries > 0);
            done = true;
          } catch (TasksException e) {
            assertTrue(e.code().retryable());
          }
        }
        faults.none();
        assertEquals(number < 3 ? 2 : 1, tries, "a submit writes the end and the rest");
        worker(1, 100);
        assertEquals(11, runAll(1).size(), point + " " + number);
        for (TaskRecord r : records) {
          endedOnce(r.id, r.id.equals(early) ? TaskState.REVOKED : TaskState.SUCCESS);
        }
      }
    }
  }

  @Test
  void aDoubtThatCannotBeReadStaysOne() {
    faults.once("write done");
    fails(() -> submit(Make.record("a")));
    faults.always("settle");
    fails(() -> home.submit(List.of(Make.record("a")), CLIENT, true));
    assertEquals(List.of("a"), home.home.doubts.ids(10));
    faults.none();
    home.submit(List.of(Make.record("a")), CLIENT, true);
    worker(1, 1);
    assertEquals(List.of("a"), runAll(1));
  }

  /** Returns a delivery on a fresh home whose success could not be written. */
  private Delivery successThatFailsAt(String point, String id) {
    freshHome();
    Delivery d = running(id);
    faults.once(point);
    fails(() -> complete(1, success(d)));
    return d;
  }

  @Test
  void anOutcomeThatCouldNotBeWrittenComesAgain() {
    for (String point : POINTS) {
      String id = "a-" + point;
      Delivery d = successThatFailsAt(point, id);
      assertEquals(0, told(id), "not told before it is sure");
      complete(1, success(d));
      endedOnce(id, TaskState.SUCCESS);
      assertEquals(1, number("SUCCESS"));
    }
  }

  /** Returns an id that is back in the order although the write of its end may have happened. */
  private String endThatFailsAt(String point, boolean hot, int number) {
    freshHome();
    TaskRecord r = Make.record("a-" + point + hot + number);
    r.expiresMillis = System.currentTimeMillis() + 60_000;
    submit(r);
    aheadMillis.set(120_000);
    faults.once(point);
    worker(1, 1);
    aheadMillis.set(0);
    assertEquals(0, workers.take(1).size(), "it is too late to run it");
    synchronized (home.home.lock) {
      Entry entry = Make.waiting(home.home.state).get(0);
      assertTrue(entry.unsure);
      if (!hot) {
        home.home.unpark(entry);
        entry.record = null;
      }
    }
    assertEquals(0, told(r.id), "not told before it is sure");
    return r.id;
  }

  @Test
  void anEndThatWasWrittenAfterAllIsToldByWhoeverFindsIt() {
    List<Consumer<String>> finders =
        List.of(
            id -> home.revoke(List.of(id), false, null),
            id -> home.revoke(List.of(id), true, "KILL"),
            id -> home.purge("default"),
            id -> home.credits(1, 1),
            id -> {
              synchronized (home.home.lock) {
                home.home.state.credits(1, 1, home.home.nowNanos());
                home.home.state.dispatch(home.home.nowMillis(), home.home.nowNanos());
              }
              home.revoke(List.of(id), false, null);
            });
    for (String point : POINTS) {
      for (boolean hot : new boolean[] {true, false}) {
        for (int i = 0; i < finders.size(); i++) {
          String id = endThatFailsAt(point, hot, i);
          finders.get(i).accept(id);
          runAll(1);
          boolean ran = point.equals("write") && i == 3;
          endedOnce(id, ran ? TaskState.SUCCESS : TaskState.REVOKED);
          assertEquals(1, number(ran ? "SUCCESS" : "REVOKED"), point + " " + hot + " " + i);
          assertEquals(0, open());
        }
      }
    }
  }

  private long told(String id) {
    return gateways.told(CLIENT).stream().filter(c -> c.id().equals(id)).count();
  }

  @Test
  void aLostWorkerDoesNotUndoAnEndThatWasWrittenAfterAll() {
    for (String point : POINTS) {
      String id = "a-" + point;
      successThatFailsAt(point, id);
      home.workerLeft(1);
      worker(2, 5);
      runAll(2);
      endedOnce(id, TaskState.SUCCESS);
      assertEquals(1, number("SUCCESS"));
      assertEquals(
          point.equals("write") ? 1 : 0, info(id).workerLosses, "it was over: no loss to count");
    }
  }

  @Test
  void aRevokeDoesNotUndoAnEndThatWasWrittenAfterAll() {
    Delivery d = running("a");
    faults.once("write done");
    fails(() -> complete(1, success(d)));
    home.revoke(List.of("a"), true, "KILL");
    endedOnce("a", TaskState.SUCCESS);
  }

  @Test
  void theLossOfAWorkerThatCannotBeWrittenIsWrittenLater() {
    for (String point : POINTS) {
      freshHome();
      String id = "a-" + point;
      complete(1, plain(running(id), Outcome.STARTED));
      faults.once(point);
      fails(() -> home.workerLeft(1));
      home.workerLeft(1);
      worker(2, 1);
      assertEquals(List.of(id), runAll(2));
      endedOnce(id, TaskState.SUCCESS);
    }
  }

  @Test
  void theLossOfANodesWorkerIsMadeGoodByTheTimer() {
    complete(1, plain(running("a"), Outcome.STARTED));
    faults.once("write");
    home.nodeLeft(Make.NODE);
    assertEquals(1, home.home.state.leases().size());
    synchronized (home.home.lock) {
      home.home.state.leases().forEach(e -> e.leasedNanos -= 20_000_000_000L);
    }
    start();
    waitFor("given back", () -> home.home.state.leases().isEmpty());
    worker(2, 1);
    assertEquals(List.of("a"), runAll(2));
    endedOnce("a", TaskState.SUCCESS);
  }

  @Test
  void aRevokeWhoseOutcomeIsOpenIsSettled() {
    for (String point : POINTS) {
      freshHome();
      String id = "a-" + point;
      submit(Make.record(id));
      faults.once(point);
      fails(() -> home.revoke(List.of(id), false, null));
      start();
      waitFor("settled", () -> home.home.doubts.ids(1).isEmpty());
      stopTimers();
      worker(1, 1);
      if (point.equals("write")) {
        assertEquals(List.of(id), runAll(1), "it was not revoked, hence it runs");
        endedOnce(id, TaskState.SUCCESS);
      } else {
        assertEquals(List.of(), runAll(1));
        endedOnce(id, TaskState.REVOKED);
        assertEquals(1, number("REVOKED"));
      }
    }
  }

  @Test
  void aRevokeThatCannotLookChangesNothing() {
    submit(Make.record("a"), Make.record("b"));
    worker(1, 1);
    final Delivery a = workers.take(1).get(0);
    faults.once("read");
    fails(() -> home.revoke(List.of("a", "b"), true, "KILL"));
    checkMemory();
    complete(1, success(a));
    assertEquals(List.of("b"), runAll(1));
    assertEquals(0, workers.kills.size());
  }

  @Test
  void aPurgeThatFailsHalfwayLosesNothing() {
    for (String point : List.of("read", "write", "write done")) {
      freshHome();
      home.submit(counted(0, 1_200), CLIENT, false);
      faults.once(point);
      fails(() -> home.purge(null));
      checkMemory();
      start();
      waitFor("settled", () -> home.home.doubts.ids(1).isEmpty());
      stopTimers();
      while (home.purge(null) > 0) {
        checkMemory();
      }
      assertEquals(1_200, number("REVOKED"), point);
      worker(1, 10);
      assertEquals(List.of(), runAll(1));
    }
  }

  @Test
  void aDeadRetryWhoseOutcomeIsOpenIsSettled() {
    for (String point : POINTS) {
      freshHome();
      TaskRecord r = Make.record("a");
      r.maxDeliveries = 1;
      submit(r);
      worker(1, 1);
      complete(1, plain(workers.take(1).get(0), Outcome.LOST));
      faults.once(point);
      fails(() -> home.deadRetry(null));
      start();
      waitFor("settled", () -> home.home.doubts.ids(1).isEmpty());
      stopTimers();
      boolean revived = point.equals("write done");
      assertEquals(revived ? 0 : 1, number("DEAD"));
      assertEquals(revived ? 0 : 1, home.deadList(5).size());
      assertEquals(revived ? 0 : 1, home.deadRetry(null));
      home.credits(1, 1);
      assertEquals(List.of("a"), runAll(1));
      assertEquals(1, number("SUCCESS"));
    }
  }

  @Test
  void anEarlyAcknowledgementThatFailsIsTriedAgainBeforeTheTaskIsSent() {
    for (String point : POINTS) {
      freshHome();
      TaskRecord r = Make.record("a-" + point);
      r.flags = TaskFlags.EARLY_ACK;
      submit(r);
      faults.once(point);
      worker(1, 1);
      assertEquals(0, workers.take(1).size(), "not acknowledged, not sent");
      checkMemory();
      home.credits(1, 1);
      Delivery d = workers.take(1).get(0);
      assertEquals(TaskState.STARTED, info(r.id).state);
      assertEquals(d.fence(), info(r.id).fence);
      complete(1, success(d));
      endedOnce(r.id, TaskState.SUCCESS);
    }
  }

  @Test
  void recordsThatCannotBeReadGoBackToTheirPlaces() {
    submit(Make.record("a"), Make.record("b"), Make.record("c"));
    synchronized (home.home.lock) {
      for (Entry entry : Make.waiting(home.home.state)) {
        home.home.unpark(entry);
        entry.record = entry.id.equals("b") ? null : entry.record;
      }
    }
    faults.once("read");
    worker(1, 3);
    assertEquals(List.of("a", "c"), FakeWorkers.ids(workers.take(1)));
    checkMemory();
    home.credits(1, 1);
    assertEquals(List.of("b"), FakeWorkers.ids(workers.take(1)));
  }

  @Test
  void aTaskThatEndsWhileItIsRevokedHasOneEnd() throws InterruptedException {
    for (int i = 0; i < 60; i++) {
      String id = "t" + i;
      Delivery d = running(id);
      Thread revoker = new Thread(() -> home.revoke(List.of(id), true, "KILL"));
      revoker.start();
      complete(1, success(d));
      revoker.join(10_000);
      assertEquals(1, told(id), id);
      int told =
          gateways.told(CLIENT).stream().filter(c -> c.id().equals(id)).toList().get(0).state();
      assertEquals(told, state(id).code(), "what was told is what is stored");
    }
    assertEquals(60, number("SUCCESS") + number("REVOKED"));
  }

  @Test
  void aWaitingTaskThatIsRevokedWhileItIsSentHasOneEnd() throws InterruptedException {
    worker(1, 0);
    for (int i = 0; i < 60; i++) {
      String id = "t" + i;
      submit(Make.record(id));
      Thread revoker = new Thread(() -> home.revoke(List.of(id), false, null));
      revoker.start();
      home.credits(1, 1);
      revoker.join(10_000);
      for (Delivery d : workers.take(1)) {
        complete(1, success(d));
      }
      home.credits(1, 0);
      assertTrue(state(id).terminal(), id + " " + state(id));
      assertEquals(1, told(id));
    }
    checkMemory();
  }

  @Test
  void aTaskRevokedBeforeItIsSentFreesTheSlot() {
    submit(Make.record("a"));
    home.workerJoined(Make.worker(1, List.of("default"), List.of("add")));
    synchronized (home.home.lock) {
      home.home.state.credits(1, 1, home.home.nowNanos());
      home.home.state.dispatch(home.home.nowMillis(), home.home.nowNanos());
    }
    assertArrayEquals(new int[] {5}, home.revoke(List.of("a"), false, null));
    assertEquals(0, workers.take(1).size());
    submit(Make.record("b"));
    assertEquals(List.of("b"), FakeWorkers.ids(workers.take(1)));
  }
}
