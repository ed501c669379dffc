package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Clients, workers and operators that do what they like, at once, on a storage that fails now and
 * then; afterwards the history is checked against what a home promises. The seed decides what each
 * thread wants, though not how the threads meet.
 */
class HomeHistoryTest extends HomeTestBase {
  private static final int TASKS = 500;
  private static final int WORKERS = 3;
  private static final double FAILING = 0.04;

  private final Set<String> tried = ConcurrentHashMap.newKeySet();
  private final Set<String> acknowledged = ConcurrentHashMap.newKeySet();
  private final Set<String> revoked = ConcurrentHashMap.newKeySet();
  private final Map<String, AtomicInteger> created = new ConcurrentHashMap<>();
  private final Map<String, List<Long>> fences = new ConcurrentHashMap<>();
  private final Map<String, TaskState> seen = new ConcurrentHashMap<>();
  private final List<String> broken = java.util.Collections.synchronizedList(new ArrayList<>());
  private final AtomicLong epochs = new AtomicLong();
  private volatile boolean submitting = true;
  private final AtomicInteger leaving = new AtomicInteger();
  private volatile boolean over;

  private interface Step {
    void run() throws InterruptedException;
  }

  private Thread thread(Step body) {
    Thread thread =
        new Thread(
            () -> {
              try {
                body.run();
              } catch (Throwable e) {
                broken.add("a thread broke: " + e + " " + List.of(e.getStackTrace()).get(0));
              }
            });
    thread.start();
    return thread;
  }

  /** Repeats a call that may be repeated until it is answered. */
  private static void insist(Runnable call) throws InterruptedException {
    while (true) {
      try {
        call.run();
        return;
      } catch (TasksException e) {
        if (!e.code().retryable()) {
          throw e;
        }
        Thread.sleep(1);
      }
    }
  }

  private void client(int number, long seed) throws InterruptedException {
    Random random = new Random(seed);
    int next = 0;
    while (next < TASKS) {
      List<TaskRecord> batch = new ArrayList<>();
      for (int i = 1 + random.nextInt(20); i > 0 && next < TASKS; i--) {
        batch.add(record(number, next++, random));
      }
      boolean[] again = {false};
      boolean giveUp = random.nextInt(10) == 0;
      batch.forEach(r -> tried.add(r.id));
      try {
        insist(
            () -> {
              List<TaskRecord> copies = batch.stream().map(TaskRecord::copy).toList();
              boolean repeated = again[0];
              again[0] = true;
              try {
                count(batch, home.submit(copies, CLIENT, repeated));
              } catch (TasksException e) {
                if (giveUp) {
                  throw new TasksException(TasksException.Code.INTERNAL, "no more tries");
                }
                throw e;
              }
            });
      } catch (TasksException e) {
        // Nobody knows what became of it: it may be there, but then it must end like any other.
      }
      if (random.nextInt(3) == 0) {
        Thread.sleep(random.nextInt(4));
      }
    }
  }

  private void count(List<TaskRecord> batch, org.ignitetasks.protocol.SubmitAnswer answer) {
    Set<Integer> there = new HashSet<>();
    answer.exceptions().forEach(e -> there.add(e.index()));
    for (int i = 0; i < batch.size(); i++) {
      acknowledged.add(batch.get(i).id);
      if (!there.contains(i)) {
        created.computeIfAbsent(batch.get(i).id, id -> new AtomicInteger()).incrementAndGet();
      }
    }
  }

  private static TaskRecord record(int client, int number, Random random) {
    boolean keyed = random.nextInt(4) == 0;
    TaskRecord r =
        Make.record(
            keyed
                ? "key-" + number
                : String.format("3f2b8c1e-0d4a-4b6c-8a9%d-%08xf1d3", client, number));
    r.createdMillis = 1_000 + number / 50;
    r.flags = keyed ? TaskFlags.CHECK_EXISTS : 0;
    r.flags |= random.nextInt(8) == 0 ? TaskFlags.EARLY_ACK : 0;
    r.flags |= random.nextInt(8) == 0 ? TaskFlags.TRACK_STARTED : 0;
    r.priority = random.nextInt(6) == 0 ? 5 : 0;
    r.etaMillis = random.nextInt(10) == 0 ? System.currentTimeMillis() + random.nextInt(40) : 0;
    return r;
  }

