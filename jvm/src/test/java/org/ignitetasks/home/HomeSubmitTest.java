package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.Progress;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.SubmitAnswer;
import org.junit.jupiter.api.Test;

/** Submit and complete on a real ledger: once each, whatever is repeated. */
class HomeSubmitTest extends HomeTestBase {
  private static TaskRecord keyed(String id, int fingerprint) {
    TaskRecord r = Make.record(id);
    r.flags = TaskFlags.CHECK_EXISTS;
    r.fingerprint = new byte[] {(byte) fingerprint};
    return r;
  }

  private static List<TaskRecord> batch(int count) {
    List<TaskRecord> records = new ArrayList<>();
    long created = System.currentTimeMillis();
    for (int i = 0; i < count; i++) {
      TaskRecord r = Make.record(String.format("3f2b8c1e-0d4a-4b6c-8a9e-%08xf1d3", i));
      r.createdMillis = created;
      records.add(r);
    }
    return records;
  }

  @Test
  void aTaskIsRunAndItsSubmitterIsTold() {
    worker(1, 2);
    submit(Make.record("a"));
    Delivery d = workers.take(1).get(0);
    assertEquals("a", d.record().id);
    complete(1, success(d));
    TaskRecord done = info("a");
    assertEquals(TaskState.SUCCESS, done.state);
    assertArrayEquals("r-a".getBytes(), done.payload);
    assertEquals("worker-1", done.worker);
    List<Completion> told = gateways.told(CLIENT);
    assertEquals(1, told.size());
    assertEquals(TaskState.SUCCESS.code(), told.get(0).state());
    checkMemory();
  }

  @Test
  void nobodyIsToldOfATaskWhoseResultIsIgnored() {
    TaskRecord r = Make.record("a");
    r.flags = TaskFlags.IGNORE_RESULT;
    submit(r);
    worker(1, 1);
    runAll(1);
    assertEquals(List.of(), gateways.told(CLIENT));
    assertNull(info("a").payload);
  }

