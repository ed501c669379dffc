package org.ignitetasks.home;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Which tasks wait for others to end, how many of those have ended, and which tasks are only
 * promised. Guarded by the home's lock; all of it can be made again from the ledger, since members
 * carry their join in their rows.
 *
 * <p>A join may have members that ended before it was inserted itself: they are counted under its
 * id until it comes. It is known here until it has ended, so that its members' rows are kept as
 * long: it reads them, and a rebuild counts them.
 */
final class Joins {
  private static final class Join {
    int ended;

    /** The join size in the record of the one that waits; 0 while no record is known. */
    int size;

    /** The one that waits, null while somebody changes it, or when it has been let go. */
    Entry waiting;
  }

  private final Map<String, Join> joins = new HashMap<>();
  private int waiting;

  /** How many are promised; read without the lock by those that only want to know of none. */
  private volatile int promised;

  /**
   * Takes a task that is to wait for others, or for its call; false if all it waits for has ended:
   * then it is ready.
   */
  boolean hold(Entry entry, int size) {
    Join join = joins.computeIfAbsent(entry.id, key -> new Join());
    resize(join, size);
    if (size > 0 && join.ended >= size) {
      return false;
    }
    // It may wait for long: its record is read again when it is ready.
    entry.record = null;
    join.waiting = entry;
    waiting++;
    return true;
  }

  private void resize(Join join, int size) {
    if (join.size < 0) {
      promised--;
    }
    if (size < 0) {
      promised++;
    }
    join.size = size;
  }

  /** Counts the end of a member; returns the one that is ready by that, or null. */
  Entry ended(String joinId) {
    Join join = joins.computeIfAbsent(joinId, key -> new Join());
    join.ended++;
    boolean last = join.size > 0 && join.ended >= join.size;
    return last ? take(join) : null;
  }

  /** Sets how many members have ended, as the ledger says. */
  void restore(String joinId, int ended) {
    joins.computeIfAbsent(joinId, key -> new Join()).ended = ended;
  }

  /** Takes out one that waits, to change or end it; null if it does not wait here. */
  Entry take(String id) {
    Join join = joins.get(id);
    return join == null ? null : take(join);
  }

  private Entry take(Join join) {
    Entry entry = join.waiting;
    if (entry != null) {
      join.waiting = null;
      waiting--;
    }
    return entry;
  }

  /** Puts back what {@link #take} gave; false if it is not to wait any more. */
  boolean putBack(Entry entry) {
    Join join = joins.get(entry.id);
    return join != null && join.size != 0 && hold(entry, join.size);
  }

  /** Notes that a task with a join size has ended, or waits for nothing any more. */
  void closed(String id) {
    Join join = joins.remove(id);
    if (join != null) {
      take(join);
      resize(join, 0);
    }
  }

  /** Notes that a row of an ended member is no more; nobody has come to wait for it. */
  void memberGone(String joinId) {
    Join join = joins.get(joinId);
    if (join != null && join.size == 0) {
      join.ended--;
      if (join.ended <= 0) {
        joins.remove(joinId);
      }
    }
  }

  /** Says whether a task with this id waits for others or has done so, and has not ended. */
  boolean open(String id) {
    Join join = joins.isEmpty() ? null : joins.get(id);
    return join != null && join.size != 0;
  }

  /** Says whether any task is promised; needs no lock. */
  boolean anyPromised() {
    return promised > 0;
  }

  /** Forgets joins that have another home now. */
  void forget(Predicate<String> gone) {
    joins.keySet().stream().filter(gone).toList().forEach(this::closed);
  }

  /** Returns how many wait. */
  int waiting() {
    return waiting;
  }

  /** Returns of how many joins anything is known. */
  int size() {
    return joins.size();
  }
}
