package org.ignitetasks.home;

import static org.ignitetasks.home.Spawns.ended;
import static org.ignitetasks.home.Spawns.join;
import static org.ignitetasks.home.Spawns.member;
import static org.ignitetasks.home.Spawns.promise;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.ignitetasks.model.SettleTask;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.SubmitAnswer;
import org.ignitetasks.protocol.WorkerInfo;
import org.junit.jupiter.api.Test;

/** What outcomes bring with them: written with the outcome or not at all, once whatever comes. */
class HomeContinuationsTest extends HomeTestBase {
  private Delivery running(TaskRecord record) {
    submit(record);
    return next();
  }

  private Delivery next() {
    home.credits(1, 1);
    List<Delivery> batch = workers.take(1);
    assertEquals(1, batch.size(), "deliveries");
    return batch.get(0);
  }

  private void known() {
    home.workerJoined(Make.worker(1, List.of("default"), List.of("add", SettleTask.NAME)));
  }

  /** Does what the timer does. */
  private void settleDoubts() {
    new DoubtSettler(home.home).settleOpen();
    assertFalse(home.home.doubts.any());
  }

  private List<String> told() {
    return gateways.told(CLIENT).stream().map(Completion::id).toList();
  }

  @Test
  void whatFollowsIsThereWithTheOutcome() {
    known();
    Delivery a = running(Make.record("a"));
    complete(1, Spawns.of(Make.record("b"), Make.record("c")).success(a));
    assertEquals(TaskState.PENDING, state("b"));
    restart();
    known();
    assertEquals(List.of("b", "c"), runAll(1));
    checkMemory();
  }

  @Test
  void whatFollowsIsDeliveredAtOnceWhereASlotIsFree() {
    known();
    Delivery a = running(Make.record("a"));
    home.credits(1, 2);
    complete(1, Spawns.of(Make.record("b")).success(a));
    assertEquals(List.of("b"), FakeWorkers.ids(workers.take(1)));
  }

  @Test
  void aStaleOutcomeBringsNothing() {
    known();
    Delivery a = running(Make.record("a"));
    complete(1, plain(a, Outcome.GIVE_BACK));
    complete(1, Spawns.of(Make.record("b")).success(a));
    assertNull(info("b"));
    assertEquals(List.of("a"), runAll(1));
  }

  @Test
  void aFailedWriteBringsNothingUntilTheOutcomeComesAgain() {
    known();
    Delivery a = running(Make.record("a"));
    Outcome outcome = Spawns.of(Make.record("b")).success(a);
    faults.once("write");
    assertThrows(TasksException.class, () -> complete(1, outcome));
    assertNull(info("b"));
    complete(1, outcome);
    complete(1, outcome);
    assertEquals(List.of("b"), runAll(1));
    checkMemory();
  }

  @Test
  void aWriteThatOnlySeemedToFailIsFoundByTheRepeat() {
    known();
    Delivery a = running(Make.record("a"));
    Outcome outcome = Spawns.of(Make.record("b")).end(ended("e", TaskState.FAILURE)).success(a);
    home.watch(List.of("e"), CLIENT);
    faults.once("write done");
    assertThrows(TasksException.class, () -> complete(1, outcome));
    complete(1, outcome);
    assertEquals(TaskState.SUCCESS, state("a"));
    settleDoubts();
    assertEquals(List.of("b"), runAll(1));
    assertEquals(
        List.of("a", "e"), told().stream().sorted().filter(id -> !id.equals("b")).toList());
    assertEquals(1, number("FAILURE"));
    checkMemory();
  }

  @Test
  void aWriteThatOnlySeemedToFailIsFoundByTheTimerWhenTheWorkerIsGone() {
    known();
    Delivery a = running(Make.record("a"));
    faults.once("write done");
    assertThrows(TasksException.class, () -> complete(1, Spawns.of(Make.record("b")).success(a)));
    home.workerLeft(1);
    settleDoubts();
    known();
    assertEquals(List.of("b"), runAll(1), "a has ended, b waits once");
    checkMemory();
  }

  @Test
  void whatIsThereAlreadyIsLeftAsItIs() {
    known();
    TaskRecord b = Make.record("b");
    b.priority = 3;
    submit(b);
    home.credits(1, 1);
    assertEquals("b", workers.take(1).get(0).record().id);
    Delivery a = running(Make.record("a"));
    complete(1, Spawns.of(Make.record("b")).end(ended("b", TaskState.FAILURE)).success(a));
    assertEquals(3, info("b").priority);
    assertEquals(TaskState.PENDING, state("b"));
    checkMemory();
  }

