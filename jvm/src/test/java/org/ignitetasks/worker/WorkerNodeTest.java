package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.msgpack.value.Value;

/** Deliveries from push to outcome, with played supervisors and children over real sockets. */
class WorkerNodeTest extends LaneTestBase {
  private Peer supervisor;
  private long epoch;

  @BeforeEach
  void join() throws IOException {
    supervisor = peer(Peer.supervisor(socket));
    epoch = supervisor.welcomeEpoch();
  }

  /** Makes the name known as short: one run of it that took next to nothing. */
  private void teach(Peer child, String task, long micros) throws IOException {
    home.queue(epoch, List.of(record("teach-" + task + child, task)));
    child.success(micros, child.run());
    home.awaitKinds(Outcome.SUCCESS, "teach-" + task + child);
  }

  /** Returns a child with one slot that has so many short tasks at once. */
  private Peer childHolding(String prefix, int count) throws IOException {
    Peer child = child(epoch, 0, 1);
    teach(child, "noop", 15);
    home.queue(epoch, records(prefix, count, "noop"));
    child.awaitRuns(count);
    return child;
  }

  /** Returns a child with one slot for which there are so many tasks of a name nobody knows yet. */
  private Peer childWith(String prefix, int count) throws IOException {
    Peer child = child(epoch, 0, 1);
    home.queue(epoch, records(prefix, count, "new"));
    return child;
  }

  @Test
  void joinTellsWhoIsThere() {
    assertEquals(1, home.joined.size());
    assertEquals("w1", home.joined.get(0).name());
    assertEquals(List.of("default"), home.joined.get(0).queues());
    assertEquals(epoch, home.joined.get(0).epoch());
    assertTrue(epoch > 0);
    assertEquals(home.joined, node.workers());
  }

  @Test
  void unknownTasksGoOneAtATimeAndInOrder() throws IOException {
    Peer child = child(epoch, 0, 1);
    home.await("credit", () -> home.free(epoch) == 1);
    home.queue(epoch, records("t", 3, "new"));
    Peer.Run first = child.run();
    assertEquals("t0", first.id());
    assertTrue(child.runs.isEmpty());
    assertEquals(0, home.free(epoch));
    child.success(500_000, first);
    assertEquals("t1", child.run().id());
  }

  @Test
  void shortTasksComeInBatchesUpToTheLimit() throws IOException {
    Peer child = child(epoch, 0, 1);
    teach(child, "noop", 15);
    home.queue(epoch, records("s", 1_000, "noop"));
    child.awaitRuns(ChildState.MAX_HELD);
    assertEquals(ChildState.MAX_HELD, child.runs.size());
    int seen = 0;
    while (seen < 1_000) {
      child.awaitRuns(1);
      List<Peer.Run> batch = new ArrayList<>(child.runs);
      child.runs.clear();
      for (Peer.Run run : batch) {
        assertEquals("s" + seen++, run.id());
      }
      child.success(15, batch.toArray(new Peer.Run[0]));
    }
    home.await("all ended", () -> home.outcomes.size() == 1_001);
    assertTrue(home.batches.size() < 200, "calls: " + home.batches.size());
    assertTrue(node.running().isEmpty());
  }

  @Test
  void workIsSharedBetweenChildren() throws IOException {
    Peer one = child(epoch, 0, 1);
    Peer two = child(epoch, 1, 1);
    home.await("credits", () -> home.free(epoch) == 2);
    home.queue(epoch, records("u", 2, "new"));
    one.run();
    two.run();
    assertEquals(2, node.running().size());
  }

  @Test
  void mediumTasksAreHandedOutByExpectedTime() throws IOException {
    Peer child = child(epoch, 0, 1);
    teach(child, "medium", 1_000);
    home.queue(epoch, records("m", 50, "medium"));
    child.awaitRuns(4);
    home.await("four are out", () -> home.free(epoch) == 0);
    assertEquals(4, child.runs.size());
  }

  @Test
  void slotsRunAtTheSameTime() throws IOException {
    Peer child = child(epoch, 0, 3);
    home.await("credits", () -> home.free(epoch) == 3);
    home.queue(epoch, records("p", 5, "new"));
    child.awaitRuns(3);
    assertEquals(3, child.runs.size());
    assertEquals(3, node.running().size());
  }

