package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.ignitetasks.model.TaskRecord;
import org.junit.jupiter.api.Test;

/**
 * The order of a home under random events, thousands of runs: against a list that is sorted anew
 * each time where one worker knows all, and against what must hold in any case where several know
 * different things. A failure names its seed.
 */
class QueueStateRandomTest {
  private static final int RUNS = 3_000;
  private static final int STEPS = 80;
  private static final long TTL = 1_000_000_000_000L;

  /** What must come next if one worker knows all: the simplest way to say it. */
  private static final class Model {
    final List<Entry> waiting = new ArrayList<>();

    List<String> next(int count, long now) {
      return waiting.stream()
          .filter(e -> e.etaMillis <= now)
          .sorted(Comparator.<Entry>comparingInt(e -> -e.priority()).thenComparingLong(e -> e.seq))
          .limit(Math.max(0, count))
          .map(e -> e.id)
          .toList();
    }
  }

  @Test
  void oneWorkerThatKnowsAllGetsTheStrictOrder() {
    for (int seed = 0; seed < RUNS; seed++) {
      try {
        strict(new Random(seed));
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }

  private static void strict(Random random) {
    Model model = new Model();
    QueueState state = new QueueState(TTL, TTL, e -> model.waiting.remove(e));
    state.workerJoined(Make.worker(1, List.of("default"), List.of("add")), 0);
    Map<String, Entry> leased = new HashMap<>();
    long now = 0;
    long lastFence = 0;
    int next = 0;
    for (int step = 0; step < STEPS; step++) {
      now += random.nextInt(3);
      switch (random.nextInt(8)) {
        case 0, 1, 2 -> {
          TaskRecord record = Make.record("t" + next++, "add", "default", 5 * random.nextInt(3));
          record.etaMillis = random.nextInt(4) == 0 ? now + random.nextInt(12) : 0;
          Entry entry = new Entry(record, null);
          model.waiting.add(entry);
          state.submitted(entry, now);
        }
        case 3, 4 -> {
          int free = random.nextInt(4);
          state.credits(1, free, 0);
          List<String> expected = model.next(free, now);
          state.dispatch(now, 0);
          List<Entry> sent = state.worker(1).takeOutbound(100);
          assertEquals(expected, sent.stream().map(e -> e.id).toList());
          for (Entry entry : sent) {
            assertTrue(entry.fence > lastFence, "fences grow");
            lastFence = entry.fence;
            entry.sent = true;
            leased.put(entry.id, entry);
            model.waiting.remove(entry);
          }
        }
        case 5 -> {
          Entry entry = any(leased.values().stream().toList(), random);
          if (entry != null && state.completing(entry.id, entry.fence) != null) {
            leased.remove(entry.id);
            if (random.nextBoolean()) {
              state.ended(entry);
            } else {
              TaskRecord changed = entry.record.copy();
              changed.priority = 5 * random.nextInt(3);
              changed.etaMillis = random.nextBoolean() ? now + random.nextInt(5) : 0;
              state.requeue(entry, changed, now);
              model.waiting.add(entry);
            }
          }
        }
        case 6 -> {
          Set<String> wanted = new HashSet<>();
          for (int i = 0; i < 3; i++) {
            Entry entry = any(model.waiting, random);
            if (entry != null) {
              wanted.add(entry.id);
            }
          }
          List<Entry> taken = state.drain(null, 2, e -> wanted.contains(e.id));
          assertEquals(Math.min(2, wanted.size()), taken.size());
          if (random.nextBoolean()) {
            for (Entry entry : taken) {
              state.restored(entry, now);
            }
          } else {
            model.waiting.removeAll(taken);
          }
        }
        default -> {
          Entry entry = any(model.waiting, random);
          if (entry != null) {
            state.revokedWaiting(entry.id);
            // In the model it is gone at once; in the order, when its turn comes.
            state.drain(null, 1, e -> e == entry);
          }
        }
      }
      Set<String> ids = new HashSet<>(leased.keySet());
      model.waiting.forEach(e -> ids.add(e.id));
      Make.checkInvariants(state, ids);
    }
  }

  private static Entry any(List<Entry> entries, Random random) {
    return entries.isEmpty() ? null : entries.get(random.nextInt(entries.size()));
  }

  @Test
  void manyWorkersQueuesAndTasksKeepTheRules() {
    for (int seed = 0; seed < RUNS; seed++) {
      try {
        new Crowd(seed).run();
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError("seed " + seed, e);
      }
    }
  }

  /** Workers that come and go, know some tasks and listen to some queues; claims that fail. */
  private static final class Crowd {
    private static final String[] QUEUES = {"q1", "q2", "q3"};
    private static final String[] TASKS = {"add", "sub", "mul"};

    final Random random;
    final Set<String> alive = new HashSet<>();
    final Set<Long> fences = new HashSet<>();
    final Map<String, Long> staleFences = new HashMap<>();
    final List<Entry> claimed = new ArrayList<>();
    final QueueState state;
    long now;
    long nanos;
    long lastFence;
    int next;

    Crowd(long seed) {
      random = new Random(seed);
      state = new QueueState(100, 20, e -> alive.remove(e.id));
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        now += random.nextInt(2);
        nanos += random.nextInt(10);
        act(random.nextInt(12));
        Make.checkInvariants(state, alive);
      }
    }

    private void act(int kind) {
      switch (kind) {
        case 0, 1, 2 -> submit();
        case 3 -> join();
        case 4, 5, 6 -> work();
        case 7 -> claim();
        case 8 -> settle();
        case 9 -> leave();
        case 10 -> tick();
        default -> drain();
      }
    }

    private void submit() {
      String id = "t" + next++;
      TaskRecord r =
          Make.record(id, TASKS[random.nextInt(3)], QUEUES[random.nextInt(3)], random.nextInt(2));
      r.etaMillis = random.nextInt(5) == 0 ? now + random.nextInt(10) : 0;
      alive.add(id);
      state.submitted(new Entry(r, null), now);
    }

    private void join() {
      List<String> queues = new ArrayList<>();
      List<String> tasks = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        if (random.nextBoolean()) {
          queues.add(QUEUES[i]);
        }
        if (random.nextBoolean()) {
          tasks.add(TASKS[i]);
        }
      }
      state.workerJoined(Make.worker(1 + random.nextInt(6), queues, tasks), nanos);
    }

    private void work() {
      Map<Long, Integer> credit = new HashMap<>();
      for (WorkerSlots worker : state.workers()) {
        int free = random.nextInt(3);
        assertTrue(state.credits(worker.info.epoch(), free, nanos));
        credit.put(worker.info.epoch(), free);
      }
      state.dispatch(now, nanos);
      for (WorkerSlots worker : state.workers()) {
        List<Entry> sent = worker.takeOutbound(100);
        assertTrue(sent.size() <= credit.get(worker.info.epoch()), "more than its credit");
        Map<String, Entry> before = new HashMap<>();
        for (Entry entry : sent) {
          entry.sent = true;
          check(worker, entry);
          Entry earlier = before.put(entry.queue + entry.task, entry);
          assertTrue(earlier == null || Entry.compare(earlier, entry) < 0, "out of order");
        }
      }
      nobodyIdle();
    }

    private void check(WorkerSlots worker, Entry entry) {
      assertTrue(worker.info.queues().contains(entry.queue), "another's queue");
      assertTrue(worker.knows(entry.task), "a task it does not know");
      assertTrue(entry.etaMillis <= now, "too early");
      assertTrue(fences.add(entry.fence), "a fence used twice");
      assertEquals(worker.info.epoch(), entry.epoch);
      Long stale = staleFences.put(entry.id, entry.fence);
      assertTrue(stale == null || stale < entry.fence, "a fence that does not grow");
      assertTrue(stale == null || state.completing(entry.id, stale) == null, "stale accepted");
    }

    /** After a dispatch no task waits that a worker with credit could run. */
    private void nobodyIdle() {
      for (Entry entry : Make.waiting(state)) {
        for (WorkerSlots worker : state.workers()) {
          boolean could =
              entry.etaMillis <= now
                  && worker.free > 0
                  && worker.info.queues().contains(entry.queue)
                  && worker.knows(entry.task);
          assertTrue(!could, entry.id + " waits though worker " + worker.info.epoch() + " is free");
        }
      }
    }

    private void claim() {
      Entry entry = any(List.copyOf(state.leases()), random);
      if (entry != null && state.completing(entry.id, entry.fence) != null) {
        claimed.add(entry);
      }
    }

    private void settle() {
      if (claimed.isEmpty()) {
        return;
      }
      Entry entry = claimed.remove(random.nextInt(claimed.size()));
      switch (random.nextInt(3)) {
        case 0 -> {
          state.ended(entry);
          alive.remove(entry.id);
        }
        case 1 -> {
          entry.record.queue = QUEUES[random.nextInt(3)];
          assertTrue(state.requeue(entry, entry.record, now));
        }
        default -> state.released(entry, now);
      }
    }

    private void leave() {
      List<WorkerSlots> all = List.copyOf(state.workers());
      if (!all.isEmpty()) {
        long epoch = all.get(random.nextInt(all.size())).info.epoch();
        claimed.addAll(state.workerLeft(epoch, now));
      }
    }

    private void tick() {
      QueueState.Due due = state.tick(nanos, 5);
      due.unregistered().forEach(e -> alive.remove(e.id));
      claimed.addAll(due.orphans());
      for (Entry entry : due.longRunning()) {
        entry.leaseOnRecord = true;
      }
      for (WorkerSlots silent : due.silentWorkers()) {
        claimed.addAll(state.workerLeft(silent.info.epoch(), now));
      }
    }

    private void drain() {
      String name = random.nextBoolean() ? null : QUEUES[random.nextInt(3)];
      for (Entry entry : state.drain(name, random.nextInt(4), e -> random.nextBoolean())) {
        if (random.nextBoolean()) {
          state.restored(entry, now);
        } else {
          alive.remove(entry.id);
        }
      }
    }
  }

  @Test
  void everyTaskGetsItsTurnWhateverHappenedBefore() {
    for (int seed = 0; seed < 500; seed++) {
      Crowd crowd = new Crowd(seed);
      crowd.run();
      while (!crowd.claimed.isEmpty()) {
        Entry entry = crowd.claimed.remove(0);
        crowd.state.ended(entry);
        crowd.alive.remove(entry.id);
      }
      crowd.now += 1_000;
      crowd.nanos += 1_000;
      crowd.state.workerJoined(
          Make.worker(100, List.of(Crowd.QUEUES), List.of(Crowd.TASKS)), crowd.nanos);
      crowd.state.credits(100, 10_000, crowd.nanos);
      crowd.state.dispatch(crowd.now, crowd.nanos);
      assertEquals(0, crowd.state.waiting(), "seed " + seed);
      assertEquals(crowd.alive.size(), crowd.state.leases().size());
    }
  }
}