  @Test
  void aRetryMayBringSomethingToo() {
    known();
    Delivery a = running(Make.record("a"));
    complete(1, Spawns.of(Make.record("b")).with(a, Outcome.RETRY));
    assertEquals(List.of("a", "b"), runAll(1).stream().sorted().toList());
  }

  @Test
  void bornFinishedIsToldAndKept() {
    known();
    Delivery a = running(Make.record("a"));
    assertEquals(List.of("tail"), home.watch(List.of("tail"), CLIENT).unknown());
    complete(1, new Spawns().end(ended("tail", TaskState.FAILURE)).with(a, Outcome.FAILURE));
    assertEquals(List.of("a", "tail"), told());
    TaskRecord tail = info("tail");
    assertEquals(TaskState.FAILURE, tail.state);
    assertEquals("ValueError", tail.errorType);
    assertArrayEquals(new byte[] {'m', 9}, tail.payload);
    assertEquals(2, number("FAILURE"));
  }

  @Test
  void twoOutcomesOfOneBatchMayNameTheSameTask() {
    known();
    submit(Make.record("a"), Make.record("b"), join("j", 1));
    home.credits(1, 2);
    List<Delivery> two = workers.take(1);
    complete(
        1,
        Spawns.of(Make.record("x"), member("m", "j")).grow("j", 1).success(two.get(0)),
        Spawns.of(Make.record("x"), member("n", "j")).grow("j", 1).success(two.get(1)));
    assertEquals(3, info("j").joinSize);
    assertEquals(List.of("m", "n", "x"), runAll(1).stream().sorted().toList());
    checkMemory();
  }

  @Test
  void aPromiseIsFilledInByASubmit() {
    known();
    TaskRecord promise = promise("p");
    promise.createdMillis = 1_700_000_000_000L;
    submit(promise);
    assertEquals(List.of(), runAll(1));
    TaskRecord call = Make.record("p", "add", "default", 7);
    call.body = new byte[] {'m', 2};
    assertEquals(1, home.submit(List.of(call), CLIENT, false).created());
    assertEquals(1_700_000_000_000L, info("p").createdMillis);
    assertEquals(7, info("p").priority);
    assertEquals(0, home.submit(List.of(call), CLIENT, true).created(), "the same call again");
    assertEquals(List.of("p"), runAll(1));
    assertEquals(List.of("p"), told());
    checkMemory();
  }

  @Test
  void aPromiseThatIsSubmittedAgainIsThereAlready() {
    known();
    List<TaskRecord> flow = List.of(Make.record("first"), promise("end"));
    assertEquals(2, home.submit(copies(flow), CLIENT, false).created());
    SubmitAnswer again = home.submit(copies(flow), CLIENT, true);
    assertEquals(0, again.created(), "the submit of a chain, cut before its answer");
    assertEquals(
        List.of(SubmitAnswer.EXISTS, SubmitAnswer.EXISTS),
        again.exceptions().stream().map(SubmitAnswer.Exception::code).toList());
    assertTrue(info("end").promised());
    assertEquals(1, home.submit(List.of(Make.record("end")), CLIENT, false).created());
    assertEquals(List.of("end", "first"), runAll(1).stream().sorted().toList());
    checkMemory();
  }

  private static List<TaskRecord> copies(List<TaskRecord> records) {
    return records.stream().map(TaskRecord::copy).toList();
  }

  @Test
  void aPromiseIsFilledInWhereTheWriteOnlySeemedToFail() {
    known();
    submit(promise("p"));
    for (String step : List.of("write", "write done")) {
      faults.once(step);
      assertThrows(
          TasksException.class, () -> home.submit(List.of(Make.record("p")), CLIENT, false));
    }
    settleDoubts();
    assertEquals(List.of("p"), runAll(1));
    checkMemory();
  }

  @Test
  void aPromiseIsEndedByAnOutcome() {
    known();
    submit(promise("p"));
    Delivery a = running(Make.record("a"));
    complete(1, new Spawns().end(ended("p", TaskState.FAILURE)).with(a, Outcome.FAILURE));
    assertEquals(TaskState.FAILURE, state("p"));
    assertEquals(List.of("a", "p"), told());
    assertEquals(0, home.submit(List.of(Make.record("p")), CLIENT, true).created());
    assertEquals(0, home.home.joins.size());
    checkMemory();
  }

  @Test
  void aReplacedTaskGoesOnAsAnother() {
    known();
    Delivery a = running(Make.record("a"));
    TaskRecord other = Make.record("a", "add", "default", 9);
    other.body = new byte[] {'m', 3};
    complete(1, Spawns.of(other).with(a, Outcome.REPLACED));
    assertEquals(List.of(), told());
    assertEquals(a.fence(), info("a").replacedFence);
    Delivery again = next();
    assertEquals(9, again.record().priority);
    assertArrayEquals(new byte[] {'m', 3}, again.record().body);
    assertTrue(again.fence() > a.fence());
    complete(1, success(a), success(again));
    assertEquals(List.of("a"), told(), "the one that asked for it is told at the end");
    checkMemory();
  }

