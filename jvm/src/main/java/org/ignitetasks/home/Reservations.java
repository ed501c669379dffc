package org.ignitetasks.home;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;
import org.ignitetasks.model.TasksException;

/**
 * Ids whose presence in the ledger or in the order one thread is about to change: whoever inserts,
 * revokes, revives or erases records looks at them first, and between the look and the write nobody
 * else may do the same. What a lease's claim guards needs no reservation. Thread-safe.
 *
 * <p>All ids of a call are taken at once and by no thread twice, so that none waits for another in
 * a circle.
 */
final class Reservations {
  private final Set<String> held = new HashSet<>();

  /** Waits until none of these ids is held, and holds them; returns whether all are different. */
  synchronized boolean take(Collection<String> ids) {
    while (anyHeld(ids)) {
      try {
        wait();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
      }
    }
    int before = held.size();
    held.addAll(ids);
    return held.size() - before == ids.size();
  }

  synchronized void release(Collection<String> ids) {
    ids.forEach(held::remove);
    notifyAll();
  }

  private boolean anyHeld(Collection<String> ids) {
    if (!held.isEmpty()) {
      for (String id : ids) {
        if (held.contains(id)) {
          return true;
        }
      }
    }
    return false;
  }
}
