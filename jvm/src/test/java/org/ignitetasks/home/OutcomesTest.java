package org.ignitetasks.home;

import static org.ignitetasks.home.Outcomes.Next.END;
import static org.ignitetasks.home.Outcomes.Next.REQUEUE;
import static org.ignitetasks.home.Outcomes.Next.REQUEUE_UNCHANGED;
import static org.ignitetasks.home.Outcomes.Next.RUN_ON;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.Test;

/** What each outcome means for a record: the whole table. */
class OutcomesTest {
  private static final long NOW = 1_800_000_000_000L;
  private static final byte[] PAYLOAD = {'m', 42};
  private static final int[] FLAGS = {
    0,
    TaskFlags.IGNORE_RESULT,
    TaskFlags.EARLY_ACK,
    TaskFlags.TRACK_STARTED,
    TaskFlags.CHECK_EXISTS,
    TaskFlags.IGNORE_RESULT | TaskFlags.EARLY_ACK | TaskFlags.TRACK_STARTED
  };

  private static TaskRecord record(int flags) {
    TaskRecord r = Make.record("t-1");
    r.flags = flags;
    r.options = new byte[] {5};
    if ((flags & TaskFlags.EARLY_ACK) != 0) {
      r.state = TaskState.STARTED;
      r.fence = 7;
    }
    return r;
  }

  private static Outcome outcome(int kind, boolean ref, String error) {
    return new Outcome("t-1", 7, kind, PAYLOAD, ref, 1_500_000, error, null, false);
  }

  private static Outcomes.Next apply(TaskRecord r, Outcome o) {
    return Outcomes.apply(r, o, "w1", NOW, false);
  }

  private static String failure(TaskRecord r) {
    return new String(r.payload, StandardCharsets.UTF_8);
  }

  @Test
  void successKeepsTheResultUnlessNobodyWantsIt() {
    for (int flags : FLAGS) {
      for (boolean ref : new boolean[] {false, true}) {
        TaskRecord r = record(flags);
        assertEquals(END, apply(r, outcome(Outcome.SUCCESS, ref, null)));
        assertEquals(TaskState.SUCCESS, r.state);
        boolean keep = (flags & TaskFlags.IGNORE_RESULT) == 0;
        assertArrayEquals(keep ? PAYLOAD : null, r.payload);
        assertEquals(keep && ref, r.has(TaskFlags.RESULT_REF));
        assertNull(r.body, "nothing will run it again");
        assertNull(r.options);
        assertEquals("w1", r.worker);
        assertEquals(NOW, r.finishedMillis);
        assertEquals(NOW - 1_500, r.startedMillis);
        assertEquals(1_500_000, r.runMicros);
        assertEquals(NOW + r.resultTtlMillis, r.dueMillis());
      }
    }
  }

  @Test
  void argumentsAndStampsAreKeptWithTheResultWhereSomebodyWantsThem() {
    TaskRecord kept = record(TaskFlags.KEEP_BODY);
    assertEquals(END, apply(kept, outcome(Outcome.SUCCESS, false, null)));
    assertTrue(kept.body != null && kept.options != null);
    TaskRecord nobody = record(TaskFlags.KEEP_BODY | TaskFlags.IGNORE_RESULT);
    assertEquals(END, apply(nobody, outcome(Outcome.SUCCESS, false, null)));
    assertNull(nobody.body);
    assertNull(nobody.options);
  }

  @Test
  void failuresAreKeptEvenWhereResultsAreNot() {
    for (int flags : FLAGS) {
      TaskRecord failed = record(flags);
      assertEquals(END, apply(failed, outcome(Outcome.FAILURE, false, "ValueError")));
      assertEquals(TaskState.FAILURE, failed.state);
      assertEquals("ValueError", failed.errorType);
      assertArrayEquals(PAYLOAD, failed.payload);
      assertTrue(failed.body != null, "it may be run again by hand");

      TaskRecord rejected = record(flags);
      assertEquals(END, apply(rejected, outcome(Outcome.REJECT, true, "Reject")));
      assertEquals(TaskState.REJECTED, rejected.state);
      assertTrue(rejected.has(TaskFlags.RESULT_REF));

      TaskRecord ignored = record(flags);
      assertEquals(END, apply(ignored, Outcome.plain("t-1", 7, Outcome.IGNORE)));
      assertEquals(TaskState.IGNORED, ignored.state);
      assertNull(ignored.payload);
      assertNull(ignored.body);

      TaskRecord revoked = record(flags);
      assertEquals(END, apply(revoked, Outcome.plain("t-1", 7, Outcome.REVOKED)));
      assertEquals(TaskState.REVOKED, revoked.state);
      assertEquals("TaskRevokedError", revoked.errorType);
    }
  }

