package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.ignitetasks.model.TaskState;

/**
 * Tasks whose last write failed in a way that leaves open whether it happened, and which are in no
 * order now. They are settled by looking at the ledger: by the client's repeat, or by the timer.
 * Thread-safe.
 */
final class Doubts {
  /**
   * One such task.
   *
   * @param entry what is to go into the order if the record waits
   * @param before the state before the write, or null if the write was to insert the record
   */
  record Doubt(Entry entry, TaskState before) {}

  private final Map<String, Doubt> open = new LinkedHashMap<>();

  /** Takes entries whose write failed; their records are read again when they get their turn. */
  synchronized void add(Collection<Entry> entries, TaskState before) {
    for (Entry entry : entries) {
      entry.record = null;
      open.put(entry.id, new Doubt(entry, before));
    }
  }

  /** Says whether there are any. */
  synchronized boolean any() {
    return !open.isEmpty();
  }

  /** Takes doubts back that could not be settled. */
  synchronized void putBack(Map<String, Doubt> doubts) {
    doubts.forEach(open::putIfAbsent);
  }

  /** Returns those of these ids that are open, and holds them to be settled. */
  synchronized Map<String, Doubt> take(Collection<String> ids) {
    if (open.isEmpty()) {
      return Map.of();
    }
    Map<String, Doubt> taken = new LinkedHashMap<>();
    for (String id : ids) {
      Doubt doubt = open.remove(id);
      if (doubt != null) {
        taken.put(id, doubt);
      }
    }
    return taken;
  }

  /** Forgets tasks that have another home now. */
  synchronized void forget(Predicate<String> gone) {
    open.keySet().removeIf(gone);
  }

  /** Returns up to {@code most} ids that are open. */
  synchronized List<String> ids(int most) {
    List<String> ids = new ArrayList<>();
    for (String id : open.keySet()) {
      if (ids.size() == most) {
        break;
      }
      ids.add(id);
    }
    return ids;
  }
}
