package org.ignitetasks.home;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

/**
 * Ids that were revoked before anybody submitted them, as their markers in the ledger say: a submit
 * looks here and not at the disk. Bounded by number and time. Thread-safe.
 */
final class RevokedAhead {
  /** How long such a revoke holds. */
  static final long STAY_MILLIS = 86_400_000;

  /** Most ids of one home; a revoke beyond that has no effect on a later submit. */
  static final int MOST = 100_000;

  private final Map<String, Long> dueMillis = new ConcurrentHashMap<>();

  boolean any() {
    return !dueMillis.isEmpty();
  }

  boolean full() {
    return dueMillis.size() >= MOST;
  }

  void add(String id, long due) {
    dueMillis.put(id, due);
  }

  boolean has(String id, long nowMillis) {
    Long due = dueMillis.get(id);
    if (due != null && due <= nowMillis) {
      dueMillis.remove(id, due);
      return false;
    }
    return due != null;
  }

  void forget(Predicate<String> gone) {
    dueMillis.keySet().removeIf(gone);
  }
}
