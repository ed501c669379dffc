package org.ignitetasks.home;

import static org.ignitetasks.home.Spawns.ended;
import static org.ignitetasks.home.Spawns.join;
import static org.ignitetasks.home.Spawns.member;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.Test;

/** A task that waits for others is let go exactly once, when the last of them has ended. */
class HomeJoinsTest extends HomeTestBase {
  private List<Delivery> deliveries(int free) {
    home.credits(1, free);
    return workers.take(1);
  }

  @Test
  void theBodyRunsWhenAllMembersHaveEndedHoweverTheyEnd() {
    worker(1, 0);
    submit(join("body", 4), member("a", "body"), member("b", "body"), member("c", "body"));
    submit(member("d", "body"));
    List<Delivery> all = deliveries(10);
    assertEquals(List.of("a", "b", "c", "d"), FakeWorkers.ids(all));
    complete(1, success(all.get(0)), plain(all.get(1), Outcome.FAILURE));
    assertEquals(List.of(), deliveries(10));
    home.revoke(List.of("c"), true, "TERM");
    assertEquals(List.of(), deliveries(10));
    assertEquals(1, number("PENDING"), "the body");
    complete(1, plain(all.get(3), Outcome.IGNORE));
    assertEquals(List.of("body"), runAll(1));
    assertEquals(0, home.home.joins.size());
    checkMemory();
  }

  @Test
  void theBodyMayComeLast() {
    worker(1, 0);
    submit(member("a", "body"), member("b", "body"));
    assertEquals(List.of("a", "b"), runAll(1));
    restart();
    worker(1, 0);
    submit(join("body", 2));
    assertEquals(List.of("body"), runAll(1));
    assertEquals(0, home.home.joins.size());
  }

  @Test
  void theCountSurvivesARestartAfterEachStep() {
    worker(1, 0);
    submit(join("body", 3), member("a", "body"), member("b", "body"), member("c", "body"));
    for (String id : List.of("a", "b", "c")) {
      assertEquals(List.of(id), FakeWorkers.ids(deliveries(1)));
      home.credits(1, 0);
      Delivery d = new Delivery(info(id), info(id).fence);
      complete(1, success(d));
      restart();
      worker(1, 0);
    }
    List<Delivery> body = deliveries(5);
    assertEquals(List.of("body"), FakeWorkers.ids(body));
    // It was let go: that does not change while it runs, is lost, or is given back.
    restart();
    worker(2, 5);
    List<Delivery> again = workers.take(2);
    assertEquals(List.of("body"), FakeWorkers.ids(again));
    complete(2, success(again.get(0)));
    restart();
    assertEquals(0, home.home.joins.size());
    assertEquals(TaskState.SUCCESS, state("body"));
  }

  @Test
  void aBodyOnRecordAsRunningIsALostStartAfterARestart() {
    worker(1, 0);
    TaskRecord body = join("body", 1);
    submit(body, member("a", "body"));
    runAllBut("body");
    Delivery d = deliveries(1).get(0);
    complete(1, plain(d, Outcome.STARTED));
    restart();
    assertEquals(1, info("body").workerLosses);
    worker(2, 5);
    assertEquals(List.of("body"), FakeWorkers.ids(workers.take(2)));
    checkMemory();
  }

  private void runAllBut(String id) {
    for (Delivery d : deliveries(1)) {
      assertTrue(!d.record().id.equals(id));
      complete(1, success(d));
    }
  }

  @Test
  void membersOnSheetsAreCountedToo() {
    worker(1, 0);
    List<TaskRecord> members = new ArrayList<>();
    for (int i = 0; i < 600; i++) {
      String id = "0f3a5c7e-1b2d-4e5f-8a6b-%08xc0de".formatted(512 + i);
      TaskRecord member = member(id, "0f3a5c7e-1b2d-4e5f-8a6b-00000000c0de");
      member.createdMillis = 1_700_000_000_000L;
      members.add(member);
    }
    submit(join("0f3a5c7e-1b2d-4e5f-8a6b-00000000c0de", 600));
    home.submit(members, CLIENT, false);
    assertTrue(rowCount() < 200, "sheets: " + rowCount());
    for (int round = 0; round < 3; round++) {
      List<Delivery> some = deliveries(150);
      complete(1, some.stream().map(HomeTestBase::success).toArray(Outcome[]::new));
      restart();
      worker(1, 0);
    }
    List<String> rest = runAll(1);
    assertEquals(151, rest.size());
    assertEquals("0f3a5c7e-1b2d-4e5f-8a6b-00000000c0de", rest.get(150));
  }

