package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;
import org.junit.jupiter.api.Test;

/**
 * Homes that follow one another while workers go away and are heard again: once a delivery has been
 * given out, no result of an earlier one of the same task is taken, by whatever home.
 */
class HomeSuccessionTest extends HomeTestBase {
  /** Gives the only waiting task to a worker of which nobody has heard before. */
  private Delivery given(long epoch) {
    worker(epoch, 1);
    return workers.take(epoch).get(0);
  }

  private void holds(long epoch, Delivery delivery) {
    workers.held.add(new WorkerApi.Running(epoch, delivery.record().id, delivery.fence()));
  }

  /**
   * The home dies, and so does whoever was given the later delivery; the earlier one is told of.
   */
  private void laterIsForgotten(Delivery earlier, Delivery later) {
    assertTrue(later.fence() > earlier.fence());
    workers.held.clear();
    holds(1, earlier);
    restart();
    complete(1, success(earlier));
    assertEquals(TaskState.PENDING, state(earlier.record().id), "its result comes too late");
    Delivery last = given(9);
    assertTrue(last.fence() > later.fence());
    complete(9, success(last));
    assertEquals(TaskState.SUCCESS, state(earlier.record().id));
    checkMemory();
  }

  private TaskRecord record(String id) {
    return home.home.store.read(List.of(id)).get(id);
  }

  @Test
  void aDeliveryThatOneHomeDidNotHearOfIsOverForTheNext() {
    submit(Make.record("a"));
    Delivery first = given(1);
    restart();
    laterIsForgotten(first, given(2));
  }

  @Test
  void aDeliveryOfTheHomeBeforeLastIsOverForTheNextButOne() {
    submit(Make.record("a"));
    Delivery first = given(1);
    restart();
    Delivery second = given(2);
    restart();
    Delivery third = given(3);
    assertTrue(second.fence() > first.fence());
    laterIsForgotten(first, third);
  }

  @Test
  void aDeliveryOfAWorkerThatWasGivenUpIsOver() {
    submit(Make.record("a"));
    Delivery first = given(1);
    home.workerLeft(1);
    laterIsForgotten(first, given(2));
    assertEquals(0, record("a").workerLosses, "it had not been seen to start");
  }

  @Test
  void aDeliveryThatMayNotHaveArrivedIsOver() {
    submit(Make.record("a"));
    Delivery first = given(1);
    complete(1, plain(first, Outcome.UNDELIVERED));
    home.workerLeft(1);
    laterIsForgotten(first, given(2));
  }

  @Test
  void aDeliveryThatWasLostIsOver() {
    submit(Make.record("a"));
    Delivery first = given(1);
    complete(1, plain(first, Outcome.LOST));
    home.workerLeft(1);
    laterIsForgotten(first, given(2));
  }

  @Test
  void anOutcomeWhoseAnswerWentDownWithItsHomeCountsOnce() {
    submit(Make.record("again"), Make.record("dies"));
    worker(1, 2);
    Delivery again = null;
    Delivery dies = null;
    for (Delivery d : workers.take(1)) {
      holds(1, d);
      if (d.record().id.equals("again")) {
        again = d;
      } else {
        dies = d;
      }
    }
    Outcome.Retry soon = new Outcome.Retry(0, null, false, null, -1, -1);
    Outcome retry =
        new Outcome("again", again.fence(), Outcome.RETRY, null, false, 5, "Oops", soon, false);
    complete(1, retry, plain(dies, Outcome.LOST));
    // The worker has not been answered: it says that it has both, and says the same once more.
    restart();
    complete(1, retry, plain(dies, Outcome.LOST));
    assertEquals(1, record("again").attempt);
    assertEquals(1, record("dies").deliveries);
    checkMemory();
  }

  @Test
  void whatIsAdoptedMayBeAdoptedByOneHomeAfterTheOther() {
    submit(Make.record("a"), Make.record("b"));
    worker(1, 2);
    Delivery first = workers.take(1).get(0);
    holds(1, first);
    for (int homes = 0; homes < 3; homes++) {
      restart();
      assertEquals(first.fence(), record("a").fence, "its successor must know");
    }
    complete(1, success(first));
    assertEquals(TaskState.SUCCESS, state("a"));
    assertEquals(TaskState.PENDING, state("b"));
    checkMemory();
  }

  @Test
  void whatAHomeGivesOutWhileItIsReplacedIsOver() {
    submit(Make.record("a"));
    restart();
    HomeRegistry replaced = home;
    restart();
    // It has not seen yet that it is a home no more.
    replaced.workerJoined(Make.worker(1, List.of("default"), List.of("add")));
    replaced.credits(1, 1);
    Delivery first = workers.take(1).get(0);
    laterIsForgotten(first, given(2));
  }
}
