package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;
import org.junit.jupiter.api.Test;

/** Revokes that outlive the home: of ids nobody has submitted yet, and of what runs. */
class HomeRevokeTest extends HomeTestBase {
  private static List<TaskRecord> counted(int count) {
    List<TaskRecord> records = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      records.add(Make.record(String.format("3f2b8c1e-0d4a-4b6c-8a9e-%08xf1d3", i)));
    }
    return records;
  }

  @Test
  void anIdThatWasRevokedBeforeItIsSubmittedIsRefused() {
    assertArrayEquals(new int[] {-1}, home.revoke(List.of("early"), false, "TERM"));
    assertNull(info("early"), "nobody has heard of it yet");
    submit(Make.record("early"), Make.record("other"));
    assertEquals(TaskState.REVOKED, state("early"));
    List<Completion> told = gateways.told(CLIENT);
    assertEquals(List.of("early"), told.stream().map(Completion::id).toList());
    worker(1, 5);
    assertEquals(List.of("other"), runAll(1));
    assertEquals(1, number("REVOKED"));
    checkMemory();
  }

  @Test
  void itIsSoForAHomeThatWasRebuilt() {
    home.revoke(List.of("early"), true, "TERM");
    restart();
    submit(Make.record("early"));
    restart();
    worker(1, 5);
    assertEquals(List.of(), runAll(1));
    assertEquals(TaskState.REVOKED, state("early"));
    // Whoever vouches that the id is new does not bring it back.
    home.submit(List.of(Make.record("early")), CLIENT, true);
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void oneOfManyThatAreSubmittedTogetherIsRefusedAlone() {
    List<TaskRecord> all = counted(100);
    String refused = all.get(40).id;
    home.revoke(List.of(refused), false, "TERM");
    home.submit(all, CLIENT, false);
    assertEquals(TaskState.REVOKED, state(refused));
    restart();
    worker(1, 200);
    assertEquals(99, runAll(1).size());
    assertEquals(1, number("REVOKED"));
    assertEquals(99, number("SUCCESS"));
  }

  @Test
  void aTaskThatAnotherBringsIsRefusedToo() {
    home.revoke(List.of("next"), false, "TERM");
    submit(Make.record("first"));
    worker(1, 5);
    Delivery d = workers.take(1).get(0);
    Spawn spawn = new Spawn(List.of(Make.record("next")), List.of(), List.of());
    complete(
        1,
        new Outcome("first", d.fence(), Outcome.SUCCESS, null, false, 1, null, null, false, spawn));
    assertEquals(TaskState.REVOKED, state("next"));
    assertEquals(List.of(), runAll(1));
  }

  @Test
  void itHoldsForADay() {
    home.revoke(List.of("early"), false, "TERM");
    aheadMillis.set(RevokedAhead.STAY_MILLIS + 1_000);
    submit(Make.record("early"));
    worker(1, 5);
    assertEquals(List.of("early"), runAll(1));
  }

  @Test
  void itsMarkerIsSwept() {
    home.revoke(List.of("early"), false, "TERM");
    assertEquals(1, rowCount());
    aheadMillis.set(RevokedAhead.STAY_MILLIS + 1_000);
    start();
    waitFor("the marker goes", () -> rowCount() == 0);
    assertFalse(home.home.ahead.has("early", home.home.nowMillis()));
  }

  @Test
  void whatRanWhenItWasRevokedDoesNotRunAgainAfterTheHomeHasDied() {
    submit(Make.record("a"), Make.record("b"));
    worker(1, 5);
    List<Delivery> running = workers.take(1);
    assertEquals(2, running.size());
    home.revoke(List.of("a"), false, "TERM");
    assertEquals(0, info("a").state.code(), "it may still end by itself");
    restart();
    worker(2, 5);
    assertEquals(List.of("b"), runAll(2));
    assertEquals(TaskState.REVOKED, state("a"));
  }

  @Test
  void whatRanWhenItWasRevokedMayEndByItself() {
    submit(Make.record("a"));
    worker(1, 5);
    Delivery d = workers.take(1).get(0);
    home.revoke(List.of("a"), false, "TERM");
    complete(1, success(d));
    assertEquals(TaskState.SUCCESS, state("a"));
  }

  @Test
  void aRevokeOfARunningTaskThatCouldNotBeWrittenCanBeRepeated() {
    submit(Make.record("a"));
    worker(1, 5);
    Delivery d = workers.take(1).get(0);
    faults.once("write");
    assertThrows(TasksException.class, () -> home.revoke(List.of("a"), false, "TERM"));
    home.revoke(List.of("a"), false, "TERM");
    assertTrue(info("a").has(TaskFlags.REVOKE_ASKED));
    complete(1, plain(d, Outcome.LOST));
    assertEquals(TaskState.REVOKED, state("a"));
    checkMemory();
  }
}