  @Test
  void aLostDeliveryCountsUpToTheLimit() {
    for (int flags : new int[] {0, TaskFlags.IGNORE_RESULT, TaskFlags.TRACK_STARTED}) {
      TaskRecord r = record(flags);
      r.state = TaskState.STARTED;
      r.fence = 7;
      for (int lost = 1; lost < 3; lost++) {
        assertEquals(REQUEUE, apply(r, Outcome.plain("t-1", 7, Outcome.LOST)));
        assertEquals(TaskState.PENDING, r.state);
        assertEquals(lost, r.deliveries);
        assertEquals(0, r.fence, "no open start on record");
      }
      assertEquals(END, apply(r, Outcome.plain("t-1", 7, Outcome.LOST)));
      assertEquals(TaskState.DEAD, r.state);
      assertEquals(3, r.deliveries);
      assertEquals("WorkerLostError", r.errorType);
      assertTrue(failure(r).contains("3 times"), failure(r));
      assertTrue(r.body != null, "a dead letter can be run again");
    }
  }

  @Test
  void anEarlyAcknowledgedTaskIsNeverRunTwice() {
    TaskRecord lost = record(TaskFlags.EARLY_ACK);
    assertEquals(END, apply(lost, Outcome.plain("t-1", 7, Outcome.LOST)));
    assertEquals(TaskState.FAILURE, lost.state);
    assertEquals("WorkerLostError", lost.errorType);

    TaskRecord gone = record(TaskFlags.EARLY_ACK);
    assertEquals(END, Outcomes.workerLost(gone, 7, "w1", NOW, true));
    assertEquals(TaskState.FAILURE, gone.state);

    TaskRecord rejected = record(TaskFlags.EARLY_ACK);
    Outcome again = new Outcome("t-1", 7, Outcome.REJECT, null, false, 0, null, null, true);
    assertEquals(END, apply(rejected, again));
    assertEquals(TaskState.FAILURE, rejected.state);
  }

  @Test
  void anEarlyAcknowledgedTaskThatNeverStartedGoesBack() {
    TaskRecord notYet = record(TaskFlags.EARLY_ACK);
    notYet.state = TaskState.PENDING;
    assertEquals(REQUEUE, Outcomes.workerLost(notYet, 7, "w1", NOW, true));
    assertEquals(TaskState.PENDING, notYet.state);

    TaskRecord given = record(TaskFlags.EARLY_ACK);
    assertEquals(REQUEUE, apply(given, Outcome.plain("t-1", 7, Outcome.GIVE_BACK)));
    assertEquals(TaskState.PENDING, given.state, "the start on record is taken back");
    assertEquals(0, given.fence);
  }

  @Test
  void aWorkerThatGoesAwayCostsLittle() {
    TaskRecord r = record(0);
    for (int i = 1; i < Outcomes.MAX_WORKER_LOSSES; i++) {
      assertEquals(REQUEUE, Outcomes.workerLost(r, 7, "w1", NOW, true));
      assertEquals(TaskState.PENDING, r.state);
      assertEquals(0, r.deliveries, "not a hint at the task");
    }
    assertEquals(END, Outcomes.workerLost(r, 7, "w1", NOW, true));
    assertEquals(TaskState.DEAD, r.state);
    TaskRecord waited = record(0);
    waited.state = TaskState.PENDING;
    assertEquals(REQUEUE, Outcomes.workerLost(waited, 7, "w1", NOW, false));
    assertEquals(0, waited.workerLosses);
    assertEquals(7, waited.overFence, "the worker may be heard again");
  }

  @Test
  void whatMayOrMayNotHaveArrivedIsOver() {
    TaskRecord r = record(0);
    assertEquals(REQUEUE, apply(r, Outcome.plain("t-1", 7, Outcome.UNDELIVERED)));
    assertEquals(7, r.overFence);
    assertEquals(0, r.deliveries + r.workerLosses);
  }

  @Test
  void whatIsGivenBackIsWrittenOnlyWhereTheRecordKnowsOfIt() {
    for (int kind : new int[] {Outcome.GIVE_BACK, Outcome.NOT_REGISTERED}) {
      TaskRecord plain = record(0);
      assertEquals(REQUEUE_UNCHANGED, apply(plain, Outcome.plain("t-1", 7, kind)));
      assertEquals(TaskState.PENDING, plain.state);

      TaskRecord known = record(0);
      known.fence = 7;
      Outcome back = Outcome.plain("t-1", 7, kind);
      assertEquals(REQUEUE, Outcomes.apply(known, back, "w1", NOW, true));
      assertEquals(0, known.fence);

      TaskRecord started = record(TaskFlags.TRACK_STARTED);
      started.state = TaskState.STARTED;
      started.attempt = 2;
      assertEquals(REQUEUE, apply(started, Outcome.plain("t-1", 7, kind)));
      assertEquals(TaskState.RETRY, started.state, "it was a retry before");
      assertEquals(0, started.startedMillis);
    }
  }