  private void work(long seed) throws InterruptedException {
    Random random = new Random(seed);
    long epoch = epochs.incrementAndGet();
    List<Outcome> earlier = new ArrayList<>();
    while (!over) {
      try {
        home.credits(epoch, 1 + random.nextInt(20));
      } catch (TasksException e) {
        home.workerJoined(Make.worker(epoch, List.of("default"), List.of("add")));
        continue;
      }
      List<Delivery> batch = workers.take(epoch);
      if (batch.isEmpty()) {
        Thread.sleep(1);
        continue;
      }
      batch.forEach(this::granted);
      if (leaves(random, epoch)) {
        epoch = epochs.incrementAndGet();
        continue;
      }
      List<Outcome> outcomes = new ArrayList<>();
      for (Delivery d : batch) {
        if (d.record().has(TaskFlags.TRACK_STARTED)) {
          outcomes.add(plain(d, Outcome.STARTED));
        }
        outcomes.add(outcome(d, random));
      }
      if (!earlier.isEmpty() && random.nextInt(3) == 0) {
        outcomes.add(
            random.nextInt(outcomes.size() + 1), earlier.get(random.nextInt(earlier.size())));
      }
      earlier.addAll(outcomes);
      long mine = epoch;
      insist(() -> home.complete(mine, outcomes));
      if (random.nextInt(5) == 0) {
        insist(() -> home.complete(mine, outcomes));
      }
    }
  }

  /** What a worker held is nowhere for a moment while it leaves: not running and not waiting. */
  private boolean leaves(Random random, long epoch) throws InterruptedException {
    leaving.incrementAndGet();
    try {
      if (!submitting || random.nextInt(12) > 0) {
        return false;
      }
      insist(() -> home.workerLeft(epoch));
      return true;
    } finally {
      leaving.decrementAndGet();
    }
  }

  private void granted(Delivery d) {
    if (!tried.contains(d.record().id)) {
      broken.add("I2: a delivery of a task that nobody submitted: " + d.record().id);
    }
    List<Long> granted =
        fences.computeIfAbsent(
            d.record().id, id -> java.util.Collections.synchronizedList(new ArrayList<>()));
    granted.add(d.fence());
  }

  private Outcome outcome(Delivery d, Random random) {
    byte[] result = (d.record().id + "=" + d.fence()).getBytes();
    int kind =
        switch (submitting ? random.nextInt(12) : 0) {
          case 7 -> Outcome.RETRY;
          case 8 -> Outcome.LOST;
          case 9 -> Outcome.GIVE_BACK;
          case 10 -> Outcome.FAILURE;
          case 11 -> Outcome.IGNORE;
          default -> Outcome.SUCCESS;
        };
    Outcome.Retry retry =
        kind == Outcome.RETRY
            ? new Outcome.Retry(System.currentTimeMillis() + 5, null, false, null, -1, -1)
            : null;
    return new Outcome(d.record().id, d.fence(), kind, result, false, 3, null, retry, false);
  }

  private void operate(long seed) throws InterruptedException {
    Random random = new Random(seed);
    while (submitting) {
      List<String> some = some(random, 1 + random.nextInt(3));
      boolean terminate = random.nextBoolean();
      try {
        int[] states = home.revoke(some, terminate, "KILL");
        for (int i = 0; i < states.length; i++) {
          if (states[i] == TaskState.REVOKED.code()) {
            revoked.add(some.get(i));
          }
        }
      } catch (TasksException e) {
        // Unknown: nothing is concluded from it.
      }
      Thread.sleep(random.nextInt(8));
    }
  }

  private void look(long seed) throws InterruptedException {
    Random random = new Random(seed);
    while (!over) {
      for (String id : some(random, 20)) {
        try {
          TaskState now = state(id);
          if (now != null && now.terminal()) {
            TaskState before = seen.putIfAbsent(id, now);
            if (before != null && before != now) {
              broken.add("I8: " + id + " was " + before + " and is " + now);
            }
          }
        } catch (TasksException e) {
          // Not to be had now.
        }
      }
      Thread.sleep(3);
    }
  }

