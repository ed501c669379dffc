package org.ignitetasks.home;

import static org.ignitetasks.home.Spawns.ended;
import static org.ignitetasks.home.Spawns.join;
import static org.ignitetasks.home.Spawns.member;
import static org.ignitetasks.home.Spawns.promise;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Random workflows on a storage that fails and homes that are replaced: whatever happens, every
 * task that was to be there ends once and as planned, none is made up, and no body is let go before
 * its members have ended.
 *
 * <p>What a task does is a function of its id, so that it does the same when it runs again.
 */
class HomeSpawnsRandomTest extends HomeTestBase {
  private static final int DEPTH = 4;
  private static final byte[] FILLED = {'m', 'f'};

  private final Map<String, TaskState> expected = new TreeMap<>();
  private final Queue<String> unended = new ArrayDeque<>();
  private final Map<String, List<String>> members = new HashMap<>();
  private final List<Delivery> held = new ArrayList<>();
  private long seed;
  private Random random;
  private long epoch;

  private enum Kind {
    LEAF,
    NEXT,
    JOIN,
    REPLACE_LATER,
    REPLACE_NOW,
    REPLACE_BY_JOIN,
    FAIL,
    BORN_MEMBER,
    GROW,
    PROMISE,
    RETRY
  }

  private static int depth(String id) {
    return (int) id.chars().filter(c -> c == '.').count();
  }

  private int number(String id, String what, int bound) {
    return new Random((id + what).hashCode() * 31L + seed).nextInt(bound);
  }

  private Kind kind(String id) {
    if (id.endsWith(".r") || id.endsWith(".q") || depth(id) >= DEPTH) {
      return Kind.LEAF;
    }
    return Kind.values()[number(id, "kind", Kind.values().length)];
  }

  /** Works out what must be there in the end. */
  private void plan(String id, String joinId) {
    expect(id, joinId, TaskState.SUCCESS);
    switch (kind(id)) {
      case LEAF, REPLACE_NOW -> {}
      case NEXT, RETRY -> plan(id + ".n", null);
      case JOIN -> {
        for (int i = 0; i < size(id); i++) {
          plan(id + ".m" + i, id + ".j");
        }
        plan(id + ".j", null);
      }
      case REPLACE_LATER -> plan(id + ".r", null);
      case REPLACE_BY_JOIN -> {
        plan(id + ".m0", id);
        plan(id + ".m1", id);
      }
      case FAIL -> {
        expected.put(id, TaskState.FAILURE);
        expect(id + ".e", null, TaskState.FAILURE);
      }
      case BORN_MEMBER -> {
        plan(id + ".m0", id + ".j");
        expect(id + ".e", id + ".j", TaskState.SUCCESS);
        plan(id + ".j", null);
      }
      case GROW -> plan(id + ".g", joinId);
      case PROMISE -> {
        plan(id + ".q", null);
        expect(id + ".p", null, filled(id) ? TaskState.SUCCESS : TaskState.FAILURE);
      }
    }
  }

  private int size(String id) {
    return 1 + number(id, "size", 4);
  }

  private boolean filled(String id) {
    return number(id, "filled", 2) == 0;
  }

  private void expect(String id, String joinId, TaskState state) {
    expected.put(id, state);
    if (joinId != null) {
      members.computeIfAbsent(joinId, key -> new ArrayList<>()).add(id);
    }
  }

  private static TaskRecord call(String id) {
    TaskRecord r = Make.record(id);
    r.body = FILLED;
    return r;
  }

  private static String parent(String id) {
    return id.substring(0, id.lastIndexOf('.'));
  }

  /** Does what the task's id says. */
  private Outcome run(Delivery d) {
    TaskRecord r = d.record();
    String id = r.id;
    Spawns spawns = new Spawns();
    if (r.body.length == 2 && r.body[1] == 'f') {
      return success(d);
    }
    if (id.endsWith(".r")) {
      return spawns.submit(call(parent(id))).success(d);
    }
    if (id.endsWith(".q")) {
      String promise = parent(id) + ".p";
      return filled(parent(id))
          ? spawns.submit(call(promise)).success(d)
          : spawns.end(ended(promise, TaskState.FAILURE)).success(d);
    }
    switch (kind(id)) {
      case LEAF -> {}
      case NEXT -> spawns.submit(Make.record(id + ".n"));
      case JOIN -> spawns.submit(group(id));
      case REPLACE_LATER -> {
        return spawns.submit(Make.record(id + ".r")).with(d, Outcome.REPLACED);
      }
      case REPLACE_NOW -> {
        return spawns.submit(call(id)).with(d, Outcome.REPLACED);
      }
      case REPLACE_BY_JOIN -> {
        TaskRecord body = call(id);
        body.joinSize = 2;
        return spawns
            .submit(member(id + ".m0", id), body, member(id + ".m1", id))
            .with(d, Outcome.REPLACED);
      }
      case FAIL -> {
        return spawns.end(ended(id + ".e", TaskState.FAILURE)).with(d, Outcome.FAILURE);
      }
      case BORN_MEMBER -> {
        TaskRecord born = ended(id + ".e", TaskState.SUCCESS);
        born.joinId = id + ".j";
        spawns.end(born).submit(member(id + ".m0", id + ".j"), join(id + ".j", 2));
      }
      case GROW -> {
        if (r.joinId != null) {
          spawns.grow(r.joinId, 1);
        }
        spawns.submit(member(id + ".g", r.joinId));
      }
      case PROMISE -> spawns.submit(promise(id + ".p"), Make.record(id + ".q"));
      case RETRY -> {
        if (r.attempt == 0) {
          return spawns.submit(Make.record(id + ".n")).with(d, Outcome.RETRY);
        }
      }
    }
    return spawns.success(d);
  }