  @Test
  void largeBodiesAreLimitedByBytes() throws IOException {
    Peer child = child(epoch, 0, 1);
    teach(child, "noop", 15);
    var large = records("l", 6, "noop");
    large.forEach(record -> record.body = new byte[40 << 10]);
    home.queue(epoch, large);
    child.awaitRuns(2);
    assertEquals(2, child.runs.size());
    child.success(15, child.runs.poll(), child.runs.poll());
    child.awaitRuns(2);
  }

  @Test
  void waitingDeliveriesGoBackAndDuplicatesAreDropped() throws IOException {
    Peer child = child(epoch, 0, 1);
    home.queue(epoch, List.of(record("long", "new")));
    child.run();
    Delivery waits = new Delivery(record("waits", "new"), 77);
    node.push(epoch, List.of(waits, waits));
    home.awaitKinds(Outcome.GIVE_BACK, "waits");
  }

  @Test
  void givenBackAndNotRegistered() throws IOException {
    Peer child = childHolding("g", 4);
    child.done(Outcome.GIVE_BACK, 0, "not_registered", 3L);
    home.awaitKinds(Outcome.NOT_REGISTERED, "g1");
    child.done(Outcome.GIVE_BACK, 0, "slow", 4L);
    child.expect(FrameKind.TAKEN_BACK);
    home.awaitKinds(Outcome.GIVE_BACK, "g2", "g3");
    // The one that made the others wait is known as long now: nothing is sent behind it.
    home.queue(epoch, records("h", 1, "noop"));
    assertTrue(home.free(epoch) == 0 && child.runs.size() == 4);
  }

  @Test
  void whatASlowTaskKeepsWaitingIsRunInItsOrderAllTheSame() throws IOException {
    Peer child = childHolding("o", 4);
    Peer.Run slow = child.run();
    child.runs.clear();
    // On its way to the child, which has just given back what came before: it drops it.
    home.queue(epoch, records("p", 2, "noop"));
    child.done(Outcome.GIVE_BACK, 0, "slow", slow.seq() + 1);
    Frame frame = child.next();
    while (frame.kind() == FrameKind.RUN) {
      frame = child.next();
    }
    assertEquals(FrameKind.TAKEN_BACK, frame.kind());
    child.success(30_000, slow);
    for (String id : List.of("o1", "o2", "o3", "p0", "p1")) {
      Peer.Run run = child.run();
      assertEquals(id, run.id());
      child.success(15, run);
    }
    home.awaitKinds(Outcome.SUCCESS, "o0", "o1", "o2", "o3", "p0", "p1");
    assertFalse(home.outcomes.stream().anyMatch(end -> end.kind() == Outcome.GIVE_BACK));
  }

  @Test
  void whatASlowTaskKeepsWaitingGoesToAnotherChild() throws IOException {
    Peer child = childHolding("a", 3);
    Peer other = child(epoch, 1, 1);
    child.done(Outcome.GIVE_BACK, 0, "slow", child.runs.peek().seq() + 1);
    for (String id : List.of("a1", "a2")) {
      Peer.Run run = other.run();
      assertEquals(id, run.id());
      other.success(15, run);
    }
    home.awaitKinds(Outcome.SUCCESS, "a1", "a2");
  }

  @Test
  void aChildMaySayThatATaskIsRevoked() throws IOException {
    Peer child = childWith("s", 1);
    child.run();
    child.done(Outcome.REVOKED, 0, null, 1L);
    home.awaitKinds(Outcome.REVOKED, "s0");
  }

  @Test
  void unknownAndRepeatedNumbersAreIgnored() throws IOException {
    Peer child = childWith("r", 1);
    Peer.Run run = child.run();
    child.done(Outcome.SUCCESS, 5, null, 99L, run.seq(), run.seq());
    child.done(Outcome.FAILURE, 5, "X", run.seq());
    home.queue(epoch, records("q", 1, "new"));
    child.success(5, child.run());
    home.awaitKinds(Outcome.SUCCESS, "r0", "q0");
  }

  @Test
  void startedPassesThroughAndTheTaskGoesOn() throws IOException {
    Peer child = childWith("st", 1);
    Peer.Run run = child.run();
    child.done(Outcome.STARTED, 0, null, run.seq());
    home.await("started", () -> home.outcomes.size() == 1);
    assertEquals(Outcome.STARTED, home.outcomes.get(0).kind());
    child.success(5, run);
    home.await("ended", () -> home.outcomes.size() == 2);
  }

