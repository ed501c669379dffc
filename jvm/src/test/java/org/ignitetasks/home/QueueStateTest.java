package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.ignitetasks.model.TaskRecord;
import org.junit.jupiter.api.Test;

/** The order of a home by lists of events. Time is whatever the test says. */
class QueueStateTest {
  private static final long TTL = 10_000 * Make.MILLI;
  private static final long GRACE = 2_000 * Make.MILLI;
  private static final long RECORD = 1_000 * Make.MILLI;

  private final List<String> passedOver = new ArrayList<>();
  private final QueueState state = new QueueState(TTL, GRACE, e -> passedOver.add(e.id));

  private void submit(String... ids) {
    for (String id : ids) {
      state.submitted(Make.entry(id), 0);
    }
  }

  private void worker(long epoch, int free) {
    worker(epoch, free, List.of("default"), List.of("add"));
  }

  private void worker(long epoch, int free, List<String> queues, List<String> tasks) {
    state.workerJoined(Make.worker(epoch, queues, tasks), 0);
    assertTrue(state.credits(epoch, free, 0));
  }

  /** Dispatches and returns the ids now outbound, worker by worker, as they would be sent. */
  private List<String> sent(long nowMillis) {
    List<String> ids = new ArrayList<>();
    Collection<WorkerSlots> touched = state.dispatch(nowMillis, nowMillis * Make.MILLI);
    for (WorkerSlots worker : state.workers()) {
      assertEquals(touched.contains(worker), worker.hasOutbound());
      for (Entry entry : worker.takeOutbound(1000)) {
        entry.sent = true;
        ids.add(entry.id);
      }
    }
    return ids;
  }

  private void end(String id) {
    Entry entry = state.lease(id);
    assertNotNull(state.completing(id, entry.fence));
    state.ended(entry);
  }

  private Entry giveBack(String id, long nowMillis) {
    Entry entry = state.lease(id);
    assertNotNull(state.completing(id, entry.fence));
    assertTrue(state.requeueCold(entry, nowMillis));
    return entry;
  }

  @Test
  void higherPriorityFirstThenFirstInFirstOut() {
    int[] priorities = {0, 5, 255, 5, 0, 128, 255};
    for (int i = 0; i < priorities.length; i++) {
      state.submitted(Make.entry("t" + i, "add", "default", priorities[i]), 0);
    }
    worker(1, 100);
    assertEquals(List.of("t2", "t6", "t5", "t1", "t3", "t0", "t4"), sent(0));
  }

  @Test
  void whatComesBackTakesItsOldPlace() {
    submit("a", "b", "c", "d", "e");
    worker(1, 3);
    assertEquals(List.of("a", "b", "c"), sent(0));
    giveBack("c", 0);
    giveBack("a", 0);
    state.credits(1, 10, 0);
    assertEquals(List.of("a", "c", "d", "e"), sent(0));
  }

  @Test
  void creditIsNeverExceeded() {
    submit("a", "b", "c", "d");
    worker(1, 1);
    worker(2, 2);
    assertEquals(3, sent(0).size());
    assertEquals(List.of(), sent(0));
    for (WorkerSlots worker : state.workers()) {
      assertEquals(0, worker.free);
    }
  }

  @Test
  void anAnnouncementDoesNotCountWhatIsStillToBeSent() {
    submit("a", "b", "c");
    worker(1, 2);
    state.dispatch(0, 0);
    state.credits(1, 2, 0);
    assertEquals(0, state.worker(1).free, "two are decided for it already");
    state.dispatch(0, 0);
    assertEquals(2, state.worker(1).takeOutbound(10).size());
    state.credits(1, 1, 0);
    assertEquals(List.of("c"), sent(0));
  }

  @Test
  void theWorkerWithMostRoomGetsTheNext() {
    submit("a", "b", "c");
    worker(1, 1);
    worker(2, 3);
    state.dispatch(0, 0);
    assertEquals(1, state.worker(2).free, "it got the first two");
    assertEquals(0, state.worker(1).free, "and the other one the third");
  }

