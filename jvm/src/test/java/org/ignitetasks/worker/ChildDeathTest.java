package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.Test;

/** What becomes of deliveries when children die: each row of the rule, and at random. */
class ChildDeathTest extends LaneTestBase {
  private static final int B = Outcome.GIVE_BACK;
  private static final int L = Outcome.LOST;
  private static final int F = Outcome.CUT;
  private static final int R = Outcome.REVOKED;

  /**
   * Deliveries 1..count, all sent but the last {@code unsent}; those in {@code early} ack early.
   */
  private static List<Integer> kinds(
      String reason, long running, int slots, int count, int unsent, Integer... early) {
    List<Held> held = new ArrayList<>();
    for (int seq = 1; seq <= count; seq++) {
      TaskRecord record = record("t" + seq, "noop");
      record.flag(TaskFlags.EARLY_ACK, List.of(early).contains(seq));
      Held delivery = new Held(new Delivery(record, 1), 1, 0);
      delivery.seq = seq;
      delivery.sent = seq <= count - unsent;
      held.add(delivery);
    }
    return new Death(reason, running, "").settle(held, slots).stream().map(Outcome::kind).toList();
  }

  @Test
  void everyRowOfTheRule() {
    assertEquals(List.of(B, L, B), kinds("exit", 2, 1, 3, 0));
    assertEquals(List.of(B, F, B), kinds("hard_limit", 2, 1, 3, 0));
    assertEquals(List.of(B, R, B), kinds("revoked", 2, 1, 3, 0));
    assertEquals(List.of(B, B, B), kinds("shutdown", 2, 1, 3, 0));
    assertEquals(List.of(L, B, B), kinds("unknown", -1, 1, 3, 0));
    assertEquals(List.of(L, B, B), kinds("exit", -1, 1, 3, 0));
    assertEquals(List.of(B, B, B), kinds("hard_limit", -1, 1, 3, 0));
    // The running one has answered before it died: nobody is to blame.
    assertEquals(List.of(B, B), kinds("exit", 0, 1, 2, 0));
    assertEquals(List.of(B, B), kinds("unknown", -1, 1, 2, 2));
    assertEquals(List.of(), kinds("exit", 1, 1, 0, 0));
  }

  @Test
  void severalSlotsAreAllSuspectsOfACrash() {
    assertEquals(List.of(L, L, B), kinds("exit", 1, 2, 3, 0));
    assertEquals(List.of(B, F, B), kinds("hard_limit", 2, 2, 3, 0));
  }

  @Test
  void atMostOnceIsNeverGivenBackWhereItMayHaveStarted() {
    assertEquals(List.of(L, L, B), kinds("exit", 2, 1, 3, 0, 1, 3));
    assertEquals(List.of(L, L, B), kinds("unknown", -1, 1, 3, 1, 1, 2, 3));
    assertEquals(List.of(B, L, B), kinds("shutdown", 2, 1, 3, 0, 2, 3));
  }

  @Test
  void reportBeforeOrAfterTheEndGivesTheSame() throws IOException {
    Peer supervisor = peer(Peer.supervisor(socket));
    long epoch = supervisor.welcomeEpoch();
    for (int round = 0; round < 2; round++) {
      Peer child = child(epoch, round, 1);
      home.queue(epoch, List.of(record("r" + round, "new")));
      long seq = child.run().seq();
      if (round == 0) {
        supervisor.died(round, 100 + round, "hard_limit", seq);
        child.close();
      } else {
        child.close();
        supervisor.died(round, 100 + round, "hard_limit", seq);
      }
      home.awaitKinds(Outcome.CUT, "r" + round);
    }
    assertEquals("TimeLimitExceeded", home.outcomes.get(0).errorType());
    assertEquals('m', home.outcomes.get(0).payload()[0]);
  }

  @Test
  void withoutAReportTheOldestIsLostAfterASecond() throws IOException {
    Peer supervisor = peer(Peer.supervisor(socket));
    long epoch = supervisor.welcomeEpoch();
    Peer child = child(epoch, 0, 1);
    home.queue(epoch, List.of(record("w", "new")));
    child.run();
    long start = System.nanoTime();
    child.close();
    home.awaitKinds(Outcome.LOST, "w");
    assertEquals(1, Math.round((System.nanoTime() - start) / 1e9), "seconds");
  }