  @Test
  void creditsComeBeforeTheCommit() throws IOException {
    Peer child = child(epoch, 0, 1);
    CountDownLatch commit = new CountDownLatch(1);
    home.queue(epoch, records("c", 1, "new"));
    Peer.Run run = child.run();
    home.onComplete =
        () -> {
          try {
            commit.await(5, TimeUnit.SECONDS);
          } catch (InterruptedException e) {
            throw new AssertionError(e);
          }
        };
    home.queue(epoch, records("d", 1, "new"));
    child.success(5, run);
    assertEquals("d0", child.run().id());
    assertTrue(home.outcomes.isEmpty());
    // What is being committed still counts as running here.
    assertEquals(2, node.running().size());
    commit.countDown();
    home.awaitKinds(Outcome.SUCCESS, "c0");
  }

  @Test
  void completionsAreKeptUntilAHomeTakesThem() throws IOException {
    Peer child = childWith("k", 1);
    home.failure = new TasksException(Code.UNAVAILABLE, "no home");
    child.success(5, child.run());
    home.queue(epoch, records("k1", 1, "new"));
    child.success(5, child.run());
    assertEquals(0, home.outcomes.size());
    home.failure = null;
    home.awaitKinds(Outcome.SUCCESS, "k0", "k10");
    home.await("nothing held", () -> node.running().isEmpty());
  }

  @Test
  void aRefusedOutcomeDoesNotTakeOthersWithIt() throws IOException {
    Peer child = child(epoch, 0, 2);
    home.await("credits", () -> home.free(epoch) == 2);
    home.queue(epoch, records("b", 2, "new"));
    child.awaitRuns(2);
    int[] calls = {0};
    home.onComplete =
        () -> {
          // The batch of two, then the first of them alone.
          if (calls[0]++ < 2) {
            throw new TasksException(Code.TOO_LARGE, "too large");
          }
        };
    child.success(5, child.runs.poll(), child.runs.poll());
    home.awaitKinds(Outcome.LOST, "b0");
    home.awaitKinds(Outcome.SUCCESS, "b1");
  }

  @Test
  void drainGivesBackAndWaitsForWhatRuns() throws IOException {
    Peer child = childHolding("n", 3);
    supervisor.send(FrameKind.DRAIN, LaneMessages.empty());
    child.expect(FrameKind.STOP);
    node.push(epoch, List.of(new Delivery(record("late", "noop"), 99)));
    home.awaitKinds(Outcome.GIVE_BACK, "late");
    child.done(Outcome.GIVE_BACK, 0, "drain", 3L, 4L);
    home.awaitKinds(Outcome.GIVE_BACK, "n1", "n2");
    child.success(15, child.runs.poll());
    supervisor.expect(FrameKind.DRAINED);
    assertEquals(0, home.free(epoch));
    assertEquals(Outcome.SUCCESS, home.kind("n0"));
    child.send(FrameKind.BYE, new byte[0]);
    assertNull(child.next());
  }

  @Test
  void drainedAtOnceWhenNothingRuns() throws IOException {
    supervisor.send(FrameKind.DRAIN, LaneMessages.empty());
    supervisor.expect(FrameKind.DRAINED);
    child(epoch, 0, 1).expect(FrameKind.STOP);
  }

  @Test
  void byeGivesBackTheRestWithoutPenalty() throws IOException {
    Peer child = childHolding("y", 3);
    child.success(15, child.runs.poll());
    child.send(FrameKind.BYE, new byte[0]);
    assertNull(child.next());
    home.awaitKinds(Outcome.SUCCESS, "y0");
    home.awaitKinds(Outcome.GIVE_BACK, "y1", "y2");
  }

  @Test
  void killDropsWhatWaitsAndAsksTheSupervisorForWhatRuns() throws IOException {
    Peer child = childWith("x", 1);
    Peer.Run run = child.run();
    node.push(epoch, List.of(new Delivery(record("inbox", "new"), 50)));
    node.kill(epoch, "inbox", 50, "SIGKILL");
    home.awaitKinds(Outcome.REVOKED, "inbox");
    WorkerApi.Running running = node.running().get(0);
    node.kill(epoch, "x0", running.fence() + 1, "SIGTERM");
    node.kill(epoch, "x0", running.fence(), "SIGTERM");
    List<Value> kill = Peer.values(supervisor.expect(FrameKind.KILL));
    assertEquals(100, kill.get(1).asIntegerValue().asInt());
    assertEquals(run.seq(), kill.get(2).asIntegerValue().asLong());
    assertEquals("SIGTERM", kill.get(3).asStringValue().asString());
    supervisor.died(0, 100, "revoked", run.seq());
    child.close();
    home.awaitKinds(Outcome.REVOKED, "x0");
  }