  @Test
  void everyDeliveryHasAFenceOfItsOwnAndTheyGrow() {
    worker(1, 1);
    submit("a", "b");
    Set<Long> fences = new HashSet<>();
    long last = 0;
    for (int i = 0; i < 20; i++) {
      String id = sent(0).get(0);
      long fence = state.lease(id).fence;
      assertTrue(fence > last);
      assertTrue(fences.add(fence));
      last = fence;
      giveBack(id, 0);
      state.credits(1, 1, 0);
    }
    state.startFencesAt(7);
    String id = sent(0).get(0);
    assertEquals((7L << 32) + 1, state.lease(id).fence);
    state.startFencesAt(3);
    giveBack(id, 0);
    state.credits(1, 1, 0);
    assertEquals((7L << 32) + 2, state.lease(sent(0).get(0)).fence, "never back");
  }

  @Test
  void aStaleFenceIsRefusedAndAClaimIsExclusive() {
    worker(1, 1);
    submit("a");
    sent(0);
    long old = state.lease("a").fence;
    assertNull(state.completing("a", old + 1));
    assertNull(state.completing("nobody", old));
    assertFalse(state.busy("a", old));
    Entry entry = state.completing("a", old);
    assertTrue(state.busy("a", old));
    assertNull(state.completing("a", old));
    state.released(entry, 0);
    assertFalse(state.busy("a", old));
    assertNotNull(state.completing("a", old));
    state.requeueCold(entry, 0);
    state.credits(1, 1, 0);
    sent(0);
    assertNull(state.completing("a", old));
    assertNotNull(state.completing("a", state.lease("a").fence));
  }

  @Test
  void whatIsClaimedBeforeItIsSentIsNotSent() {
    worker(1, 2);
    submit("a", "b");
    state.dispatch(0, 0);
    Entry a = state.lease("a");
    state.completing("a", a.fence);
    assertEquals(1, state.worker(1).free, "its slot is free again");
    state.released(a, 0);
    assertNull(state.lease("a"), "it goes back, since nobody would ever send it");
    assertEquals(List.of("b", "a"), sent(0));
  }

  @Test
  void aDelayedTaskWaitsForItsTimeAndKeepsItsPlace() {
    worker(1, 10);
    state.submitted(Make.delayed("late", 500), 0);
    state.submitted(Make.delayed("early", 100), 0);
    assertEquals(100, state.nextWakeMillis());
    assertEquals(List.of(), sent(99));
    state.credits(1, 0, 0);
    submit("now");
    assertEquals(List.of(), sent(500));
    state.credits(1, 10, 0);
    assertEquals(List.of("late", "early", "now"), sent(500), "by arrival, once both are due");
    assertEquals(Long.MAX_VALUE, state.nextWakeMillis());
  }

  @Test
  void aRetryMayChangeQueuePriorityAndTime() {
    worker(1, 1, List.of("default", "slow"), List.of("add"));
    submit("a");
    sent(0);
    Entry entry = state.completing("a", state.lease("a").fence);
    TaskRecord changed = entry.record.copy();
    changed.queue = "slow";
    changed.priority = 9;
    changed.etaMillis = 50;
    assertTrue(state.requeue(entry, changed, 10));
    state.credits(1, 1, 0);
    assertEquals(List.of(), sent(49));
    assertEquals(List.of("a"), sent(50));
    assertEquals(9, entry.priority());
    Make.checkInvariants(state, Set.of("a"));
  }

  @Test
  void aPriorityOutOfRangeIsBroughtIntoIt() {
    state.submitted(Make.entry("low", "add", "default", -7), 0);
    state.submitted(Make.entry("high", "add", "default", 100_000), 0);
    state.submitted(Make.entry("top", "add", "default", 255), 0);
    worker(1, 5);
    assertEquals(List.of("high", "top", "low"), sent(0));
  }

  @Test
  void tasksNoWorkerWithRoomKnowsDoNotHoldUpTheOthers() {
    state.submitted(Make.entry("x1", "strange", "default", 9), 0);
    state.submitted(Make.entry("x2", "strange", "default", 9), 0);
    submit("a", "b");
    worker(1, 1);
    assertEquals(List.of("a"), sent(0));
    worker(2, 1, List.of("default"), List.of("strange"));
    assertEquals(List.of("x1"), sent(0));
    state.credits(1, 1, 0);
    state.credits(2, 1, 0);
    assertEquals(Set.of("b", "x2"), Set.copyOf(sent(0)));
  }

  @Test
  void whatIsSetAsideStaysInOrderWithWhatComesLater() {
    worker(1, 1, List.of("default"), List.of("other"));
    submit("a", "b");
    sent(0);
    submit("c");
    worker(2, 5);
    assertEquals(List.of("a", "b", "c"), sent(0));
  }