  @Test
  void aReportedDeathDoesNotWaitForAnInheritedSocket() throws IOException {
    Peer supervisor = peer(Peer.supervisor(socket));
    long epoch = supervisor.welcomeEpoch();
    Peer child = child(epoch, 0, 1);
    home.queue(epoch, List.of(record("i", "new")));
    supervisor.died(0, 100, "exit", child.run().seq());
    home.awaitKinds(Outcome.LOST, "i");
  }

  @Test
  void garbageFromAChildEndsIt() throws IOException {
    Peer supervisor = peer(Peer.supervisor(socket));
    long epoch = supervisor.welcomeEpoch();
    Peer child = child(epoch, 0, 1);
    home.queue(epoch, List.of(record("g", "new")));
    child.run();
    child.send(FrameKind.DONE, new byte[] {(byte) 0xc1, 1, 2});
    supervisor.died(0, 100, "exit", 1);
    home.awaitKinds(Outcome.LOST, "g");
    assertEquals("BAD_REQUEST", child.error());
  }

  /** Children that answer, give back, hang up or say goodbye as a seeded dice says. */
  @Test
  void randomDeathsLeaveExactlyOneOutcomeEach() throws Exception {
    Peer supervisor = peer(Peer.supervisor(socket));
    long epoch = supervisor.welcomeEpoch();
    int total = 2_000;
    Map<String, Integer> ran = new ConcurrentHashMap<>();
    List<Thread> children = new ArrayList<>();
    home.queue(epoch, records("x", total, "noop"));
    for (int i = 0; i < 3; i++) {
      int index = i;
      Thread thread =
          new Thread(
              () -> {
                try {
                  randomLives(supervisor, epoch, index, total, ran);
                } catch (IOException e) {
                  throw new AssertionError(e);
                }
              });
      thread.start();
      children.add(thread);
    }
    for (Thread thread : children) {
      thread.join(15_000);
    }
    home.await("all have an outcome", () -> home.outcomes.size() >= total);
    home.await("nothing is held", () -> node.running().isEmpty());
    Map<String, Integer> ends = new HashMap<>();
    home.outcomes.forEach(outcome -> ends.merge(outcome.id(), 1, Integer::sum));
    assertEquals(total, ends.size());
    ends.forEach((id, count) -> assertEquals(1, count, id));
    for (Outcome outcome : home.outcomes) {
      if (outcome.kind() == Outcome.SUCCESS) {
        assertEquals(1, ran.get(outcome.id()), outcome.id());
      }
    }
  }

  private void randomLives(
      Peer supervisor, long epoch, int index, int total, Map<String, Integer> ran)
      throws IOException {
    Random random = new Random(index);
    for (int life = 0; home.outcomes.size() < total && life < 500; life++) {
      int pid = 1000 * (index + 1) + life;
      try (Peer child = Peer.child(socket, epoch, index, pid, 1)) {
        child.welcome();
        long last = liveOnce(child, random, ran, total);
        if (last >= 0) {
          synchronized (supervisor) {
            supervisor.died(index, pid, random.nextInt(4) == 0 ? "shutdown" : "exit", last);
          }
        }
      }
    }
  }

  /** Returns the number that ran when this child died, or -1 after BYE. */
  private long liveOnce(Peer child, Random random, Map<String, Integer> ran, int total)
      throws IOException {
    boolean dropping = false;
    while (home.outcomes.size() < total) {
      Frame frame;
      try {
        frame = child.next(200);
      } catch (AssertionError e) {
        return 0;
      }
      if (frame.kind() == FrameKind.TAKEN_BACK) {
        dropping = false;
      } else if (!dropping) {
        child.takeRuns(frame.payload());
      }
      List<Long> seqs = new ArrayList<>();
      while (!child.runs.isEmpty()) {
        Peer.Run run = child.runs.poll();
        int dice = random.nextInt(200);
        if (dice == 0) {
          return run.seq();
        }
        if (dice == 1) {
          child.send(FrameKind.BYE, new byte[0]);
          return -1;
        }
        if (dice == 2) {
          child.done(Outcome.GIVE_BACK, 0, "slow", run.seq());
          child.runs.clear();
          dropping = true;
        }
        if (dropping) {
          break;
        }
        ran.merge(run.id(), 1, Integer::sum);
        seqs.add(run.seq());
        if (random.nextInt(8) == 0) {
          child.done(Outcome.SUCCESS, 20, null, seqs.toArray(new Long[0]));
          seqs.clear();
        }
      }
      child.done(Outcome.SUCCESS, 20, null, seqs.toArray(new Long[0]));
    }
    return 0;
  }
}
