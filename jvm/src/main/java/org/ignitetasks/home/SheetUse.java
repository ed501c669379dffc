package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.ignitetasks.model.Sheet;

/**
 * Which sheets of the ledger still hold tasks that have not ended. A sheet goes when none is left;
 * until then the rows of its tasks must stay, if only as markers, or their tasks would seem to be
 * waiting again. Thread-safe.
 */
final class SheetUse {
  /** One sheet and how many of its tasks have not ended. */
  static final class Use {
    final String key;
    private final AtomicInteger open;

    Use(String key, int open) {
      this.key = key;
      this.open = new AtomicInteger(open);
    }
  }

  private final Map<String, Use> live = new ConcurrentHashMap<>();
  private final Queue<String> finished = new ConcurrentLinkedQueue<>();

  /** Notes a stored sheet; one without open tasks is finished at once. */
  void add(Use use) {
    live.put(use.key, use);
    if (use.open.get() == 0) {
      finished.add(use.key);
    }
  }

  /** Notes that a task has ended, durably; harmless for a task that is on no sheet. */
  void ended(Entry entry) {
    Use use = entry.sheet;
    entry.sheet = null;
    if (use != null && use.open.decrementAndGet() == 0) {
      finished.add(use.key);
    }
  }

  /** Keeps the markers of the sheet this id may be on, for as long as this home lives. */
  void hold(String id) {
    String key = Sheet.keyOf(id);
    if (key != null) {
      live.putIfAbsent(key, new Use(key, Integer.MAX_VALUE));
    }
  }

  /**
   * Says whether the sheet that this id may be on is still there; it counts as there until its
   * deletion is durable.
   */
  boolean holds(String id) {
    String key = live.isEmpty() ? null : Sheet.keyOf(id);
    return key != null && live.containsKey(key);
  }

  /** Forgets sheets that have another home now. */
  void forget(Predicate<String> gone) {
    live.keySet().removeIf(gone);
    finished.removeIf(gone);
  }

  /** Returns the keys of up to {@code most} sheets to delete. */
  List<String> finished(int most) {
    List<String> keys = new ArrayList<>();
    while (keys.size() < most && !finished.isEmpty()) {
      keys.add(finished.poll());
    }
    return keys;
  }

  /** Notes that finished sheets were deleted, or could not be and are to be tried again. */
  void deleted(List<String> keys, boolean done) {
    if (done) {
      keys.forEach(live::remove);
    } else {
      finished.addAll(keys);
    }
  }
}
