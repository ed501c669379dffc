package org.ignitetasks.worker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.WorkerApi;

/**
 * Inbox and children of one worker epoch: who gets what, and how much more the worker takes.
 *
 * <p>Pure: no I/O, no lock and no clock of its own; {@link WorkerSession} guards it and performs
 * what it decides. The inbox is in the order of arrival: a long delivery at its head is not
 * overtaken, and what a child gives back because of a slow task takes its old place again, so that
 * one slot runs everything in the order in which the home sent it.
 */
final class SessionState {
  /** A delivery no child can take goes back to its home after so long. */
  static final long PATIENCE_NANOS = 100_000_000;

  /** A delivery above this does not fit into one frame. */
  private static final int MAX_DELIVERY_BYTES = FrameCodec.MAX_LENGTH - (64 << 10);

  /** Between two words of one task to its home: what is said in between, the last counts. */
  private static final long SPEAK_NANOS = 100_000_000;

  /** Why a child gives back one delivery and all after it. */
  private static final String SLOW = "slow";

  private static final int MAX_NAMES = 2_000;

  private final RunTimes times;
  private final LaneMetrics metrics;
  private final ArrayDeque<Held> inbox = new ArrayDeque<>();
  private final Map<Held.Key, Held> held = new HashMap<>();
  private final Map<Held.Key, ChildState> owners = new HashMap<>();
  private final Set<Held> speaking = new LinkedHashSet<>();
  private final Set<ChildState> children = new LinkedHashSet<>();
  private final Set<ChildState> noticed = new LinkedHashSet<>();
  private final Map<String, Long> ended = new HashMap<>();
  private long meanMicros = RunTimes.UNKNOWN_MICROS;
  private long meanBytes = 1;
  private boolean learned;
  private long arrived;

  SessionState(RunTimes times, LaneMetrics metrics) {
    this.times = times;
    this.metrics = metrics;
  }

  void add(ChildState child) {
    children.add(child);
  }

  Collection<ChildState> children() {
    return children;
  }

  /** Puts a delivery into the inbox, unless it is here already because a push came twice. */
  void accept(Delivery delivery, long now) {
    Held next = new Held(delivery, ++arrived, now);
    if (held.putIfAbsent(next.key, next) == null) {
      inbox.add(next);
      meanBytes = RunTimes.blend(meanBytes, next.bytes);
    }
  }

  /** Moves what children can take from the inbox to them; returns the children to write to. */
  Set<ChildState> place(long now) {
    Set<ChildState> changed = new LinkedHashSet<>(noticed);
    noticed.clear();
    while (!inbox.isEmpty()) {
      Held next = inbox.peek();
      long micros = times.expect(next.record.task);
      ChildState best = null;
      for (ChildState child : children) {
        if (child.accepts(micros, next.bytes, now) && (best == null || before(child, best))) {
          best = child;
        }
      }
      if (best == null) {
        break;
      }
      inbox.poll();
      best.assign(next, micros, now);
      owners.put(next.key, best);
      changed.add(best);
    }
    return changed;
  }

  private static boolean before(ChildState child, ChildState other) {
    long difference = child.backlogMicros() - other.backlogMicros();
    // Equal time: a child with fewer deliveries per slot, so that idle ones come first.
    return difference < 0
        || (difference == 0
            && (long) child.held.size() * other.slots < (long) other.held.size() * child.slots);
  }

  /** Returns how many more deliveries this worker takes now. */
  int free(long now) {
    long room = 0;
    for (ChildState child : children) {
      room += child.room(meanMicros, meanBytes, now);
    }
    return (int) Math.max(0, room - inbox.size());
  }

  /** Ends deliveries as a child says; answers to numbers it does not hold are dropped. */
  List<Outcome> answer(ChildState child, List<LaneMessages.Answer> answers, long now) {
    List<Outcome> outcomes = new ArrayList<>(answers.size());
    for (LaneMessages.Answer answer : answers) {
      if (answer.kind() == Outcome.GIVE_BACK && SLOW.equals(answer.reason())) {
        outcomes.addAll(takeBack(child, answer.seq()));
        continue;
      }
      boolean end = answer.kind() != Outcome.STARTED;
      Held delivery = end ? child.remove(answer.seq(), now) : child.held.get(answer.seq());
      if (delivery == null) {
        continue;
      }
      if (end) {
        forget(delivery);
        Outcome last = delivery.lastProgress(now);
        if (last != null) {
          outcomes.add(last);
        }
      }
      if (answer.kind() == Outcome.GIVE_BACK) {
        outcomes.add(givenBack(delivery, answer.reason()));
      } else {
        outcomes.add(outcome(delivery, answer.body()));
        if (end) {
          learn(delivery, answer);
        }
      }
    }
    return outcomes;
  }

