package org.ignitetasks.home;

import java.util.ArrayDeque;
import java.util.List;
import java.util.PriorityQueue;
import java.util.function.Predicate;

/**
 * The exact order of what may run now: priority (0 to 255, higher first), then arrival.
 *
 * <p>One FIFO per priority that is in use; entries that come back take the place their arrival gave
 * them. All operations are O(1) but for entries that come back. Not thread-safe.
 */
final class ReadyOrder {
  static final int PRIORITIES = 256;

  private static final class Level {
    final ArrayDeque<Entry> fifo = new ArrayDeque<>();
    final PriorityQueue<Entry> returned = new PriorityQueue<>(Entry::compare);

    Entry peek() {
      Entry first = fifo.peekFirst();
      Entry back = returned.peek();
      return first == null || (back != null && back.seq < first.seq) ? back : first;
    }

    void take(Entry entry) {
      if (returned.peek() == entry) {
        returned.poll();
      } else {
        fifo.pollFirst();
      }
    }

    boolean isEmpty() {
      return fifo.isEmpty() && returned.isEmpty();
    }
  }

  private final Level[] levels = new Level[PRIORITIES];
  private final long[] used = new long[PRIORITIES / Long.SIZE];
  private int size;

  int size() {
    return size;
  }

  boolean isEmpty() {
    return size == 0;
  }

  void add(Entry entry) {
    Level level = levels[entry.priority()];
    if (level == null) {
      level = levels[entry.priority()] = new Level();
    }
    Entry last = level.fifo.peekLast();
    if (last == null || last.seq < entry.seq) {
      level.fifo.addLast(entry);
    } else {
      level.returned.add(entry);
    }
    used[entry.priority() >> 6] |= 1L << (entry.priority() & 63);
    size++;
  }

  Entry peek() {
    int top = top();
    return top < 0 ? null : levels[top].peek();
  }

  Entry poll() {
    int top = top();
    if (top < 0) {
      return null;
    }
    Level level = levels[top];
    Entry entry = level.peek();
    level.take(entry);
    clearIfEmpty(top);
    size--;
    return entry;
  }

  /**
   * Moves up to {@code most} entries that are wanted to {@code out}; the others keep their places.
   */
  void drain(int most, Predicate<Entry> wanted, List<Entry> out) {
    for (int priority = PRIORITIES - 1; priority >= 0 && out.size() < most; priority--) {
      Level level = levels[priority];
      if (level == null) {
        continue;
      }
      int before = out.size();
      Predicate<Entry> taken = e -> out.size() < most && wanted.test(e) && out.add(e);
      level.fifo.removeIf(taken);
      level.returned.removeIf(taken);
      size -= out.size() - before;
      clearIfEmpty(priority);
    }
  }

  private void clearIfEmpty(int priority) {
    if (levels[priority].isEmpty()) {
      levels[priority] = null;
      used[priority >> 6] &= ~(1L << (priority & 63));
    }
  }

  private int top() {
    for (int word = used.length - 1; word >= 0; word--) {
      if (used[word] != 0) {
        return (word << 6) + 63 - Long.numberOfLeadingZeros(used[word]);
      }
    }
    return -1;
  }
}
