package org.ignitetasks.worker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;
import org.ignitetasks.protocol.SubmitAnswer;
import org.ignitetasks.protocol.WatchAnswer;
import org.ignitetasks.protocol.WorkerInfo;

/** A home in memory: remembers what it is told, and pushes what it has as credits allow. */
final class FakeHome implements HomeApi {
  final List<WorkerInfo> joined = new CopyOnWriteArrayList<>();
  final List<Long> left = new CopyOnWriteArrayList<>();
  final List<Outcome> outcomes = new CopyOnWriteArrayList<>();
  final List<Integer> batches = new CopyOnWriteArrayList<>();
  private final Map<Long, Integer> credits = new HashMap<>();
  private final ArrayDeque<TaskRecord> ready = new ArrayDeque<>();
  private long fences;
  volatile WorkerNode worker;
  volatile RuntimeException failure;
  volatile Runnable onComplete = () -> {};

  @Override
  public void workerJoined(WorkerInfo info) {
    joined.add(info);
  }

  @Override
  public void workerLeft(long epoch) {
    fail();
    left.add(epoch);
  }

  @Override
  public void credits(long epoch, int free) {
    synchronized (this) {
      credits.put(epoch, free);
    }
    pump(epoch);
  }

  /** Pushes as far as credits reach; without a lock, as a real home does. */
  private void pump(long epoch) {
    List<Delivery> batch = new ArrayList<>();
    synchronized (this) {
      int free = credits.getOrDefault(epoch, 0);
      while (free > 0 && !ready.isEmpty()) {
        batch.add(new Delivery(ready.poll(), ++fences));
        free--;
      }
      credits.put(epoch, free);
    }
    if (!batch.isEmpty()) {
      worker.push(epoch, batch);
    }
  }

  /** Queues records; {@link #credits} pushes them. */
  void queue(long epoch, List<TaskRecord> records) {
    synchronized (this) {
      ready.addAll(records);
    }
    pump(epoch);
  }

  synchronized int free(long epoch) {
    return credits.getOrDefault(epoch, -1);
  }

  @Override
  public void complete(long epoch, List<Outcome> batch) {
    onComplete.run();
    fail();
    batches.add(batch.size());
    outcomes.addAll(batch);
  }

  private void fail() {
    RuntimeException error = failure;
    if (error != null) {
      throw error;
    }
  }

  /** Returns the kind of the only outcome of an id, -1 if there is none. */
  int kind(String id) {
    int kind = -1;
    for (Outcome outcome : outcomes) {
      if (outcome.id().equals(id) && outcome.kind() != Outcome.PROGRESS) {
        if (kind >= 0) {
          throw new AssertionError("two outcomes for " + id);
        }
        kind = outcome.kind();
      }
    }
    return kind;
  }

  void await(String what, BooleanSupplier condition) {
    await(what, condition, 5_000);
  }

  static void await(String what, BooleanSupplier condition, long millis) {
    long end = System.nanoTime() + millis * 1_000_000;
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() > end) {
        throw new AssertionError("did not happen in time: " + what);
      }
      try {
        Thread.sleep(2);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  void awaitKinds(int kind, String... ids) {
    for (String id : ids) {
      await(id + " ends as " + kind + ", is " + kind(id), () -> kind(id) == kind);
    }
  }

  @Override
  public SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    throw new UnsupportedOperationException();
  }

  @Override
  public WatchAnswer watch(List<String> ids, Origin origin) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void sessionClosed(Origin origin) {
    throw new UnsupportedOperationException();
  }

  @Override
  public List<TaskRecord> info(List<String> ids) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int forget(List<String> ids) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int[] revoke(List<String> ids, boolean terminate, String signal) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int purge(String queue) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void bring(Spawn spawn) {}

  @Override
  public void ratesChanged() {}

  @Override
  public List<TaskRecord> deadList(int limit) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int deadRetry(List<String> ids) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int deadDrop(List<String> ids) {
    throw new UnsupportedOperationException();
  }

  @Override
  public ScanPage scan(String cursor, int limit) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Map<String, Integer> listening(List<String> queues) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Map<String, Object> status() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Map<String, Object> metrics() {
    throw new UnsupportedOperationException();
  }
}
