package org.ignitetasks.worker;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;
import org.ignitetasks.protocol.WorkerInfo;

/**
 * One worker epoch: performs what {@link SessionState} decides.
 *
 * <p>Locks: a child's write lock before the session's lock, never the other way; no lock is held
 * while a home is called, since homes push back on the same thread.
 */
final class WorkerSession {
  private static final Logger LOG = System.getLogger(WorkerSession.class.getName());

  /** How long a child's end waits for the supervisor's report. */
  private static final long REPORT_NANOS = 1_000_000_000;

  private static final long HEARTBEAT_NANOS = 1_000_000_000;
  private static final long GIVING_BACK_NANOS = 100_000_000;
  private static final long KILL_AGAIN_NANOS = 500_000_000;

  /**
   * Time for children of a dead supervisor to die by themselves, so that their last words count.
   */
  private static final long LAST_WORDS_NANOS = 300_000_000;

  private static final long SETTLE_NANOS = 2_000_000_000;

  /** Replaced when the worker's queues change. */
  volatile WorkerInfo info;

  final Questions questions;
  private final long epoch;
  private final LaneChannel channel;
  private final Completions completions;
  private final LaneMetrics metrics;
  private final Executor calls;
  private final Consumer<List<byte[]>> events;
  private final SessionState state;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Children children = new Children();
  private final Announcer announcer;
  private final Reports reports;
  private long heartbeatNanos = System.nanoTime();
  private boolean heartbeatQueued;
  private int goingBack;
  private long goingBackNanos;
  private boolean draining;
  private boolean drained;
  private boolean ending;
  private boolean shutdown;
  private volatile boolean closed;

  WorkerSession(
      WorkerInfo info,
      LaneChannel channel,
      HomeApi home,
      Completions completions,
      RunTimes times,
      LaneMetrics metrics,
      Executor calls,
      Consumer<List<byte[]>> events) {
    this.events = events;
    this.info = info;
    this.epoch = info.epoch();
    this.questions = new Questions(epoch, channel);
    this.channel = channel;
    this.completions = completions;
    this.metrics = metrics;
    this.calls = calls;
    this.state = new SessionState(times, metrics);
    this.announcer = new Announcer(epoch, home, lock, this::free, calls);
    this.reports = new Reports(epoch, completions, lock, () -> closed, this::reported);
  }

  /** Takes deliveries from a home; on the home's thread, often inside this session's own call. */
  void push(List<Delivery> deliveries) {
    List<Outcome> refused = new ArrayList<>();
    Collection<ChildConnection> written = List.of();
    boolean overfull;
    lock.lock();
    try {
      announcer.used(deliveries.size());
      long now = System.nanoTime();
      for (Delivery delivery : deliveries) {
        state.accept(delivery, now);
      }
      if (draining || ending) {
        refused.addAll(state.emptyInbox(draining ? "drain" : "closed"));
      } else {
        refused.addAll(state.tooLarge());
        written = children.of(state.place(now));
      }
      reports.track(refused);
      overfull = announcer.wrong();
    } finally {
      lock.unlock();
    }
    flush(written);
    if (!refused.isEmpty()) {
      calls.execute(() -> reports.send(refused));
    }
    if (overfull) {
      calls.execute(() -> announcer.announce(false));
    }
  }

  /** Terminates a delivery: drops it where no child has seen it, else asks the supervisor. */
  void kill(String id, long fence, String signal) {
    List<Outcome> dropped = new ArrayList<>();
    locked(
        () -> {
          Outcome outcome = state.kill(new Held.Key(id, fence), signal, System.nanoTime());
          if (outcome != null) {
            dropped.add(outcome);
            reports.track(dropped);
          }
        });
    calls.execute(
        () -> {
          reports.send(dropped);
          sendKills();
        });
  }

  /** Makes a child known and gives it work. */
  ChildConnection attach(ChildState child, LaneChannel childChannel) throws IOException {
    ChildConnection connection = new ChildConnection(child, childChannel, this, events);
    Collection<ChildConnection> written;
    boolean leave;
    // WELCOME is the first frame a child gets: no other thread may write before it.
    childChannel.lockWrites();
    try {
      childChannel.write(FrameKind.WELCOME, LaneMessages.empty());
      lock.lock();
      try {
        if (ending) {
          throw new LaneException(Code.UNAVAILABLE, "the worker of this child is gone; exit");
        }
        leave = draining;
        if (leave) {
          child.stop();
        }
        state.add(child);
        children.add(connection);
        written = children.of(state.place(System.nanoTime()));
      } finally {
        lock.unlock();
      }
    } finally {
      childChannel.unlockWrites();
    }
    flush(written);
    if (leave) {
      connection.stop();
    }
    announcer.announce(false);
    return connection;
  }