  @Test
  void aStartIsWrittenAndTheTaskRunsOn() {
    TaskRecord r = record(TaskFlags.TRACK_STARTED);
    assertEquals(RUN_ON, apply(r, Outcome.plain("t-1", 7, Outcome.STARTED)));
    assertEquals(TaskState.STARTED, r.state);
    assertEquals(NOW, r.startedMillis);
    assertEquals(7, r.fence);
    assertEquals("w1", r.worker);
  }

  @Test
  void aRejectMayAskForAnotherTurn() {
    TaskRecord r = record(0);
    Outcome again = new Outcome("t-1", 7, Outcome.REJECT, null, false, 0, null, null, true);
    assertEquals(REQUEUE, apply(r, again));
    assertEquals(1, r.deliveries);
    assertEquals(REQUEUE, apply(r, again));
    assertEquals(END, apply(r, again));
    assertEquals(TaskState.DEAD, r.state);
  }

  @Test
  void aRetryChangesWhatItNames() {
    TaskRecord r = record(0);
    r.deliveries = 1;
    Outcome.Retry all =
        new Outcome.Retry(NOW + 500, new byte[] {9}, true, "slow", 7, NOW + 9_000, new byte[] {5});
    Outcome o = new Outcome("t-1", 7, Outcome.RETRY, PAYLOAD, false, 10, "IOError", all, false);
    assertEquals(REQUEUE, apply(r, o));
    assertEquals(TaskState.RETRY, r.state);
    assertEquals(1, r.attempt);
    assertEquals(1, r.deliveries, "an exception is no lost delivery");
    assertEquals(NOW + 500, r.etaMillis);
    assertArrayEquals(new byte[] {9}, r.body);
    assertTrue(r.has(TaskFlags.BODY_REF));
    assertEquals("slow", r.queue);
    assertEquals(7, r.priority);
    assertEquals(NOW + 9_000, r.expiresMillis);
    assertArrayEquals(PAYLOAD, r.payload);
    assertEquals("IOError", r.errorType);
    assertArrayEquals(new byte[] {5}, r.options);

    Outcome.Retry nothing = new Outcome.Retry(0, null, false, null, -1, -1);
    o = new Outcome("t-1", 8, Outcome.RETRY, null, false, 10, null, nothing, false);
    assertEquals(REQUEUE, apply(r, o));
    assertEquals(2, r.attempt);
    assertArrayEquals(new byte[] {9}, r.body);
    assertTrue(r.has(TaskFlags.BODY_REF), "the body is what it was");
    assertEquals("slow", r.queue);
    assertEquals(7, r.priority);
    assertEquals(NOW + 9_000, r.expiresMillis);
    assertEquals(0, r.etaMillis);
    assertArrayEquals(new byte[] {5}, r.options);
  }

  @Test
  void aRetryAfterASuccessHasNoEffectOnTheFlagsOfTheResult() {
    TaskRecord r = record(0);
    Outcome.Retry nothing = new Outcome.Retry(0, null, false, null, -1, -1);
    apply(r, new Outcome("t-1", 7, Outcome.RETRY, PAYLOAD, true, 1, null, nothing, false));
    assertTrue(r.has(TaskFlags.RESULT_REF));
    apply(r, outcome(Outcome.SUCCESS, false, null));
    assertFalse(r.has(TaskFlags.RESULT_REF));
  }

  @Test
  void nothingLeavesATerminalState() {
    List<Integer> kinds =
        List.of(
            Outcome.SUCCESS,
            Outcome.FAILURE,
            Outcome.IGNORE,
            Outcome.REVOKED,
            Outcome.STARTED,
            Outcome.REJECT);
    for (TaskState state : TaskState.values()) {
      if (state.terminal()) {
        for (int kind : kinds) {
          TaskRecord r = record(0);
          r.state = state;
          assertThrows(
              IllegalStateException.class, () -> apply(r, outcome(kind, false, null)), state + "");
        }
      }
    }
  }

  @Test
  void anUnknownKindIsRefused() {
    Outcome odd = Outcome.plain("t-1", 7, 99);
    assertThrows(IllegalArgumentException.class, () -> apply(record(0), odd));
  }

  @Test
  void progressIsKeptWhileTheTaskRunsAndNoLonger() {
    TaskRecord r = record(0);
    assertEquals(RUN_ON, apply(r, outcome(Outcome.PROGRESS, false, "LOADING")));
    assertEquals(TaskState.STARTED, r.state);
    assertEquals("LOADING", r.note);
    assertArrayEquals(PAYLOAD, r.payload);
    assertEquals(NOW, r.startedMillis);
    assertEquals(7, r.fence);
    TaskRecord ended = r.copy();
    apply(ended, outcome(Outcome.SUCCESS, false, null));
    assertNull(ended.note);
    TaskRecord failed = r.copy();
    Outcomes.fail(failed, TaskState.REVOKED, "E", "m", null, NOW);
    assertNull(failed.note);
    TaskRecord lost = r.copy();
    assertEquals(REQUEUE, Outcomes.workerLost(lost, 7, "w1", NOW, true));
    assertNull(lost.note);
    assertNull(lost.payload, "it is no result of the next execution");
  }
}