  @Test
  void aTaskThatNoListeningWorkerKnowsEndsAfterTheGrace() {
    submit("a", "b");
    assertEquals(List.of(), state.tick(50 * GRACE, RECORD).unregistered(), "nobody listens");
    worker(1, 5, List.of("default"), List.of("other"));
    sent(0);
    assertEquals(List.of(), state.tick(1, RECORD).unregistered());
    assertEquals(List.of(), state.tick(GRACE, RECORD).unregistered());
    List<Entry> gone = state.tick(GRACE + 2, RECORD).unregistered();
    assertEquals(List.of("a", "b"), gone.stream().map(e -> e.id).toList());
    Make.checkInvariants(state, Set.of());
  }

  @Test
  void theGraceStartsAnewWhenAWorkerKnowsTheTask() {
    submit("a");
    worker(1, 5, List.of("default"), List.of("other"));
    sent(0);
    state.tick(1, RECORD);
    worker(2, 0);
    state.tick(GRACE, RECORD);
    state.workerLeft(2, 0);
    state.tick(GRACE + 5, RECORD);
    assertEquals(List.of(), state.tick(2 * GRACE, RECORD).unregistered());
    assertEquals(1, state.tick(2 * GRACE + 6, RECORD).unregistered().size());
  }

  @Test
  void aWorkerThatLeftGivesBackWhatWasNotSentAndLosesTheRest() {
    worker(1, 3);
    submit("a", "b", "c", "d");
    state.dispatch(0, 0);
    for (Entry entry : state.worker(1).takeOutbound(2)) {
      entry.sent = true;
    }
    Entry claimed = state.completing("a", state.lease("a").fence);
    List<Entry> held = state.workerLeft(1, 0);
    assertEquals(List.of("b"), held.stream().map(e -> e.id).toList());
    assertNull(state.worker(1));
    assertEquals(0, state.listeners("default"));
    assertEquals(2, state.queues().iterator().next().waiting(), "c was never sent");
    state.requeueCold(held.get(0), 0);
    state.ended(claimed);
    assertEquals(List.of(), state.workerLeft(1, 0), "a second time there is nothing");
    worker(2, 5);
    assertEquals(List.of("b", "c", "d"), sent(0));
  }

  @Test
  void aClaimThatDoesNotEndTheLeaseOfALostWorkerIsFoundAgain() {
    worker(1, 2);
    submit("a");
    sent(0);
    Entry claimed = state.completing("a", state.lease("a").fence);
    assertEquals(List.of(), state.workerLeft(1, 0));
    assertEquals(List.of(), state.tick(0, RECORD).orphans(), "it may still end");
    state.released(claimed, 0);
    List<Entry> orphans = state.tick(1, RECORD).orphans();
    assertEquals(List.of(claimed), orphans);
    assertTrue(claimed.completing, "claimed for whoever writes its loss");
    assertEquals(List.of(), state.tick(2, RECORD).orphans());
  }

  @Test
  void anAdoptedLeaseWaitsForItsWorkerAsLongAsALeaseLasts() {
    Entry entry = Make.entry("a");
    state.adopted(entry, 5, 77, 0);
    assertEquals(List.of(), state.tick(TTL, RECORD).orphans());
    state.paused(100);
    assertEquals(List.of(), state.tick(TTL + 100, RECORD).orphans());
    assertEquals(List.of(entry), state.tick(TTL + 101, RECORD).orphans());
  }

  @Test
  void aSilentWorkerIsNoticedAndAPauseIsNotHeldAgainstIt() {
    worker(1, 2);
    submit("a");
    sent(0);
    assertEquals(List.of(), state.tick(TTL, RECORD).silentWorkers());
    assertEquals(1, state.tick(TTL + 1, RECORD).silentWorkers().size());
    state.paused(TTL);
    assertEquals(List.of(), state.tick(2 * TTL, RECORD).silentWorkers());
    state.credits(1, 2, 2 * TTL);
    assertEquals(List.of(), state.tick(3 * TTL, RECORD).silentWorkers());
    assertFalse(state.credits(99, 1, 0), "an unknown worker must join again");
  }

