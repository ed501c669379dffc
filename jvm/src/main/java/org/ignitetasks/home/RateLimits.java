package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.ignitetasks.model.Rate;
import org.ignitetasks.protocol.WorkerInfo;

/**
 * Which tasks must wait for their rate. The part of {@link QueueState} that knows rates; as pure as
 * it is: starts are drawn from the cluster's bucket by the caller, between two dispatches.
 *
 * <p>A task without a start in hand counts as one that cannot run: its entries stay in order, take
 * no slot and hold up no other task. Nothing here costs anything while no task has a limit.
 */
final class RateLimits {
  /** A wish for starts of a task. */
  record Ask(String task, Rate rate) {}

  private static final class Throttle {
    final Rate rate;
    int inHand;
    long notBeforeMillis;
    boolean asking;

    Throttle(Rate rate) {
      this.rate = rate;
    }
  }

  private final Map<String, Throttle> throttles = new HashMap<>();

  /** Tasks that could have run in the last dispatch, but for their rate. */
  private final Set<String> held = new HashSet<>();

  private Map<String, Rate> overrides = Map.of();
  private long nowMillis;
  private boolean mayStartNow;

  /** Takes the limits set at run time; null stands for a task whose limit was lifted. */
  void overrides(Map<String, Rate> limits) {
    overrides = limits;
  }

  /**
   * Works out the limits that hold now: what was set at run time, else the strictest that a worker
   * declares.
   */
  void settle(Collection<WorkerSlots> workers) {
    Map<String, Rate> rates = new HashMap<>();
    for (WorkerSlots worker : workers) {
      WorkerInfo info = worker.info;
      info.limits().forEach((task, text) -> rates.merge(task, Rate.parse(text), this::slower));
    }
    rates.putAll(overrides);
    rates.values().removeIf(rate -> rate == null);
    throttles.keySet().retainAll(rates.keySet());
    rates.forEach(
        (task, rate) -> {
          Throttle there = throttles.get(task);
          if (there == null || !there.rate.equals(rate)) {
            throttles.put(task, new Throttle(rate));
          }
        });
  }

  private Rate slower(Rate a, Rate b) {
    return a.intervalMicros() >= b.intervalMicros() ? a : b;
  }

  /** Begins a dispatch: what is held is found anew. */
  void begin(long atMillis) {
    nowMillis = atMillis;
    mayStartNow = false;
    if (!held.isEmpty()) {
      held.clear();
    }
  }

  /**
   * Says whether a task that is held may have a start for the asking: then that is to be drawn
   * before others, which may come after it, get what it could use.
   */
  boolean mayStartNow() {
    return mayStartNow;
  }

  /** Says whether a task that could run now must wait for its rate. */
  boolean holds(String task) {
    if (throttles.isEmpty()) {
      return false;
    }
    Throttle throttle = throttles.get(task);
    if (throttle == null || throttle.inHand > 0) {
      return false;
    }
    held.add(task);
    mayStartNow |= open(throttle);
    return true;
  }

  /** Notes that a call of the task is on its way. */
  void used(String task) {
    Throttle throttle = throttles.isEmpty() ? null : throttles.get(task);
    if (throttle != null) {
      throttle.inHand--;
    }
  }

  /** Notes that a call that was on its way did not start after all. */
  void unused(String task) {
    Throttle throttle = throttles.isEmpty() ? null : throttles.get(task);
    if (throttle != null) {
      throttle.inHand = Math.min(throttle.inHand + 1, throttle.rate.burst());
    }
  }

  /** Returns for which tasks starts are to be drawn now; the caller answers each. */
  List<Ask> asks() {
    if (held.isEmpty()) {
      return List.of();
    }
    List<Ask> asks = new ArrayList<>();
    for (String task : held) {
      Throttle throttle = throttles.get(task);
      if (throttle != null && throttle.inHand <= 0 && open(throttle)) {
        throttle.asking = true;
        asks.add(new Ask(task, throttle.rate));
      }
    }
    return asks;
  }

  private boolean open(Throttle throttle) {
    return !throttle.asking && throttle.notBeforeMillis <= nowMillis;
  }

  /**
   * Answers a wish.
   *
   * @param starts how many were drawn
   * @param notBeforeMillis when to draw again, at the earliest
   */
  void drawn(Ask ask, int starts, long notBeforeMillis) {
    Throttle throttle = throttles.get(ask.task());
    // Under another rate what was drawn for the old one does not count.
    if (throttle != null && throttle.rate.equals(ask.rate())) {
      throttle.asking = false;
      throttle.inHand += starts;
      throttle.notBeforeMillis = notBeforeMillis;
    }
  }

  /** Returns the wall-clock time at which there is a start for a task that is held. */
  long nextMillis() {
    long next = Long.MAX_VALUE;
    for (String task : held) {
      Throttle throttle = throttles.get(task);
      if (throttle != null && !throttle.asking && throttle.inHand <= 0) {
        next = Math.min(next, throttle.notBeforeMillis);
      }
    }
    return next;
  }

  /** Returns the limits that hold, by task: the time between two starts in microseconds. */
  Map<String, Long> limits() {
    Map<String, Long> limits = new HashMap<>();
    throttles.forEach((task, throttle) -> limits.put(task, throttle.rate.intervalMicros()));
    return limits;
  }
}