  private List<String> some(Random random, int count) {
    List<String> ids = List.copyOf(tried);
    List<String> some = new ArrayList<>();
    for (int i = 0; i < count && !ids.isEmpty(); i++) {
      some.add(ids.get(random.nextInt(ids.size())));
    }
    return some;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2})
  void whateverHappensEveryTaskEndsOnce(long seed) throws InterruptedException {
    start();
    faults.randomly(seed, FAILING);
    List<Thread> clients = new ArrayList<>();
    List<Thread> others = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      int number = i;
      clients.add(thread(() -> client(number, seed * 100 + number)));
    }
    for (int i = 0; i < WORKERS; i++) {
      long own = seed * 100 + 10 + i;
      others.add(thread(() -> work(own)));
    }
    clients.add(thread(() -> operate(seed * 100 + 50)));
    others.add(thread(() -> look(seed * 100 + 60)));
    for (Thread client : clients.subList(0, 2)) {
      client.join(40_000);
    }
    submitting = false;
    clients.get(2).join(20_000);
    faults.none();
    waitFor("all doubts settled", () -> home.home.doubts.ids(1).isEmpty());
    // Not by the counts alone: a task in doubt is in none of them while it is settled.
    waitFor("the rest is run", () -> leaving.get() == 0 && open() == 0 && allEnded());
    over = true;
    for (Thread other : others) {
      other.join(10_000);
    }
    // The timer may have settled the last doubt in this moment: it is about to tell of it.
    for (int i = 0; i < 400 && !allTold(); i++) {
      Thread.sleep(5);
    }
    check();
  }

  private boolean allEnded() {
    return home.info(List.copyOf(tried)).stream().allMatch(r -> r == null || r.state.terminal());
  }

  private boolean allTold() {
    Set<String> told = new HashSet<>();
    gateways.told(CLIENT).forEach(end -> told.add(end.id()));
    return tried.stream().allMatch(id -> told.contains(id) || info(id) == null);
  }

  private void check() {
    checkMemory();
    Map<String, Integer> told = new HashMap<>();
    for (Completion end : gateways.told(CLIENT)) {
      told.merge(end.id(), 1, Integer::sum);
      if (state(end.id()).code() != end.state()) {
        broken.add("I4: told " + end.state() + " of " + end.id() + ", is " + state(end.id()));
      }
    }
    told.forEach((id, times) -> require(times == 1, "I4: " + id + " ended " + times + " times"));
    for (String id : tried) {
      TaskRecord r = info(id);
      require(r != null || !acknowledged.contains(id), "I1: lost " + id);
      if (r != null) {
        require(r.state.terminal(), "I1: " + id + " has not ended: " + r.state);
        require(!revoked.contains(id) || r.state == TaskState.REVOKED, "I12: " + id + r.state);
        require(r.deliveries <= r.maxDeliveries, "I6: " + id + " lost " + r.deliveries);
        require(told.containsKey(id), "nobody was told of the end of " + id);
        checkFences(r);
      }
    }
    created.forEach((id, times) -> require(times.get() <= 1, "I3: " + id + " created " + times));
    seen.forEach((id, state) -> require(state == state(id), "I8: " + id));
    assertEquals(List.of(), broken);
    assertTrue(acknowledged.size() > TASKS);
    long stored = 0;
    for (TaskState state : TaskState.values()) {
      stored += state.terminal() ? number(state.name()) : 0;
    }
    assertEquals(tried.stream().filter(id -> info(id) != null).count(), stored, "numbers");
    home.home.doubts.ids(5).forEach(id -> broken.add(id));
    waitFor("finished sheets are deleted", () -> rowCount() - revokedAhead() == stored());
  }

  /** Returns how many rows only say that an id was revoked which nobody has submitted. */
  private int revokedAhead() {
    int count = 0;
    for (Map.Entry<String, byte[]> row : allRows().entrySet()) {
      boolean record = !Sheet.is(row.getValue());
      count += record && RecordCodec.decode(row.getKey(), row.getValue()).revokedAhead() ? 1 : 0;
    }
    return count;
  }

  private int stored() {
    return (int) tried.stream().filter(id -> info(id) != null).count();
  }

  private void checkFences(TaskRecord r) {
    List<Long> granted = fences.getOrDefault(r.id, List.of());
    require(granted.size() == new HashSet<>(granted).size(), "I5: a fence twice for " + r.id);
    if (r.state == TaskState.SUCCESS) {
      long newest = granted.stream().mapToLong(f -> f).max().orElse(-1);
      require(new String(r.payload).equals(r.id + "=" + newest), "I5, I9: result of " + r.id);
    }
  }

  private void require(boolean condition, String what) {
    if (!condition) {
      broken.add(what);
    }
  }
}