  /**
   * Takes back what a slow task keeps waiting, from this number on, so that other children can have
   * it; {@link #overdue} gives what they do not take to the home. Returns the outcomes of what is
   * being revoked.
   */
  private List<Outcome> takeBack(ChildState child, long from) {
    List<Outcome> outcomes = new ArrayList<>();
    List<Held> waiting = new ArrayList<>(inbox);
    for (Held delivery : child.takeBack(from)) {
      owners.remove(delivery.key);
      metrics.gaveBack(SLOW);
      if (delivery.killSignal == null) {
        waiting.add(delivery);
      } else {
        forget(delivery);
        outcomes.add(delivery.back());
      }
    }
    waiting.sort(Comparator.comparingLong(delivery -> delivery.number));
    inbox.clear();
    inbox.addAll(waiting);
    noticed.add(child);
    tooSlow(child);
    return outcomes;
  }

  /** Takes what a running task says of itself; it is told by {@link #progress}. */
  void said(ChildState child, LaneMessages.State said) {
    Held delivery = child.held.get(said.seq());
    if (delivery != null) {
      delivery.said = said;
      speaking.add(delivery);
    }
  }

  /** Returns what the home is to be told now of tasks that run: of each the last, now and then. */
  List<Outcome> progress(long now) {
    List<Outcome> outcomes = new ArrayList<>();
    for (Iterator<Held> all = speaking.iterator(); all.hasNext(); ) {
      Held delivery = all.next();
      if (delivery.toldNanos == 0 || now - delivery.toldNanos >= SPEAK_NANOS) {
        all.remove();
        outcomes.add(delivery.takeProgress(now));
      }
    }
    return outcomes;
  }

  /** Takes note that homes have been told, or could not be. */
  void told(List<Outcome> progress) {
    for (Outcome outcome : progress) {
      Held delivery = held.get(new Held.Key(outcome.id(), outcome.fence()));
      if (delivery != null && delivery.telling == outcome) {
        delivery.telling = null;
      }
    }
  }

  private Outcome givenBack(Held delivery, String reason) {
    metrics.gaveBack(reason == null ? "unknown" : reason);
    return "not_registered".equals(reason)
        ? delivery.plain(Outcome.NOT_REGISTERED)
        : delivery.back();
  }

  private void learn(Held delivery, LaneMessages.Answer answer) {
    long micros = answer.body().runMicros();
    times.ran(delivery.record.task, micros);
    meanMicros = learned ? RunTimes.blend(meanMicros, micros) : Math.max(micros, 10);
    learned = true;
    metrics.ran(delivery.record.task, answer.kind());
    if (ended.size() < MAX_NAMES || ended.containsKey(delivery.record.task)) {
      ended.merge(delivery.record.task, 1L, Long::sum);
    }
  }

  private void tooSlow(ChildState child) {
    long micros = ChildState.BUSY_NANOS / 1000;
    Held stuck = child.slow(micros);
    if (stuck != null) {
      times.atLeast(stuck.record.task, micros);
      meanMicros = RunTimes.blend(meanMicros, micros);
    }
  }

  private static Outcome outcome(Held delivery, Outcome body) {
    return new Outcome(
        delivery.key.id(),
        delivery.key.fence(),
        body.kind(),
        body.payload(),
        body.payloadIsRef(),
        body.runMicros(),
        body.errorType(),
        body.retry(),
        body.requeue(),
        body.spawn());
  }

  /**
   * Empties the inbox if its head has waited too long; returns the outcomes. What came after goes
   * back with it, since it would be run before it otherwise.
   */
  List<Outcome> overdue(long now) {
    boolean due = !inbox.isEmpty() && now - inbox.peek().arrivedNanos > PATIENCE_NANOS;
    return due ? emptyInbox("waited") : new ArrayList<>();
  }