  /** Ends what a child has answered; on the child's reader thread. */
  void answered(ChildConnection child, List<LaneMessages.Answer> answers) {
    List<Outcome> outcomes;
    Collection<ChildConnection> written;
    lock.lock();
    try {
      long now = System.nanoTime();
      outcomes = state.answer(child.state, answers, now);
      reports.track(outcomes);
      written = children.of(state.place(now));
    } finally {
      lock.unlock();
    }
    // Work first, then the commit: the child runs the next batch while this one is written.
    flush(written);
    announcer.announce(false);
    reports.send(outcomes);
  }

  private void flush(Collection<ChildConnection> written) {
    for (ChildConnection child : written) {
      child.flush(lock);
    }
  }

  /** Takes what running tasks say of themselves; on the child's reader thread. */
  void said(ChildConnection child, List<LaneMessages.State> words) {
    List<Outcome> outcomes;
    lock.lock();
    try {
      words.forEach(word -> state.said(child.state, word));
      outcomes = state.progress(System.nanoTime());
      reports.track(outcomes);
    } finally {
      lock.unlock();
    }
    tellProgress(outcomes);
  }

  /** On the reader's thread, so that the end of the task comes after; or on one of the calls'. */
  private void tellProgress(List<Outcome> outcomes) {
    if (!outcomes.isEmpty()) {
      reports.send(outcomes);
      locked(() -> state.told(outcomes));
    }
  }

