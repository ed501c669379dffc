package org.ignitetasks.home;

import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.ignitetasks.model.TaskRecord;

/**
 * Ids whose last write failed in a way that leaves open whether it happened, and which are in no
 * order now. They are settled by looking at the ledger: by the client's repeat, or by the timer.
 * Thread-safe.
 */
final class Doubts {
  private final Set<String> open = new HashSet<>();

  synchronized void add(List<TaskRecord> records) {
    records.forEach(r -> open.add(r.id));
  }

  /** Returns those of these ids that are open, and holds them to be settled. */
  synchronized Set<String> take(Collection<String> ids) {
    if (open.isEmpty()) {
      return Set.of();
    }
    Set<String> taken = new LinkedHashSet<>(ids);
    taken.retainAll(open);
    open.removeAll(taken);
    return taken;
  }

  synchronized List<String> ids() {
    return List.copyOf(open);
  }
}