  @Test
  void killOfWhatTheChildHasNotStartedIsRepeatedAndNeverComesBack() throws IOException {
    Peer child = childHolding("z", 2);
    long fence = node.running().stream().filter(r -> r.id().equals("z1")).findFirst().get().fence();
    node.kill(epoch, "z1", fence, "SIGTERM");
    supervisor.expect(FrameKind.KILL);
    supervisor.expect(FrameKind.KILL);
    child.done(Outcome.GIVE_BACK, 0, "slow", 3L);
    home.awaitKinds(Outcome.REVOKED, "z1");
  }

  @Test
  void anEndOfTheSupervisorEndsAllLeases() throws IOException {
    Peer child = childHolding("e", 2);
    supervisor.close();
    assertNull(child.next());
    home.await("left", () -> home.left.contains(epoch));
    home.awaitKinds(Outcome.LOST, "e0");
    home.awaitKinds(Outcome.GIVE_BACK, "e1");
    home.await("no session", () -> node.workers().isEmpty());
    node.push(epoch, List.of(new Delivery(record("after", "noop"), 9)));
    home.awaitKinds(Outcome.GIVE_BACK, "after");
    assertEquals("UNKNOWN_SESSION", peer(Peer.child(socket, epoch, 0, 1, 1)).error());
  }

  @Test
  void theEndOfThisNodeGivesBackWithoutPenalty() throws IOException {
    Peer child = childWith("f", 1);
    child.run();
    node.close();
    assertEquals(Outcome.GIVE_BACK, home.kind("f0"));
    assertEquals(List.of(epoch), home.left);
  }

  @Test
  void metricsCountRunsDeathsAndSlots() throws IOException {
    Peer child = child(epoch, 0, 2);
    teach(child, "noop", 15);
    supervisor.died(0, 100, "exit", -1);
    child.close();
    home.await("gone", () -> deaths().equals(Map.of("reason=\"exit\"", 1L)));
    Map<?, ?> counters = (Map<?, ?>) node.metrics().get("counters");
    assertEquals(
        Map.of("task=\"noop\",outcome=\"success\"", 1L),
        counters.get("ignitetasks_lane_runs_total"));
    Map<?, ?> gauges = (Map<?, ?>) node.metrics().get("gauges");
    Set<Object> names = new TreeSet<>(gauges.keySet());
    assertTrue(names.contains("ignitetasks_lane_free_slots"));
  }

  private Object deaths() {
    Map<?, ?> counters = (Map<?, ?>) node.metrics().get("counters");
    return counters.get("ignitetasks_lane_child_deaths_total");
  }

  private static byte[] state(long seq, String name) {
    return LaneMessages.pack(
        p -> {
          p.packArrayHeader(3).packLong(seq).packString(name);
          p.packBinaryHeader(1).writePayload(new byte[] {1});
        });
  }

  @Test
  void ofWhatATaskSaysOftenTheLastReachesTheHomeBeforeItsEnd() throws IOException {
    Peer child = child(epoch, 0, 1);
    home.queue(epoch, List.of(record("talker", "talk")));
    Peer.Run run = child.run();
    for (int i = 0; i <= 500; i++) {
      child.send(FrameKind.STATE, state(run.seq(), "S" + i));
    }
    child.success(10, run);
    home.awaitKinds(Outcome.SUCCESS, "talker");
    List<Outcome> all = home.outcomes.stream().filter(o -> o.id().equals("talker")).toList();
    assertEquals(Outcome.SUCCESS, all.get(all.size() - 1).kind());
    assertEquals("S500", all.get(all.size() - 2).errorType());
    assertTrue(all.size() < 100, "500 words are a few writes, not " + all.size());
    // A word of what has ended is no error.
    child.send(FrameKind.STATE, state(run.seq(), "late"));
    home.queue(epoch, List.of(record("next", "talk")));
    assertEquals("next", child.run().id());
  }
}
