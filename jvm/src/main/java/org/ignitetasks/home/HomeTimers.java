package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;

/**
 * The home's clock: one thread wakes delayed tasks on time and looks after leases, one sweeps what
 * has expired.
 *
 * <p>A pause of this whole process (SIGSTOP, a long collection) is noticed by the ticker's own delay
 * and is not held against the workers.
 */
final class HomeTimers {
  private static final long TICK_MILLIS = 250;
  private static final long PAUSE_MILLIS = 1_500;

  private final HomeContext home;
  private final Completer completer;
  private final Dispatcher dispatcher;
  private final Operations operations;
  private final Inserter inserter;
  private final Sweeper sweeper;
  private final Object alarm = new Object();
  private volatile boolean stopped;
  private long wakeAtMillis;
  private Thread ticker;
  private Thread sweeping;

  HomeTimers(
      HomeContext home,
      Completer completer,
      Dispatcher dispatcher,
      Operations operations,
      Inserter inserter) {
    this.home = home;
    this.completer = completer;
    this.dispatcher = dispatcher;
    this.operations = operations;
    this.inserter = inserter;
    this.sweeper = new Sweeper(home, operations);
  }

  void start() {
    ticker = daemon("home-timer", this::tickUntilStopped);
    sweeping = daemon("home-sweeper", this::sweepUntilStopped);
  }

  void stop() {
    stopped = true;
    ticker.interrupt();
    sweeping.interrupt();
  }

  private static Thread daemon(String name, Runnable body) {
    Thread thread = new Thread(body, "ignitetasks-" + name);
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** Wakes the ticker if a delayed task is due before it planned to look. */
  void etaMayBeSooner() {
    long next;
    synchronized (home.lock) {
      next = home.state.nextEtaMillis();
    }
    synchronized (alarm) {
      if (next < wakeAtMillis) {
        alarm.notifyAll();
      }
    }
  }

  private void tickUntilStopped() {
    long last = home.nowNanos();
    while (!stopped) {
      try {
        rest();
        long now = home.nowNanos();
        long gap = (now - last) / 1_000_000;
        last = now;
        tick(gap > PAUSE_MILLIS ? gap : 0);
      } catch (InterruptedException e) {
        return;
      } catch (TasksException e) {
        // The ledger was not to be had: everything is tried again at the next tick.
        home.metrics.timerErrors.of(e.code().name()).increment();
      } catch (RuntimeException e) {
        home.log("the home's timer met an unexpected error", e);
      }
    }
  }

  private void rest() throws InterruptedException {
    long next;
    synchronized (home.lock) {
      next = home.state.nextEtaMillis();
    }
    synchronized (alarm) {
      long now = home.nowMillis();
      wakeAtMillis = Math.min(now + TICK_MILLIS, next);
      if (wakeAtMillis > now) {
        alarm.wait(wakeAtMillis - now);
      }
    }
  }

  private void tick(long pausedMillis) {
    QueueState.Due due;
    synchronized (home.lock) {
      home.state.paused(pausedMillis * 1_000_000);
      due =
          home.state.tick(
              home.nowMillis(),
              home.nowNanos(),
              home.settings.recordLeaseAfterMillis() * 1_000_000L);
    }
    for (WorkerSlots silent : due.silentWorkers()) {
      home.log("worker " + silent.info.name() + " fell silent: its leases end", null);
      List<Entry> held;
      synchronized (home.lock) {
        held = home.state.workerLeft(silent.info.epoch());
      }
      completer.workerLost(held, silent.info.name());
    }
    completer.workerLost(due.orphans(), null);
    operations.endWaiting(
        due.unregistered(),
        TaskState.FAILURE,
        Failures.NOT_REGISTERED,
        "no worker that listens to its queue has a task of this name");
    recordLeases(due.longRunning());
    inserter.settleDoubts();
    dropFinishedSheets();
    dispatcher.run();
  }

  private void dropFinishedSheets() {
    List<String> keys = new ArrayList<>();
    for (String key = home.sheets.nextFinished(); key != null; key = home.sheets.nextFinished()) {
      keys.add(key);
    }
    // One whose deletion fails is found without open tasks by the next rebuild.
    home.store.delete(keys);
  }

  /** Puts deliveries on record that have run for a while: a start that would be lost is counted. */
  private void recordLeases(List<Entry> entries) {
    if (entries.isEmpty()) {
      return;
    }
    List<Entry> claimed = new ArrayList<>(entries.size());
    List<TaskRecord> rows = new ArrayList<>(entries.size());
    synchronized (home.lock) {
      for (Entry entry : entries) {
        if (entry.record != null && home.state.completing(entry.id, entry.fence) != null) {
          TaskRecord row = entry.record.copy();
          WorkerSlots worker = home.state.worker(entry.epoch);
          row.fence = entry.fence;
          row.worker = worker == null ? null : worker.info.name();
          claimed.add(entry);
          rows.add(row);
        }
      }
    }
    boolean written = false;
    try {
      home.store.write(rows);
      written = true;
    } finally {
      synchronized (home.lock) {
        for (int i = 0; i < claimed.size(); i++) {
          claimed.get(i).leaseOnRecord = written;
          claimed.get(i).ownRow |= written;
          home.state.completionFailed(claimed.get(i));
        }
      }
    }
  }

  private void sweepUntilStopped() {
    while (!stopped) {
      try {
        Thread.sleep(home.settings.sweepMillis());
        sweeper.run();
      } catch (InterruptedException e) {
        return;
      } catch (TasksException e) {
        home.metrics.timerErrors.of(e.code().name()).increment();
      } catch (RuntimeException e) {
        home.log("the sweeper met an unexpected error", e);
      }
    }
  }
}
