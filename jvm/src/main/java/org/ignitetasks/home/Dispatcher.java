package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.Rate;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Delivery;

/**
 * Performs what {@link QueueState} decided: takes the outbound entries of workers, brings their
 * records, and pushes them in the order of the decisions.
 *
 * <p>A task that is acknowledged early is written as STARTED before it is pushed; one that has
 * expired or was revoked meanwhile ends here instead. Nothing here fails towards the caller, whose
 * submit or completion is durable already: what cannot be sent goes back into the order.
 */
final class Dispatcher {
  private static final int BATCH = 512;
  private static final long DRAW_AGAIN_MILLIS = 100;

  /**
   * One delivery on its way out. Fence and record are those of the moment it was taken: the entry
   * may get others as soon as the lock is free.
   */
  private static final class Sending {
    final Entry entry;
    final long fence;
    TaskRecord record;

    Sending(Entry entry) {
      this.entry = entry;
      this.fence = entry.fence;
      this.record = entry.record;
    }
  }

  private final HomeContext home;
  private final Completer completer;
  private final DoubtSettler doubts;
  private volatile Runnable wakeMoved = () -> {};

  Dispatcher(HomeContext home, Completer completer, DoubtSettler doubts) {
    this.home = home;
    this.completer = completer;
    this.doubts = doubts;
  }

  /** Matches waiting tasks with free slots and pushes; call without the lock. */
  void run() {
    flush(dispatch());
  }

  /** Takes whom to tell when the time of the next start may be sooner than it was. */
  void onWakeMoved(Runnable told) {
    wakeMoved = told;
  }

  private Collection<WorkerSlots> dispatch() {
    return dispatch(() -> true);
  }

  /** Dispatches if a change of the state, made under the same lock, says so. */
  Collection<WorkerSlots> dispatch(BooleanSupplier change) {
    Collection<WorkerSlots> touched;
    List<RateLimits.Ask> asks;
    synchronized (home.lock) {
      if (!change.getAsBoolean()) {
        return null;
      }
      touched = home.state.dispatch(home.nowMillis(), home.nowNanos());
      asks = home.state.asks();
    }
    return asks.isEmpty() ? touched : dispatchDrawn(touched, asks);
  }

  /** Draws starts of tasks with a rate and dispatches them, until there are none to be had. */
  private Collection<WorkerSlots> dispatchDrawn(
      Collection<WorkerSlots> touched, List<RateLimits.Ask> asks) {
    Set<WorkerSlots> all = new LinkedHashSet<>(touched);
    List<RateLimits.Ask> open = asks;
    while (!open.isEmpty()) {
      List<Rate.Draw> draws = open.stream().map(this::draw).toList();
      synchronized (home.lock) {
        for (int i = 0; i < draws.size(); i++) {
          Rate.Draw draw = draws.get(i);
          // Rounded up: a moment too early would find nothing and ask again.
          home.state.drawn(open.get(i), draw.count(), draw.nextMicros() / 1000 + 1);
        }
        all.addAll(home.state.dispatch(home.nowMillis(), home.nowNanos()));
        open = home.state.asks();
      }
    }
    wakeMoved.run();
    return all;
  }

  private Rate.Draw draw(RateLimits.Ask ask) {
    try {
      return home.rates.draw(ask.task(), ask.rate(), ask.rate().burst());
    } catch (RuntimeException e) {
      home.log("no start of " + ask.task() + " could be drawn: tried again in a moment", e);
      return new Rate.Draw(0, 0, (home.nowMillis() + DRAW_AGAIN_MILLIS) * 1000);
    }
  }

  /** Pushes what is outbound for these workers; call without the lock. */
  void flush(Collection<WorkerSlots> touched) {
    Collection<WorkerSlots> workers = touched;
    while (!workers.isEmpty()) {
      boolean slotsLeft = false;
      for (WorkerSlots worker : workers) {
        slotsLeft |= flush(worker);
      }
      workers = slotsLeft ? dispatch() : List.of();
    }
  }

  /** Returns whether slots stayed free because tasks ended instead of being sent. */
  private boolean flush(WorkerSlots worker) {
    // One thread at a time per worker, so that deliveries arrive in the order of the decisions; a
    // thread that finds another at work leaves its entries to it only after taking the lock, hence
    // none is forgotten.
    boolean slotsLeft = false;
    worker.pushLock.lock();
    try {
      while (true) {
        List<Sending> batch = new ArrayList<>();
        List<Sending> slow = new ArrayList<>();
        synchronized (home.lock) {
          take(worker, batch, slow);
        }
        if (batch.isEmpty()) {
          return slotsLeft;
        }
        slotsLeft |= !slow.isEmpty() && prepare(worker, batch, slow);
        push(worker, batch);
      }
    } finally {
      worker.pushLock.unlock();
    }
  }

  /** Takes outbound entries; those that need a read or a write first are claimed for that time. */
  private void take(WorkerSlots worker, List<Sending> batch, List<Sending> slow) {
    long now = home.nowMillis();
    for (Entry entry : worker.takeOutbound(BATCH)) {
      home.unpark(entry);
      Sending sending = new Sending(entry);
      batch.add(sending);
      if (cold(entry) || entry.earlyAck() || entry.revokeAsked || expired(entry, now)) {
        entry.completing = true;
        slow.add(sending);
      } else {
        entry.sent = true;
      }
    }
  }