  @Test
  void ofTwoThatEndAtTheSameTimeOneLetsTheBodyGo() throws InterruptedException {
    worker(1, 0);
    worker(2, 0);
    for (int round = 0; round < 100; round++) {
      String body = "body" + round;
      submit(join(body, 2), member("a" + round, body), member("b" + round, body));
      List<Delivery> two = deliveries(2);
      CountDownLatch go = new CountDownLatch(1);
      List<Thread> threads = new ArrayList<>();
      List<Throwable> failed = Collections.synchronizedList(new ArrayList<>());
      for (Delivery d : two) {
        Thread thread =
            new Thread(
                () -> {
                  try {
                    go.await();
                    complete(1, success(d));
                  } catch (InterruptedException | RuntimeException e) {
                    failed.add(e);
                  }
                });
        thread.start();
        threads.add(thread);
      }
      go.countDown();
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals(List.of(), failed);
      assertEquals(List.of(body), runAll(1));
    }
    checkMemory();
  }

  @Test
  void aJoinGrowsWhileItsMembersRun() {
    worker(1, 0);
    submit(join("body", 1), member("a", "body"));
    Delivery a = deliveries(1).get(0);
    complete(1, Spawns.of(member("b", "body")).grow("body", 1).success(a));
    restart();
    worker(1, 0);
    assertEquals(List.of("b", "body"), runAll(1));
    submit(Make.record("c"));
    Delivery c = deliveries(1).get(0);
    complete(1, new Spawns().grow("body", 1).grow("nothing", 1).success(c));
    assertEquals(List.of(), runAll(1));
    checkMemory();
  }

  @Test
  void aMemberThatIsBornFinishedCounts() {
    worker(1, 0);
    submit(join("body", 2), member("a", "body"));
    Delivery a = deliveries(1).get(0);
    TaskRecord born = ended("b", TaskState.FAILURE);
    born.joinId = "body";
    complete(1, new Spawns().end(born).success(a));
    assertEquals(List.of("body"), runAll(1));
  }

  @Test
  void aWaitingBodyIsEndedByAnOutcomeAndForgetsItsMembers() {
    worker(1, 0);
    submit(join("body", 2), member("a", "body"), member("b", "body"));
    List<Delivery> two = deliveries(2);
    complete(1, new Spawns().end(ended("body", TaskState.FAILURE)).success(two.get(0)));
    complete(1, success(two.get(1)));
    assertEquals(TaskState.FAILURE, state("body"));
    assertEquals(List.of(), runAll(1));
    checkMemory();
  }

  @Test
  void aRevokedBodyDoesNotRun() {
    worker(1, 0);
    submit(join("body", 1), member("a", "body"));
    home.revoke(List.of("body"), false, null);
    assertEquals("body", gateways.told(CLIENT).get(0).id());
    assertEquals(List.of("a"), runAll(1));
    restart();
    worker(1, 0);
    assertEquals(List.of(), runAll(1));
    assertEquals(TaskState.REVOKED, state("body"));
  }

  @Test
  void aRevokeThatFailsLeavesTheBodyWaiting() {
    worker(1, 0);
    submit(join("body", 1), member("a", "body"));
    faults.once("read");
    assertThrows(TasksException.class, () -> home.revoke(List.of("body"), false, null));
    assertEquals(List.of("a", "body"), runAll(1));
    checkMemory();
  }

  @Test
  void aBodyThatIsLetGoWhileSomebodyRevokesItIsNotLost() {
    worker(1, 0);
    submit(join("body", 1), member("a", "body"));
    Delivery a = deliveries(1).get(0);
    Entry taken;
    synchronized (home.home.lock) {
      taken = home.home.joins.take("body");
    }
    complete(1, success(a));
    assertEquals(List.of(), runAll(1), "it is in other hands");
    synchronized (home.home.lock) {
      home.home.restored(taken, home.home.nowMillis());
    }
    assertEquals(List.of("body"), runAll(1));
  }

