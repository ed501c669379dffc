package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.Rate;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;

/**
 * The home's clock: one thread wakes delayed tasks on time and looks after leases, one sweeps what
 * has expired, one deletes large values that nobody needs any more.
 *
 * <p>A pause of this whole process (SIGSTOP, a long collection) is noticed by the ticker's own
 * delay and is not held against the workers.
 */
final class HomeTimers {
  private static final long TICK_MILLIS = 250;
  private static final long PAUSE_MILLIS = 1_500;
  private static final long STOP_MILLIS = 5_000;
  private static final long RATES_NANOS = 5_000_000_000L;

  /** Sheets deleted at a time. */
  private static final int SHEETS = 256;

  /** Wakes the thread that deletes blobs, so that it sees that it is to end. */
  private static final String NO_BLOB = "";

  private final HomeContext home;
  private final Completer completer;
  private final Dispatcher dispatcher;
  private final Operations operations;
  private final DoubtSettler doubts;
  private final Sweeper sweeper;
  private final Object alarm = new Object();
  private volatile boolean stopped;
  private long wakeAtMillis;
  private boolean sooner;
  private volatile long ratesReadNanos;
  private Thread ticker;
  private Thread sweeping;
  private Thread dropping;

  HomeTimers(
      HomeContext home,
      Completer completer,
      Dispatcher dispatcher,
      Operations operations,
      DoubtSettler doubts) {
    this.home = home;
    this.completer = completer;
    this.dispatcher = dispatcher;
    this.operations = operations;
    this.doubts = doubts;
    this.sweeper = new Sweeper(home, operations);
  }

  void start() {
    ticker = daemon("home-timer", this::tickUntilStopped);
    sweeping = daemon("home-sweeper", this::sweepUntilStopped);
    dropping = daemon("home-blobs", this::dropUntilStopped);
  }

  /** Stops both threads and waits for what they do; no interrupt, which could hit the storage. */
  void stop() {
    stopped = true;
    synchronized (alarm) {
      alarm.notifyAll();
    }
    home.dropBlobLater(NO_BLOB);
    try {
      for (Thread thread : new Thread[] {ticker, sweeping, dropping}) {
        if (thread != null) {
          thread.join(STOP_MILLIS);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
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
      next = home.state.nextWakeMillis();
    }
    synchronized (alarm) {
      if (next < wakeAtMillis) {
        sooner = true;
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
      }
    }
  }

  private void rest() throws InterruptedException {
    synchronized (alarm) {
      // Whatever comes from now on is either seen below or sets the flag.
      sooner = false;
      wakeAtMillis = Long.MAX_VALUE;
    }
    long next;
    synchronized (home.lock) {
      next = home.state.nextWakeMillis();
    }
    synchronized (alarm) {
      long now = home.nowMillis();
      wakeAtMillis = Math.min(now + TICK_MILLIS, next);
      if (wakeAtMillis > now && !sooner && !stopped) {
        alarm.wait(wakeAtMillis - now);
      }
    }
  }

  private void tick(long pausedMillis) {
    // Each by itself: what one step took out of the order must be dealt with whatever befalls
    // another.
    attempt(dispatcher::run);
    attempt(() -> home.unmoved(() -> lookAfterLeases(pausedMillis)));
    attempt(doubts::settleOpen);
    attempt(this::dropFinishedSheets);
    attempt(this::keepRates);
    attempt(dispatcher::run);
  }

  private void attempt(Runnable step) {
    try {
      step.run();
    } catch (TasksException e) {
      // The ledger was not to be had: everything is tried again at the next tick.
      home.metrics.timerErrors.of(e.code().name()).increment();
    } catch (RuntimeException e) {
      home.log("the home's timer met an unexpected error", e);
    }
  }

  private Void lookAfterLeases(long pausedMillis) {
    QueueState.Due due;
    synchronized (home.lock) {
      home.state.paused(pausedMillis * 1_000_000);
      due = home.state.tick(home.nowNanos(), home.settings.recordLeaseAfterMillis() * 1_000_000L);
    }
    for (WorkerSlots silent : due.silentWorkers()) {
      home.log("worker " + silent.info.name() + " fell silent: its leases end", null);
      List<Entry> held;
      synchronized (home.lock) {
        held = home.state.workerLeft(silent.info.epoch(), home.nowMillis());
      }
      attempt(() -> completer.workerLost(held, silent.info.name()));
    }
    attempt(() -> completer.workerLost(due.orphans(), null));
    attempt(
        () ->
            operations.endWaiting(
                due.unregistered(),
                TaskState.FAILURE,
                Failures.NOT_REGISTERED,
                "no worker that listens to its queue has a task of this name",
                end -> true));
    attempt(() -> recordLeases(due.longRunning()));
    return null;
  }

  /** Takes the limits that were set at run time as they are stored now. */
  void readRates() {
    Map<String, Rate> limits = new HashMap<>();
    home.rates.overrides().forEach((task, text) -> limits.put(task, Rate.parse(text)));
    synchronized (home.lock) {
      home.state.rateOverrides(limits);
    }
    ratesReadNanos = home.nowNanos();
  }

  /**
   * A home that was not told of a change, since it was not there yet, learns of it all the same.
   */
  private void keepRates() {
    if (home.nowNanos() - ratesReadNanos > RATES_NANOS) {
      readRates();
    }
  }

  private void dropFinishedSheets() {
    List<String> keys = home.sheets.finished(SHEETS);
    if (keys.isEmpty()) {
      return;
    }
    boolean done = false;
    try {
      home.store.deleteSheets(keys);
      done = true;
    } finally {
      home.sheets.deleted(keys, done);
    }
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
        // An end may have been written already where the last write is in doubt.
        if (entry.record != null
            && !entry.unsure
            && home.state.completing(entry.id, entry.fence) != null) {
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
          Entry entry = claimed.get(i);
          entry.leaseOnRecord = written;
          entry.ownRow |= written;
          entry.unsure |= !written;
          home.release(entry);
        }
        home.claimsReleased();
      }
    }
  }

  /**
   * Deletes large values as soon as nobody needs them: the pages they took serve the next one,
   * where others would first have to be got from the machine.
   */
  private void dropUntilStopped() {
    try {
      for (String id = home.awaitBlobToDrop(); !stopped; id = home.awaitBlobToDrop()) {
        String blob = id;
        attempt(() -> home.blobs.drop(blob));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void sweepUntilStopped() {
    while (!stopped) {
      try {
        synchronized (alarm) {
          long end = home.nowNanos() + home.settings.sweepMillis() * 1_000_000;
          for (long left = 1; left > 0 && !stopped; left = (end - home.nowNanos()) / 1_000_000) {
            alarm.wait(Math.max(1, (end - home.nowNanos()) / 1_000_000));
          }
        }
      } catch (InterruptedException e) {
        return;
      }
      if (!stopped) {
        attempt(sweeper::run);
      }
    }
  }
}
