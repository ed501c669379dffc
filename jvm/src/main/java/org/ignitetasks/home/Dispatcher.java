package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;

/**
 * Performs what {@link QueueState} decided: takes the outbound entries of workers, brings their
 * records, and pushes them in the order of the decisions.
 *
 * <p>A task that is acknowledged early is written as STARTED before it is pushed; one that has
 * expired or was revoked meanwhile ends here instead.
 */
final class Dispatcher {
  private static final int BATCH = 512;

  private final HomeContext home;
  private final Completer completer;

  Dispatcher(HomeContext home, Completer completer) {
    this.home = home;
    this.completer = completer;
  }

  /** Matches waiting tasks with free slots and pushes; call without the lock. */
  void run() {
    Collection<WorkerSlots> touched;
    synchronized (home.lock) {
      touched = home.state.dispatch(home.nowMillis(), home.nowNanos());
    }
    flush(touched);
  }

  /** Pushes what is outbound for these workers; call without the lock. */
  void flush(Collection<WorkerSlots> touched) {
    for (WorkerSlots worker : touched) {
      flush(worker);
    }
  }

  private void flush(WorkerSlots worker) {
    // One thread at a time per worker, so that deliveries arrive in the order of the decisions; a
    // thread that finds another at work leaves its entries to it only after taking the lock, hence
    // none is forgotten.
    worker.pushLock.lock();
    try {
      while (true) {
        List<Entry> batch;
        synchronized (home.lock) {
          batch = worker.takeOutbound(BATCH);
        }
        if (batch.isEmpty()) {
          return;
        }
        push(worker, batch);
      }
    } finally {
      worker.pushLock.unlock();
    }
  }

  private void push(WorkerSlots worker, List<Entry> batch) {
    try {
      load(batch);
    } catch (TasksException e) {
      giveBack(batch);
      throw e;
    }
    long now = home.nowMillis();
    List<Delivery> deliveries = new ArrayList<>(batch.size());
    List<Entry> early = new ArrayList<>();
    for (Entry entry : batch) {
      TaskRecord record = entry.record;
      if (record == null || record.state.terminal()) {
        drop(entry);
      } else if (record.expiresMillis > 0 && record.expiresMillis <= now) {
        completer.end(entry, TaskState.REVOKED, Failures.EXPIRED, "expired before it was started");
      } else {
        if (entry.earlyAck()) {
          early.add(entry);
        }
        deliveries.add(new Delivery(record, entry.fence));
      }
    }
    if (!early.isEmpty() && !acknowledge(early, worker)) {
      giveBack(early);
      deliveries.removeIf(d -> early.stream().anyMatch(e -> e.record == d.record()));
    }
    if (!deliveries.isEmpty()) {
      home.metrics.deliveries.add(deliveries.size());
      home.workers.push(worker.info.node(), worker.info.epoch(), deliveries);
    }
  }

  private void load(List<Entry> batch) {
    List<String> cold = new ArrayList<>();
    List<String> onSheets = new ArrayList<>();
    for (Entry entry : batch) {
      if (entry.record == null) {
        (entry.onSheetOnly() ? onSheets : cold).add(entry.id);
      } else {
        home.unpark(entry);
      }
    }
    if (cold.isEmpty() && onSheets.isEmpty()) {
      return;
    }
    Map<String, TaskRecord> records = new HashMap<>();
    if (!cold.isEmpty()) {
      records.putAll(home.store.read(cold));
    }
    if (!onSheets.isEmpty()) {
      records.putAll(home.store.readFromSheets(onSheets));
    }
    for (Entry entry : batch) {
      if (entry.record == null) {
        entry.record = records.get(entry.id);
      }
    }
  }

  /** Writes STARTED for tasks that are to be run at most once; false if that failed. */
  private boolean acknowledge(List<Entry> early, WorkerSlots worker) {
    List<TaskRecord> started = new ArrayList<>(early.size());
    for (Entry entry : early) {
      TaskRecord record = entry.record.copy();
      record.state = TaskState.STARTED;
      record.fence = entry.fence;
      record.startedMillis = home.nowMillis();
      record.worker = worker.info.name();
      started.add(record);
    }
    try {
      home.store.write(started);
    } catch (TasksException e) {
      return false;
    }
    // The deliveries hold the old objects: they say the same about what is to be run.
    for (int i = 0; i < early.size(); i++) {
      early.get(i).ownRow = true;
      early.get(i).record.state = TaskState.STARTED;
      early.get(i).record.fence = started.get(i).fence;
      early.get(i).record.startedMillis = started.get(i).startedMillis;
      early.get(i).record.worker = started.get(i).worker;
    }
    return true;
  }

  private void giveBack(List<Entry> batch) {
    synchronized (home.lock) {
      for (Entry entry : batch) {
        if (entry.record != null) {
          home.state.requeue(entry, entry.record, home.nowMillis());
          home.park(entry);
        } else {
          home.state.requeueCold(entry, home.nowMillis());
        }
      }
    }
  }

  private void drop(Entry entry) {
    synchronized (home.lock) {
      home.state.ended(entry);
    }
  }
}
