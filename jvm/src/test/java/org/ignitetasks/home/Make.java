package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.WorkerInfo;

/** Records, entries and workers for tests, and a look at everything that an order holds. */
final class Make {
  static final UUID NODE = new UUID(1, 1);
  static final long MILLI = 1_000_000;

  private Make() {}

  static TaskRecord record(String id) {
    return record(id, "add", "default", 0);
  }

  static TaskRecord record(String id, String task, String queue, int priority) {
    TaskRecord r = new TaskRecord();
    r.id = id;
    r.task = task;
    r.queue = queue;
    r.priority = priority;
    r.maxDeliveries = 3;
    r.createdMillis = System.currentTimeMillis();
    r.resultTtlMillis = 3_600_000;
    r.body = new byte[] {'m', 1};
    return r;
  }

  static Entry entry(String id) {
    return new Entry(record(id), null);
  }

  static Entry entry(String id, String task, String queue, int priority) {
    return new Entry(record(id, task, queue, priority), null);
  }

  static Entry delayed(String id, long etaMillis) {
    TaskRecord r = record(id);
    r.etaMillis = etaMillis;
    return new Entry(r, null);
  }

  static WorkerInfo worker(long epoch, List<String> queues, List<String> tasks) {
    return worker(epoch, NODE, queues, tasks);
  }

  static WorkerInfo worker(long epoch, UUID node, List<String> queues, List<String> tasks) {
    return new WorkerInfo(
        epoch,
        node,
        "worker-" + epoch,
        "host",
        17,
        queues,
        tasks,
        4,
        "prefork",
        1_000,
        Map.of(),
        false);
  }

  /** Returns all entries that wait, without moving any. */
  static List<Entry> waiting(QueueState state) {
    List<Entry> all = new ArrayList<>();
    List<Entry> none =
        state.drain(
            null,
            Integer.MAX_VALUE,
            entry -> {
              all.add(entry);
              return false;
            });
    if (!none.isEmpty()) {
      throw new AssertionError("a look must not move anything");
    }
    return all;
  }

  /** Checks what the class promises of itself: one place each, and counters that are true. */
  static void checkInvariants(QueueState state, Set<String> expected) {
    List<Entry> waiting = waiting(state);
    Set<String> seen = new HashSet<>();
    for (Entry entry : waiting) {
      require(seen.add(entry.id), () -> entry.id + " waits in two places");
      require(!entry.leased() && !entry.completing, () -> entry.id + " waits and is leased");
    }
    for (Entry entry : state.leases()) {
      require(seen.add(entry.id), () -> entry.id + " waits and is leased");
      require(entry.leased(), () -> entry.id + " is leased without a fence");
    }
    require(
        seen.equals(expected), () -> "entries lost or made up: " + seen + " against " + expected);
    require(state.waiting() == waiting.size(), () -> "waiting() is wrong");
    for (WaitingOrder.Queue queue : state.queues()) {
      long here = waiting.stream().filter(e -> e.queue.equals(queue.name)).count();
      require(queue.waiting() + queue.delayed == here, () -> "counters of " + queue.name);
      long running = state.leases().stream().filter(e -> e.queue.equals(queue.name)).count();
      require(queue.running == running, () -> "running of " + queue.name);
    }
    for (WorkerSlots worker : state.workers()) {
      long leased = state.leases().stream().filter(e -> e.epoch == worker.info.epoch()).count();
      require(worker.leased == leased, () -> "leases of worker " + worker.info.epoch());
    }
  }

  static void require(boolean condition, Supplier<String> message) {
    if (!condition) {
      throw new AssertionError(message.get());
    }
  }
}