  @Test
  void aReplacedTaskIsFulfilledByAChainEvenAfterARestart() {
    known();
    Delivery a = running(Make.record("a"));
    complete(1, Spawns.of(Make.record("step")).with(a, Outcome.REPLACED));
    assertTrue(info("a").promised());
    restart();
    known();
    Delivery step = next();
    assertEquals("step", step.record().id);
    complete(1, Spawns.of(Make.record("a")).success(step));
    assertEquals(List.of("a"), runAll(1));
    assertEquals(TaskState.SUCCESS, state("a"));
    checkMemory();
  }

  @Test
  void aReplacementThatOnlySeemedToFailIsNotUndoneWhenTheWorkerIsLost() {
    for (boolean atOnce : List.of(true, false)) {
      restart();
      known();
      String id = "a" + atOnce;
      Delivery a = running(Make.record(id));
      TaskRecord other = Make.record(atOnce ? id : "step" + atOnce, "add", "default", 9);
      faults.once("write done");
      assertThrows(
          TasksException.class, () -> complete(1, Spawns.of(other).with(a, Outcome.REPLACED)));
      home.workerLeft(1);
      settleDoubts();
      known();
      Delivery next = next();
      assertEquals(9, next.record().priority);
      complete(1, atOnce ? success(next) : Spawns.of(Make.record(id)).success(next));
      assertEquals(atOnce ? List.of() : List.of(id), runAll(1));
      assertEquals(TaskState.SUCCESS, state(id));
      checkMemory();
    }
  }

  @Test
  void theRepeatedSubmitOfAReplacedTaskDoesNotBringItBack() {
    known();
    TaskRecord call = Make.record("a");
    Delivery a = running(call.copy());
    complete(1, Spawns.of(Make.record("step")).with(a, Outcome.REPLACED));
    assertEquals(0, home.submit(List.of(call), CLIENT, true).created());
    assertTrue(info("a").promised());
  }

  @Test
  void theBodyOfAJoinMayBeReplacedByAJoin() {
    known();
    submit(join("a", 2), Spawns.member("m", "a"), Spawns.member("n", "a"));
    complete(1, success(next()));
    complete(1, success(next()));
    Delivery a = next();
    TaskRecord again = join("a", 2);
    complete(
        1,
        Spawns.of(again, Spawns.member("x", "a"), Spawns.member("y", "a"))
            .with(a, Outcome.REPLACED));
    complete(1, success(next()));
    restart();
    known();
    assertEquals(List.of("y", "a"), runAll(1));
    checkMemory();
  }

  @Test
  void aRepeatedReplacementAndItsFulfilmentMayComeInOneBatch() {
    known();
    Delivery a = running(Make.record("a"));
    Outcome replaced = Spawns.of(Make.record("step")).with(a, Outcome.REPLACED);
    faults.once("write done");
    assertThrows(TasksException.class, () -> complete(1, replaced));
    settleDoubts();
    Delivery step = next();
    Outcome fulfilled = Spawns.of(Make.record("a")).success(step);
    TasksException busy = assertThrows(TasksException.class, () -> complete(1, fulfilled));
    assertTrue(busy.code().retryable());
    complete(1, fulfilled, replaced);
    assertEquals(List.of("a"), runAll(1));
    checkMemory();
  }

  @Test
  void aReplacedTaskThatWasRevokedMeanwhileEnds() {
    known();
    Delivery a = running(Make.record("a"));
    home.revoke(List.of("a"), false, null);
    complete(1, Spawns.of(Make.record("a"), Make.record("b")).with(a, Outcome.REPLACED));
    assertEquals(TaskState.REVOKED, state("a"));
    assertNull(info("b"));
  }

  private static TaskRecord continuing(String id) {
    TaskRecord r = Make.record(id);
    r.flags = TaskFlags.CONTINUES;
    r.options = new byte[] {(byte) 0x80};
    r.rootId = "root";
    r.maxDeliveries = 1;
    return r;
  }

  private TaskRecord settled(String id) {
    Delivery d = next();
    TaskRecord r = d.record();
    assertEquals(SettleTask.NAME, r.task);
    assertEquals(id, r.parentId);
    assertEquals("root", r.rootId);
    assertArrayEquals(new byte[] {(byte) 0x80}, r.options);
    byte[] body = r.body;
    assertEquals('m', body[0]);
    assertEquals((byte) 0x80, body[body.length - 1]);
    assertTrue(new String(body).contains(id));
    complete(1, success(d));
    return r;
  }