  private TaskRecord[] group(String id) {
    List<TaskRecord> all = new ArrayList<>();
    for (int i = 0; i < size(id); i++) {
      all.add(member(id + ".m" + i, id + ".j"));
    }
    all.add(number(id, "where", 2) * size(id), join(id + ".j", size(id)));
    return all.toArray(new TaskRecord[0]);
  }

  /** A few seeds; more with SPAWN_SEEDS=1000 in the environment. */
  static LongStream seeds() {
    return LongStream.rangeClosed(
        1, Long.parseLong(System.getenv().getOrDefault("SPAWN_SEEDS", "100")));
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void everythingEndsOnceAndAsPlanned(long number) {
    seed = number;
    random = new Random(seed);
    newWorker();
    int roots = 6;
    for (int i = 0; i < roots; i++) {
      plan("t" + i, null);
      submit(Make.record("t" + i));
    }
    unended.addAll(expected.keySet());
    faults.randomly(seed, 0.08);
    for (int step = 0; step < 400 && !done(); step++) {
      act();
    }
    faults.none();
    replaceHome(false);
    for (int step = 0; step < 5_000 && !done(); step++) {
      deliver();
      report(held.size());
    }
    settleDoubts();
    expected.forEach((id, state) -> assertEquals(state, stored(id), id + " of seed " + seed));
    assertEquals(expected.size(), rowCount(), "nothing is made up");
    checkMemory();
    assertEquals(0, home.home.joins.waiting());
    restart();
    assertEquals(0, home.home.joins.size(), "no join is open");
    expected.values().forEach(state -> assertTrue(state.terminal()));
  }

  private TaskState stored(String id) {
    // Not what the cache has: the test would wait for that at each step.
    byte[] row = written(id);
    return row == null ? null : RecordCodec.peekState(row);
  }

  /** Looks at each task until it has ended as planned, and no more: the end of the test does. */
  private boolean done() {
    while (!unended.isEmpty() && stored(unended.peek()) == expected.get(unended.peek())) {
      unended.remove();
    }
    return unended.isEmpty();
  }

  private void act() {
    int what = random.nextInt(100);
    if (what < 45) {
      deliver();
    } else if (what < 85) {
      Collections.shuffle(held, random);
      report(1 + random.nextInt(4));
    } else if (what < 92) {
      settleDoubts();
    } else if (what < 96) {
      loseWorker();
    } else {
      replaceHome(random.nextBoolean());
    }
  }

  private void deliver() {
    try {
      home.credits(epoch, 1 + random.nextInt(4));
    } catch (TasksException e) {
      newWorker();
    }
    for (Delivery d : workers.take(epoch)) {
      for (String member : members.getOrDefault(d.record().id, List.of())) {
        // A grown member is planned, but another one has to run before it is there.
        TaskState state = stored(member);
        boolean over = state != null && state.terminal();
        assertTrue(over || notYetFilled(d.record()), d.record().id + " before " + member);
      }
      held.add(d);
    }
  }

  /** The first life of a task that will be replaced by a join. */
  private boolean notYetFilled(TaskRecord r) {
    return kind(r.id) == Kind.REPLACE_BY_JOIN && r.replacedFence == 0;
  }

  private void report(int most) {
    List<Delivery> some = new ArrayList<>(held.subList(0, Math.min(most, held.size())));
    if (some.isEmpty()) {
      return;
    }
    try {
      home.complete(epoch, some.stream().map(this::run).toList());
      held.removeAll(some);
    } catch (TasksException e) {
      // The worker keeps what no home has taken, and sends it again.
      assertTrue(e.code().retryable(), e.toString());
    }
  }

  private void settleDoubts() {
    try {
      new DoubtSettler(home.home).settleOpen();
    } catch (TasksException e) {
      assertTrue(e.code().retryable(), e.toString());
    }
  }

  private void loseWorker() {
    try {
      home.workerLeft(epoch);
    } catch (TasksException e) {
      // The timer would find the leases; here a new home does.
      replaceHome(false);
      return;
    }
    newWorker();
  }

  /** The home dies; its worker may still hold what it was given. */
  private void replaceHome(boolean workerLives) {
    workers.take(epoch);
    workers.held.clear();
    if (workerLives) {
      held.forEach(d -> workers.held.add(new WorkerApi.Running(epoch, d.record().id, d.fence())));
    }
    while (true) {
      try {
        restart();
        break;
      } catch (TasksException e) {
        assertTrue(e.code().retryable(), e.toString());
      }
    }
    if (workerLives) {
      worker(epoch, 0);
    } else {
      newWorker();
    }
  }

  private void newWorker() {
    held.clear();
    epoch++;
    home.workerJoined(Make.worker(epoch, List.of("default"), List.of("add")));
  }
}