  @Test
  void aDeadMemberIsCountedOnceHoweverOftenItRuns() {
    worker(1, 0);
    TaskRecord a = member("a", "body");
    a.maxDeliveries = 1;
    submit(join("body", 3), a, member("b", "body"), member("c", "body"));
    List<Delivery> three = deliveries(3);
    complete(1, plain(three.get(0), Outcome.LOST));
    for (int round = 0; round < 3; round++) {
      assertEquals(1, home.deadRetry(List.of("a")));
      complete(1, plain(deliveries(1).get(0), Outcome.LOST));
      assertEquals(List.of(), deliveries(1));
    }
    complete(1, success(three.get(1)));
    home.credits(1, 0);
    home.deadRetry(List.of("a"));
    restart();
    worker(1, 0);
    Delivery again = deliveries(1).get(0);
    assertEquals("a", again.record().id);
    complete(1, plain(again, Outcome.LOST));
    assertEquals(List.of("c", "body"), runAll(1));
    assertEquals(TaskState.DEAD, state("a"));
  }

  @Test
  void aDeadBodyRunsAgainWithoutItsMembers() {
    worker(1, 0);
    TaskRecord body = join("body", 1);
    body.maxDeliveries = 1;
    submit(body, member("a", "body"));
    runAllBut("body");
    complete(1, plain(deliveries(1).get(0), Outcome.LOST));
    assertEquals(1, home.forget(List.of("a")));
    assertEquals(1, home.deadRetry(null));
    restart();
    worker(1, 0);
    assertEquals(List.of("body"), runAll(1));
  }

  @Test
  void forgottenMembersStillCount() {
    worker(1, 0);
    submit(join("body", 2), member("a", "body"), member("b", "body"));
    Delivery a = deliveries(1).get(0);
    complete(1, success(a));
    assertEquals(1, home.forget(List.of("a")));
    assertEquals(null, info("a"));
    restart();
    worker(1, 0);
    assertEquals(List.of("b", "body"), runAll(1));
  }

  @Test
  void membersAreKeptUntilTheirBodyHasEnded() {
    worker(1, 0);
    submit(join("body", 2), member("a", "body"), member("b", "body"));
    complete(1, success(deliveries(1).get(0)));
    aheadMillis.set(4_000_000);
    start();
    TaskRecord other = Make.record("other");
    other.resultTtlMillis = 0;
    submit(other);
    for (Delivery d : deliveries(2)) {
      complete(1, success(d));
    }
    waitFor("swept", () -> info("other").expired);
    assertEquals(TaskState.SUCCESS, state("a"));
    assertEquals(List.of("body"), runAll(1));
    aheadMillis.set(4_200_000);
    waitFor("a goes", () -> info("a") == null || info("a").expired);
  }

  @Test
  void aJoinElsewhereIsRefused() {
    worker(1, 0);
    home.own(new int[] {org.ignitetasks.model.Locator.partition("a")}, 1_000_000);
    TaskRecord a = member("a", "surely elsewhere");
    TasksException refused =
        assertThrows(TasksException.class, () -> home.submit(List.of(a), CLIENT, false));
    assertEquals(TasksException.Code.BAD_REQUEST, refused.code());
  }

  @Test
  void tenThousandMembersCostNoMoreThanOthers() {
    worker(1, 0);
    submit(join("body", 10_000));
    List<TaskRecord> members = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      members.add(member("m" + i, "body"));
    }
    home.submit(members, CLIENT, false);
    long reads = faults.count("read");
    long writes = faults.count("write");
    for (int batch = 0; batch < 50; batch++) {
      complete(1, deliveries(200).stream().map(HomeTestBase::success).toArray(Outcome[]::new));
    }
    assertEquals(50, faults.count("write") - writes, "one write a batch");
    assertTrue(faults.count("read") - reads <= 50, "no reads beside those of cold records");
    assertEquals(TaskState.PENDING, state("body"));
    assertEquals(List.of("body"), runAll(1));
  }
}