  @Test
  void theSameKeyIsTheSameTaskAndOtherArgumentsAreAConflict() {
    submit(keyed("k", 1));
    SubmitAnswer again =
        home.submit(List.of(Make.record("n"), keyed("k", 1), keyed("k2", 5)), CLIENT, false);
    assertEquals(2, again.created());
    assertEquals(
        List.of(new SubmitAnswer.Exception(1, SubmitAnswer.EXISTS, 0)), again.exceptions());
    SubmitAnswer other = home.submit(List.of(keyed("k", 2)), CLIENT, false);
    assertEquals(0, other.created());
    assertEquals(SubmitAnswer.CONFLICT, other.exceptions().get(0).code());
    worker(1, 10);
    assertEquals(3, runAll(1).size());
    SubmitAnswer late = home.submit(List.of(keyed("k", 1)), CLIENT, false);
    assertEquals(TaskState.SUCCESS.code(), late.exceptions().get(0).state());
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void oneIdTwiceInABatchIsOneTask() {
    SubmitAnswer answer =
        home.submit(List.of(keyed("k", 1), keyed("k", 1), keyed("k", 2)), CLIENT, false);
    assertEquals(1, answer.created());
    assertEquals(2, answer.exceptions().size());
    assertEquals(SubmitAnswer.EXISTS, answer.exceptions().get(0).code());
    assertEquals(SubmitAnswer.CONFLICT, answer.exceptions().get(1).code());
    worker(1, 10);
    assertEquals(List.of("k"), runAll(1));
    checkMemory();
  }

  @Test
  void aRepeatedCallFindsWhatTheFirstDid() {
    List<TaskRecord> records = batch(600);
    assertEquals(600, home.submit(records, CLIENT, false).created());
    SubmitAnswer again = home.submit(batch(600), CLIENT, true);
    assertEquals(0, again.created());
    assertEquals(600, again.exceptions().size());
    worker(1, 100);
    assertEquals(600, runAll(1).size());
    assertEquals(0, home.submit(batch(600), CLIENT, true).created());
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void concurrentRepeatsOfABatchMakeOneRecordEachAndOneExecution() throws InterruptedException {
    AtomicInteger created = new AtomicInteger();
    CountDownLatch go = new CountDownLatch(1);
    List<Thread> threads = new ArrayList<>();
    for (int t = 0; t < 6; t++) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  go.await();
                } catch (InterruptedException e) {
                  return;
                }
                for (int from = 0; from < 100; from += 20) {
                  List<TaskRecord> part = new ArrayList<>();
                  for (int i = from; i < from + 20; i++) {
                    part.add(keyed("key-" + i, i));
                  }
                  created.addAndGet(home.submit(part, CLIENT, true).created());
                }
              });
      threads.add(thread);
      thread.start();
    }
    go.countDown();
    for (Thread thread : threads) {
      thread.join(20_000);
    }
    assertEquals(100, created.get());
    worker(1, 100);
    List<String> ran = runAll(1);
    assertEquals(100, ran.size());
    assertEquals(100, new HashSet<>(ran).size());
    assertEquals(100, gateways.told(CLIENT).size());
    checkMemory();
  }

  @Test
  void tasksOfABatchRunInItsOrder() {
    List<TaskRecord> records = batch(1_000);
    home.submit(records, CLIENT, false);
    worker(1, 7);
    assertEquals(records.stream().map(r -> r.id).toList(), runAll(1));
    assertEquals(1_000, number("SUCCESS"));
    assertEquals(0, number("PENDING"));
    checkMemory();
  }

  @Test
  void aStaleFenceChangesNothing() {
    submit(Make.record("a"));
    worker(1, 1);
    Delivery first = workers.take(1).get(0);
    complete(1, plain(first, Outcome.LOST));
    home.credits(1, 1);
    Delivery second = workers.take(1).get(0);
    assertTrue(second.fence() > first.fence());
    complete(1, success(first));
    assertEquals(TaskState.PENDING, state("a"));
    complete(1, success(second));
    assertEquals(TaskState.SUCCESS, state("a"));
    complete(1, plain(second, Outcome.FAILURE), success(first));
    assertEquals(TaskState.SUCCESS, state("a"));
    assertEquals(1, gateways.told(CLIENT).size());
  }

  @Test
  void anIdOfAnotherHomeIsRefused() {
    int elsewhere = Locator.partition("a");
    home.own(
        java.util.stream.IntStream.range(0, 64).filter(p -> p != elsewhere).toArray(), 1_000_000);
    TasksException refused = assertThrows(TasksException.class, () -> submit(Make.record("a")));
    assertEquals(TasksException.Code.NOT_HOME, refused.code());
    assertTrue(refused.code().retryable());
    assertThrows(TasksException.class, () -> home.revoke(List.of("a"), false, null));
    assertThrows(TasksException.class, () -> home.info(List.of("a")));
    assertThrows(TasksException.class, () -> home.forget(List.of("a")));
    assertThrows(TasksException.class, () -> home.deadRetry(List.of("a")));
  }

  @Test
  void aSubmitThatIsDurableDoesNotFailBecauseAWorkerDoes() {
    worker(1, 5);
    workers.refuse = true;
    submit(Make.record("a"), Make.record("b"));
    assertEquals(0, workers.take(1).size());
    checkMemory();
    workers.refuse = false;
    home.credits(1, 5);
    assertEquals(List.of("a", "b"), FakeWorkers.ids(workers.take(1)));
  }

  @Test
  void aBrokenGatewayDoesNotUndoACompletion() {
    submit(Make.record("a"));
    worker(1, 1);
    gateways.broken = true;
    assertEquals(List.of("a"), runAll(1));
    assertEquals(TaskState.SUCCESS, state("a"));
    assertEquals(1, number("SUCCESS"));
  }

  @Test
  void anOutcomeThatComesWhileTheDeliveryIsBeingRecordedIsNotLost() throws InterruptedException {
    submit(Make.record("a"));
    worker(1, 1);
    Delivery d = workers.take(1).get(0);
    HomeContext context = home.home;
    Entry claimed;
    synchronized (context.lock) {
      claimed = context.state.completing("a", d.fence());
    }
    Thread reporter = new Thread(() -> complete(1, success(d)));
    reporter.start();
    Thread.sleep(50);
    assertTrue(reporter.isAlive(), "it waits for the claim");
    synchronized (context.lock) {
      context.release(claimed);
      context.claimsReleased();
    }
    reporter.join(5_000);
    assertEquals(TaskState.SUCCESS, state("a"));
  }

  @Test
  void aStartAndItsEndInOneReport() {
    TaskRecord r = Make.record("a");
    r.flags = TaskFlags.TRACK_STARTED;
    submit(r);
    worker(1, 1);
    Delivery d = workers.take(1).get(0);
    complete(1, plain(d, Outcome.STARTED));
    assertEquals(TaskState.STARTED, state("a"));
    complete(1, plain(d, Outcome.STARTED), success(d));
    assertEquals(TaskState.SUCCESS, state("a"));
  }

  @Test
  void aMalformedOutcomeIsRefusedAndTheOthersCanComeAgain() {
    submit(Make.record("a"), Make.record("b"));
    worker(1, 2);
    List<Delivery> both = workers.take(1);
    TasksException refused =
        assertThrows(
            TasksException.class,
            () -> complete(1, success(both.get(0)), plain(both.get(1), Outcome.RETRY)));
    assertEquals(TasksException.Code.BAD_REQUEST, refused.code());
    complete(1, success(both.get(0)));
    complete(1, plain(both.get(1), Outcome.LOST));
    assertEquals(TaskState.SUCCESS, state("a"));
    assertEquals(TaskState.PENDING, state("b"));
    checkMemory();
  }

  @Test
  void watchersHearOfEndsWhoeverSubmitted() {
    Origin other = new Origin(Make.NODE, 99);
    submit(Make.record("a"), Make.record("b"));
    worker(1, 1);
    Delivery a = workers.take(1).get(0);
    complete(1, success(a));
    var answer = home.watch(List.of("a", "b", "nobody"), other);
    assertEquals(List.of("a"), answer.done().stream().map(Completion::id).toList());
    assertEquals(List.of("nobody"), answer.unknown());
    runAll(1);
    assertEquals(List.of("b"), gateways.told(other).stream().map(Completion::id).toList());
    submit(Make.record("nobody"));
    runAll(1);
    assertEquals(2, gateways.told(other).size(), "one that was unknown is watched all the same");
    assertEquals(0, home.home.watchers.size());
    home.watch(List.of("x", "y"), other);
    home.sessionClosed(other);
    home.watch(List.of("z"), other);
    home.nodeLeft(Make.NODE);
    assertEquals(0, home.home.watchers.size(), "nothing is kept for those that are gone");
  }

  @Test
  void progressIsDurableAndToldWhileTheTaskRuns() {
    worker(1, 2);
    submit(Make.record("p"));
    Delivery d = workers.take(1).get(0);
    byte[] half = {'m', 50};
    Outcome progress =
        new Outcome("p", d.fence(), Outcome.PROGRESS, half, false, 0, "HALF", null, false);
    // The end comes with the last word, as a lane sends them.
    complete(1, progress);
    assertEquals("HALF", info("p").note);
    assertArrayEquals(half, info("p").payload);
    assertEquals(TaskState.STARTED, info("p").state);
    complete(1, progress, success(d));
    assertEquals(TaskState.SUCCESS, info("p").state);
    assertNull(info("p").note);
    List<Integer> told = gateways.told(CLIENT).stream().map(Completion::state).toList();
    assertEquals(List.of(Progress.CODE, Progress.CODE, TaskState.SUCCESS.code()), told);
    complete(1, progress);
    assertEquals(TaskState.SUCCESS, info("p").state);
    checkMemory();
  }
}