  /** Settles what a child leaves behind; on the child's reader thread, which may wait a second. */
  void childGone(ChildConnection child, boolean bye) {
    List<Outcome> outcomes;
    Collection<ChildConnection> written;
    lock.lock();
    try {
      child.state.stop();
      Death death = bye ? null : awaitDeath(child.state);
      if (death != null && child.state.death == null && !child.state.held.isEmpty()) {
        metrics.childDied(death);
      }
      outcomes = state.remove(child.state, death);
      children.remove(child);
      reports.track(outcomes);
      written = children.of(state.place(System.nanoTime()));
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    flush(written);
    announcer.announce(false);
    reports.send(outcomes);
    announceDrained();
  }

  private Death awaitDeath(ChildState child) {
    long left = child.held.isEmpty() ? 0 : REPORT_NANOS;
    try {
      while (child.death == null && !ending && left > 0) {
        left = changed.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      // Nobody interrupts readers but a JVM that is stopping: settle without a report.
      Thread.currentThread().interrupt();
    }
    if (child.death != null) {
      return child.death;
    }
    return shutdown ? Death.shutdown() : Death.unknown();
  }

  /** Takes the supervisor's report, which may come before or after the child's end is seen. */
  void childDied(LaneMessages.ChildDied report) {
    LOG.log(
        Level.DEBUG,
        "child_died epoch={0} child={1} reason={2} detail={3}",
        Long.toString(epoch),
        report.child(),
        report.death().reason(),
        report.death().detail());
    metrics.childDied(report.death());
    locked(
        () -> {
          children.died(report, System.nanoTime());
          changed.signalAll();
        });
  }

  /** No new deliveries; what has not started goes back now, what runs may end. */
  void drain() {
    List<Outcome> outcomes;
    List<ChildConnection> all;
    lock.lock();
    try {
      draining = true;
      outcomes = state.emptyInbox("drain");
      reports.track(outcomes);
      all = children.all();
      children.stop();
    } finally {
      lock.unlock();
    }
    all.forEach(ChildConnection::stop);
    announcer.announce(true);
    reports.send(outcomes);
    announceDrained();
  }

  private void announceDrained() {
    lock.lock();
    try {
      if (!draining || drained || state.count() > 0 || !reports.isEmpty()) {
        return;
      }
      drained = true;
    } finally {
      lock.unlock();
    }
    channel.tell(FrameKind.DRAINED, LaneMessages.empty());
  }

  /**
   * Ends the epoch: the supervisor is gone, or this JVM stops. Returns when all is settled or given
   * up; the homes then end what leases are left.
   */
  void end(boolean byShutdown, Runnable finished) {
    List<Outcome> outcomes;
    lock.lock();
    try {
      if (ending) {
        return;
      }
      ending = true;
      shutdown = byShutdown;
      children.stop();
      outcomes = state.emptyInbox("closed");
      reports.track(outcomes);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    questions.close();
    calls.execute(() -> reports.send(outcomes));
    if (!byShutdown) {
      awaitSettled(LAST_WORDS_NANOS);
    }
    locked(() -> children.all().forEach(child -> child.channel.close()));
    awaitSettled(SETTLE_NANOS);
    closed = true;
    completions.left(epoch, finished);
  }

  private void awaitSettled(long nanos) {
    lock.lock();
    try {
      long left = nanos;
      while (left > 0 && !(children.isEmpty() && reports.isEmpty())) {
        left = changed.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      lock.unlock();
    }
  }

  /** Says whether nothing is in hand, nothing on its way to a home and nobody on his way out. */
  boolean isIdle() {
    lock.lock();
    try {
      return !ending && !draining && state.count() == 0 && reports.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  /** Does what time alone brings about; on the timer's thread, so nothing here may block. */
  void tick() {
    long now = System.nanoTime();
    List<Outcome> outcomes;
    List<Outcome> progress;
    boolean beat;
    lock.lock();
    try {
      children.cutOff(now);
      outcomes = state.overdue(now);
      reports.track(outcomes);
      if (!outcomes.isEmpty()) {
        goingBack++;
        goingBackNanos = now;
      }
      progress = state.progress(now);
      reports.track(progress);
      beat = !heartbeatQueued && !ending && now - heartbeatNanos >= HEARTBEAT_NANOS;
      if (beat) {
        heartbeatNanos = now;
        heartbeatQueued = true;
      }
    } finally {
      lock.unlock();
    }
    if (!outcomes.isEmpty()) {
      calls.execute(() -> giveBack(outcomes));
    }
    if (!progress.isEmpty()) {
      calls.execute(() -> tellProgress(progress));
    }
    if (beat) {
      calls.execute(this::heartbeat);
    }
    questions.expire(now);
    if (Children.hung(channel, now)) {
      channel.close();
    }
  }

  /**
   * Tells the home what waited too long. Nothing new is asked for meanwhile, since it would be run
   * before these; but not for long, because one home that hangs must not stop the others' tasks.
   */
  private void giveBack(List<Outcome> outcomes) {
    reports.send(outcomes);
    locked(() -> goingBack--);
    announcer.announce(false);
  }

  private void heartbeat() {
    sendKills();
    announcer.announce(true);
    locked(() -> heartbeatQueued = false);
  }

  /** Sends due KILL frames. Repeated, since a delivery may have been waiting behind another. */
  private void sendKills() {
    List<byte[]> frames = new ArrayList<>();
    locked(() -> frames.addAll(state.kills(System.nanoTime(), KILL_AGAIN_NANOS)));
    frames.forEach(frame -> channel.tell(FrameKind.KILL, frame));
  }

  private int free() {
    long now = System.nanoTime();
    boolean holding = goingBack > 0 && now - goingBackNanos < GIVING_BACK_NANOS;
    return draining || ending || holding ? 0 : state.free(now);
  }

  /** Runs under the lock whenever outcomes have been committed or given up. */
  private void reported() {
    changed.signalAll();
    if (draining && !drained) {
      calls.execute(this::announceDrained);
    }
  }

  private void locked(Runnable work) {
    lock.lock();
    try {
      work.run();
    } finally {
      lock.unlock();
    }
  }

  /** Tells the supervisor what this worker has in hand. */
  void tellHeld(long number) {
    byte[] frame;
    lock.lock();
    try {
      frame = HeldReport.frame(number, state.rows(), state.ended(), System.nanoTime());
    } finally {
      lock.unlock();
    }
    // Not on the reader's thread: a supervisor that writes while it is written to must be read.
    calls.execute(() -> channel.tell(FrameKind.HELD_REPLY, frame));
  }

  /** Adds all deliveries that have not ended in a home to {@code out}. */
  void running(List<WorkerApi.Running> out) {
    locked(
        () -> {
          state.running(epoch, out);
          reports.running(out);
        });
  }

  /** Returns {free slots, deliveries held, children}. */
  int[] gauges() {
    lock.lock();
    try {
      return new int[] {state.freeSlots(), state.count(), children.size()};
    } finally {
      lock.unlock();
    }
  }
}