  /** What a write in doubt may have ended must not run: its row says what it is. */
  private static boolean cold(Entry entry) {
    return entry.record == null || entry.unsure;
  }

  private static boolean expired(Entry entry, long now) {
    return entry.expiresMillis > 0 && entry.expiresMillis <= now;
  }

  /**
   * Brings records, ends what is not to run and acknowledges what is acknowledged early; takes out
   * of the batch what is not to be sent. Returns whether slots stayed free.
   */
  private boolean prepare(WorkerSlots worker, List<Sending> batch, List<Sending> slow) {
    List<Sending> over = new ArrayList<>();
    boolean failed = false;
    try {
      load(slow);
      endSome(slow, over);
      acknowledge(slow, over, worker);
    } catch (RuntimeException e) {
      home.log("tasks could not be prepared for their delivery: they go back", e);
      failed = true;
    }
    synchronized (home.lock) {
      boolean gone = home.state.worker(worker.info.epoch()) != worker;
      for (Sending sending : slow) {
        // Of another fence: it ended, or a failed write has put it back already.
        if (sending.entry.fence == sending.fence) {
          sending.entry.sent = !failed && !gone;
          home.release(sending.entry);
        }
      }
      batch.removeAll(failed ? slow : over);
      home.state.unsent(worker, tasks(failed ? slow : over));
      home.claimsReleased();
    }
    return !over.isEmpty() && !failed;
  }

  private static List<String> tasks(List<Sending> some) {
    return some.stream().map(sending -> sending.entry.task).toList();
  }

  private void load(List<Sending> slow) {
    List<Entry> cold = new ArrayList<>();
    List<String> onSheets = new ArrayList<>();
    for (Sending sending : slow) {
      if (!cold(sending.entry)) {
        continue;
      }
      if (sending.entry.onSheetOnly()) {
        onSheets.add(sending.entry.id);
      } else {
        cold.add(sending.entry);
      }
    }
    if (cold.isEmpty() && onSheets.isEmpty()) {
      return;
    }
    Map<String, TaskRecord> records = home.readFor(cold);
    records.putAll(home.store.readFromSheets(onSheets));
    for (Sending sending : slow) {
      if (cold(sending.entry)) {
        sending.record = records.get(sending.entry.id);
        sending.entry.record = sending.record;
      }
    }
  }

  private void endSome(List<Sending> slow, List<Sending> over) {
    long now = home.nowMillis();
    List<Sending> late = new ArrayList<>();
    List<Sending> revoked = new ArrayList<>();
    for (Sending sending : slow) {
      if (sending.record == null || sending.record.state.terminal()) {
        doubts.gone(sending.entry, sending.record);
        over.add(sending);
      } else if (sending.entry.revokeAsked) {
        revoked.add(sending);
      } else if (expired(sending.entry, now)) {
        late.add(sending);
      }
    }
    end(late, Failures.EXPIRED, "expired before it was started");
    over.addAll(late);
    end(revoked, Failures.REVOKED, "revoked");
    over.addAll(revoked);
  }

  private void end(List<Sending> some, String errorType, String message) {
    if (!some.isEmpty()) {
      List<Entry> entries = some.stream().map(sending -> sending.entry).toList();
      completer.end(entries, Map.of(), TaskState.REVOKED, errorType, message);
    }
  }

  /** Writes STARTED for tasks that are to be run at most once. */
  private void acknowledge(List<Sending> slow, List<Sending> over, WorkerSlots worker) {
    List<Sending> early = new ArrayList<>();
    List<TaskRecord> started = new ArrayList<>();
    for (Sending sending : slow) {
      if (sending.entry.earlyAck() && !over.contains(sending)) {
        TaskRecord record = sending.record.copy();
        record.state = TaskState.STARTED;
        record.fence = sending.fence;
        record.startedMillis = home.nowMillis();
        record.worker = worker.info.name();
        early.add(sending);
        started.add(record);
      }
    }
    try {
      home.store.write(started);
    } catch (TasksException e) {
      early.forEach(sending -> sending.entry.unsure = true);
      throw e;
    }
    for (int i = 0; i < early.size(); i++) {
      Sending sending = early.get(i);
      sending.record = started.get(i);
      sending.entry.record = sending.record;
      sending.entry.ownRow = true;
      sending.entry.unsure = false;
    }
  }

  private void push(WorkerSlots worker, List<Sending> batch) {
    if (batch.isEmpty()) {
      return;
    }
    List<Delivery> deliveries = new ArrayList<>(batch.size());
    for (Sending sending : batch) {
      deliveries.add(new Delivery(sending.record, sending.fence));
    }
    home.metrics.deliveries.add(deliveries.size());
    try {
      home.workers.push(worker.info.node(), worker.info.epoch(), deliveries);
    } catch (RuntimeException e) {
      home.log("worker " + worker.info.name() + " did not take its deliveries: they go back", e);
      synchronized (home.lock) {
        batch.forEach(this::giveBack);
        home.state.unsent(worker, tasks(batch));
      }
    }
  }

  /** Puts back what was not sent, if it is still this delivery; call with the lock. */
  private void giveBack(Sending sending) {
    Entry entry = sending.entry;
    // An early acknowledgement that did not reach the worker is replaced by the next one.
    if (entry.fence == sending.fence
        && !entry.completing
        && home.state.requeueCold(entry, home.nowMillis())) {
      home.park(entry);
    }
  }
}