  @Test
  void leasesThatLastAreToBePutOnRecordOnce() {
    worker(1, 3);
    submit("a");
    sent(0);
    assertEquals(List.of(), state.tick(RECORD, RECORD).longRunning());
    List<Entry> found = state.tick(RECORD + 1, RECORD).longRunning();
    assertEquals(1, found.size());
    found.get(0).leaseOnRecord = true;
    assertEquals(List.of(), state.tick(RECORD + 2, RECORD).longRunning());
  }

  @Test
  void aRevokedWaitingTaskIsPassedOverOnceAndOnlyThatArrival() {
    submit("a", "b");
    state.revokedWaiting("a");
    assertEquals(1, state.revokedWaitingCount());
    submit("a2");
    Entry again = Make.entry("a");
    state.submitted(again, 0);
    worker(1, 10);
    assertEquals(List.of("b", "a2", "a"), sent(0));
    assertEquals(List.of("a"), passedOver);
    assertEquals(0, state.revokedWaitingCount());
    assertEquals(again, state.lease("a"));
  }

  @Test
  void marksThatMeetNothingAreForgotten() {
    submit("a");
    state.revokedWaiting("nobody");
    state.tick(0, RECORD);
    assertEquals(1, state.revokedWaitingCount());
    worker(1, 1);
    sent(0);
    state.tick(0, RECORD);
    assertEquals(0, state.revokedWaitingCount());
    state.revokedWaiting("x");
    state.notRevoked("x");
    assertEquals(0, state.revokedWaitingCount());
  }

  @Test
  void drainTakesWhatIsWantedAndLeavesTheOrder() {
    submit("a", "b", "c", "d");
    state.submitted(Make.delayed("later", 500), 0);
    state.submitted(Make.entry("q", "add", "other", 0), 0);
    state.revokedWaiting("b");
    List<Entry> taken = state.drain("default", 10, e -> !e.id.equals("c"));
    assertEquals(
        List.of("a", "d", "later"), taken.stream().map(e -> e.id).toList(), "b was revoked");
    assertEquals(List.of("b"), passedOver);
    Make.checkInvariants(state, Set.of("c", "q"));
    taken.forEach(entry -> state.restored(entry, 0));
    worker(1, 10);
    assertEquals(List.of("a", "c", "d"), sent(0), "back at their places");
  }

  @Test
  void drainTakesNoMoreThanAsked() {
    for (int i = 0; i < 100; i++) {
      state.submitted(Make.entry("t" + i, "add", "default", i % 3), 0);
    }
    assertEquals(40, state.drain(null, 40, e -> true).size());
    worker(1, 1000);
    assertEquals(60, sent(0).size());
  }

  @Test
  void anAdoptedLeaseIsHeldByItsFenceEvenBeforeTheWorkerIsKnown() {
    Entry entry = Make.entry("a");
    state.adopted(entry, 5, 77, 0);
    assertNotNull(state.lease("a"));
    worker(5, 1);
    assertEquals(1, state.worker(5).leased);
    assertNull(state.completing("a", 76));
    end("a");
    assertEquals(0, state.worker(5).leased);
    Make.checkInvariants(state, Set.of());
  }

  @Test
  void droppedLeasesEndAndWhatComesOfThemLaterChangesNothing() {
    worker(1, 3);
    submit("a", "b");
    sent(0);
    Entry a = state.completing("a", state.lease("a").fence);
    assertEquals(1, state.dropLeases(e -> e.id.equals("a")));
    assertFalse(state.requeue(a, a.record, 0), "its partition has another home now");
    assertFalse(state.requeueCold(a, 0));
    state.ended(a);
    Make.checkInvariants(state, Set.of("b"));
  }

  @Test
  void queuesOfEqualPriorityTakeTurns() {
    for (int i = 0; i < 3; i++) {
      state.submitted(Make.entry("x" + i, "add", "x", 0), 0);
      state.submitted(Make.entry("y" + i, "add", "y", 0), 0);
    }
    state.submitted(Make.entry("y-urgent", "add", "y", 1), 0);
    worker(1, 100, List.of("x", "y"), List.of("add"));
    List<String> order = sent(0);
    assertEquals("y-urgent", order.get(0));
    for (int i = 1; i < 7; i += 2) {
      assertTrue(order.get(i).charAt(0) != order.get(i + 1).charAt(0), order.toString());
    }
  }

  @Test
  void oneQueueWithoutCreditDoesNotHoldUpAnother() {
    state.submitted(Make.entry("x", "add", "x", 200), 0);
    submit("a");
    worker(1, 1);
    assertEquals(List.of("a"), sent(0));
  }
}