  /** Takes out what no lane frame can hold; returns its outcomes. */
  List<Outcome> tooLarge() {
    List<Outcome> outcomes = new ArrayList<>();
    for (Iterator<Held> all = inbox.iterator(); all.hasNext(); ) {
      Held delivery = all.next();
      if (delivery.bytes > MAX_DELIVERY_BYTES) {
        all.remove();
        forget(delivery);
        outcomes.add(
            delivery.failure(
                "PayloadTooLarge",
                "the task's arguments and options take "
                    + delivery.bytes
                    + " bytes in one piece; send large arguments as a blob"));
      }
    }
    return outcomes;
  }

  /** Takes out all that is not with a child; returns its outcomes. */
  List<Outcome> emptyInbox(String reason) {
    List<Outcome> outcomes = new ArrayList<>();
    while (!inbox.isEmpty()) {
      outcomes.add(giveBack(inbox.poll(), reason));
    }
    return outcomes;
  }

  private Outcome giveBack(Held delivery, String reason) {
    forget(delivery);
    metrics.gaveBack(reason);
    return delivery.back();
  }

  /** Removes a child; returns what becomes of its deliveries. death null: it said goodbye. */
  List<Outcome> remove(ChildState child, Death death) {
    children.remove(child);
    noticed.remove(child);
    List<Held> unanswered = new ArrayList<>(child.held.values());
    unanswered.forEach(this::forget);
    child.held.clear();
    if (death != null) {
      return death.settle(unanswered, child.slots);
    }
    List<Outcome> outcomes = new ArrayList<>();
    unanswered.forEach(delivery -> outcomes.add(delivery.back()));
    return outcomes;
  }

  /**
   * Takes note that a delivery is to be terminated.
   *
   * @return its outcome if no child has seen it, else null: then it is marked, see {@link #kills}
   */
  Outcome kill(Held.Key key, String signal, long now) {
    Held delivery = held.get(key);
    if (delivery == null) {
      return null;
    }
    if (delivery.sent) {
      delivery.killSignal = signal;
      return null;
    }
    ChildState owner = owners.get(key);
    if (owner == null) {
      inbox.remove(delivery);
    } else {
      owner.remove(delivery.seq, now);
    }
    forget(delivery);
    return delivery.plain(Outcome.REVOKED);
  }

  /** Returns KILL frames' payloads to send now: first ones, and those older than the interval. */
  List<byte[]> kills(long now, long intervalNanos) {
    List<byte[]> frames = new ArrayList<>();
    for (ChildState child : children) {
      for (Held delivery : child.held.values()) {
        boolean due = delivery.killSentNanos == 0 || now - delivery.killSentNanos >= intervalNanos;
        if (delivery.killSignal != null && due) {
          delivery.killSentNanos = now;
          frames.add(LaneMessages.kill(child.child, child.pid, delivery.seq, delivery.killSignal));
        }
      }
    }
    return frames;
  }

  /** Adds all that is held to {@code out}. */
  void running(long epoch, List<WorkerApi.Running> out) {
    for (Held.Key key : held.keySet()) {
      out.add(new WorkerApi.Running(epoch, key.id(), key.fence()));
    }
  }

  /** Returns all that is held and who has it, children's first. */
  List<HeldReport.Row> rows() {
    List<HeldReport.Row> rows = new ArrayList<>(held.size());
    for (ChildState child : children) {
      child.held.values().forEach(delivery -> rows.add(new HeldReport.Row(child, delivery)));
    }
    inbox.forEach(delivery -> rows.add(new HeldReport.Row(null, delivery)));
    return rows;
  }

  /** Returns how many executions have ended, by task. */
  Map<String, Long> ended() {
    return ended;
  }

  /** Returns how many deliveries are here, in the inbox and with children. */
  int count() {
    return held.size();
  }

  /** Returns how many slots run nothing. */
  int freeSlots() {
    int free = 0;
    for (ChildState child : children) {
      free += Math.max(0, child.slots - child.held.size());
    }
    return free;
  }

  private void forget(Held delivery) {
    held.remove(delivery.key);
    speaking.remove(delivery);
    owners.remove(delivery.key);
  }
}
