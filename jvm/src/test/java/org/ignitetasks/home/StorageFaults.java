package org.ignitetasks.home;

import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.ignite.IgniteException;

/** Lets the storage fail at named steps: before a change ("write"), or after it ("write done"). */
final class StorageFaults implements Consumer<String> {
  private volatile Predicate<String> fails = step -> false;
  private final Map<String, LongAdder> steps = new ConcurrentHashMap<>();

  /** Returns how often a step was taken. */
  long count(String step) {
    return steps.computeIfAbsent(step, key -> new LongAdder()).sum();
  }

  /** From now on nothing fails. */
  void none() {
    fails = step -> false;
  }

  /** The next of these steps fails, once. */
  void once(String step) {
    once(step, 1);
  }

  /** One of these steps fails, once: the first is number 1. */
  void once(String step, int number) {
    AtomicInteger left = new AtomicInteger(number);
    fails = at -> at.equals(step) && left.decrementAndGet() == 0;
  }

  /** All of these steps fail. */
  void always(String step) {
    fails = step::equals;
  }

  /** Each step fails with this probability. */
  void randomly(long seed, double share) {
    Random random = new Random(seed);
    fails =
        at -> {
          synchronized (random) {
            return random.nextDouble() < share;
          }
        };
  }

  @Override
  public void accept(String step) {
    steps.computeIfAbsent(step, key -> new LongAdder()).increment();
    if (fails.test(step)) {
      throw new IgniteException("injected at: " + step);
    }
  }
}