  @Test
  void endsThatNoChildDecidedAreSettled() {
    known();
    complete(1, plain(running(continuing("lost")), Outcome.LOST));
    assertEquals(TaskState.DEAD, state("lost"));
    settled("lost");
    complete(1, plain(running(continuing("cut")), Outcome.CUT));
    assertEquals(TaskState.FAILURE, state("cut"));
    settled("cut");
    running(continuing("killed"));
    home.revoke(List.of("killed"), true, "TERM");
    settled("killed");
    submit(continuing("waiting"));
    home.revoke(List.of("waiting"), false, null);
    settled("waiting");
    TaskRecord late = continuing("late");
    late.expiresMillis = System.currentTimeMillis() - 1;
    submit(late);
    home.credits(1, 1);
    assertEquals(TaskState.REVOKED, state("late"));
    settled("late");
    TaskRecord body = continuing("body");
    body.joinSize = 3;
    submit(body);
    home.revoke(List.of("body"), false, null);
    settled("body");
    checkMemory();
  }

  @Test
  void whatAChildDecidedIsNotSettled() {
    known();
    for (int kind : new int[] {Outcome.SUCCESS, Outcome.FAILURE, Outcome.IGNORE, Outcome.REJECT}) {
      complete(1, plain(running(continuing("t" + kind)), kind));
    }
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void aSettlingThatOnlySeemedToFailHappensOnce() {
    known();
    running(continuing("a"));
    submit(continuing("b"));
    for (String id : List.of("a", "b")) {
      faults.once("write done");
      assertThrows(TasksException.class, () -> home.revoke(List.of(id), true, "TERM"));
      home.revoke(List.of(id), true, "TERM");
    }
    settleDoubts();
    home.credits(1, 10);
    List<Delivery> settling = workers.take(1);
    assertEquals(
        List.of("a", "b"), settling.stream().map(d -> d.record().parentId).sorted().toList());
    checkMemory();
  }

  @Test
  void aPurgeLeavesTheSettling() {
    known();
    submit(continuing("a"), Make.record("b"));
    assertEquals(2, home.purge(null));
    assertEquals(0, home.purge(null));
    settled("a");
  }

  private void hearing() {
    WorkerInfo worker = Make.worker(1, List.of("default"), List.of("add", SettleTask.NAME));
    home.workerJoined(worker.hearing(true));
  }

  private void heardOf(String id) {
    Delivery d = next();
    assertEquals(SettleTask.NAME, d.record().task);
    assertEquals(id, d.record().parentId);
    complete(1, success(d));
  }

  @Test
  void aWorkerThatWantsToHearIsToldOfEveryEndThatNoChildDecided() {
    hearing();
    TaskRecord lost = Make.record("lost");
    lost.maxDeliveries = 1;
    complete(1, plain(running(lost), Outcome.LOST));
    heardOf("lost");
    running(Make.record("killed"));
    home.revoke(List.of("killed"), true, "SIGTERM");
    assertTrue(new String(info("killed").payload).contains("SIGTERM"));
    heardOf("killed");
    submit(Make.record("waiting"));
    home.revoke(List.of("waiting"), true, "SIGTERM");
    assertFalse(new String(info("waiting").payload).contains("SIGTERM"));
    heardOf("waiting");
    TaskRecord late = Make.record("late");
    late.expiresMillis = System.currentTimeMillis() - 1;
    submit(late);
    home.credits(1, 1);
    heardOf("late");
    home.revoke(List.of("early"), false, null);
    submit(Make.record("early"));
    heardOf("early");
    checkMemory();
  }

  @Test
  void aWorkerThatDiesWithItsTaskHasAnotherToldOfIt() {
    hearing();
    TaskRecord poison = Make.record("poison");
    poison.workerLosses = Outcomes.MAX_WORKER_LOSSES - 1;
    complete(1, plain(running(poison), Outcome.STARTED));
    home.workerLeft(1);
    assertEquals(TaskState.DEAD, state("poison"));
    known();
    heardOf("poison");
  }

  @Test
  void nobodyIsToldOfWhatWasPurgedOrOfWhatOnlyTells() {
    hearing();
    submit(Make.record("purged"));
    assertEquals(1, home.purge(null));
    submit(Make.record("revoked"));
    home.revoke(List.of("revoked"), false, null);
    String telling = next().record().id;
    home.revoke(List.of(telling), true, "SIGTERM");
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void nobodyIsToldWhereNobodyWantsToHear() {
    known();
    submit(Make.record("waiting"));
    home.revoke(List.of("waiting"), false, null);
    hearing();
    submit(Make.record("later"));
    home.revoke(List.of("later"), false, null);
    heardOf("later");
  }
}
