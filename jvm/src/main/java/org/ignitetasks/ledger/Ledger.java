package org.ignitetasks.ledger;

import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.function.Function;
import org.apache.ignite.internal.mem.IgniteOutOfMemoryException;
import org.apache.ignite.internal.util.typedef.X;
import org.ignitetasks.model.TasksException;

/**
 * Rows by key. One call of {@link #write} or {@link #delete} happens whole or not at all, whatever
 * happens meanwhile. Sorted keys: two calls with common ones cannot deadlock.
 */
public interface Ledger extends AutoCloseable {
  /** Returns the rows that are there. */
  Map<String, byte[]> read(SortedSet<String> keys);

  /**
   * As {@link #read}, but waits for changes of these rows that are under way, even such as were
   * reported to have failed.
   */
  Map<String, byte[]> readSettled(SortedSet<String> keys);

  /**
   * Makes or replaces rows. Readers see them when this returns; after a crash they are there for
   * certain if {@link #awaitDurable} has returned since.
   */
  void write(SortedMap<String, byte[]> rows);

  /**
   * As {@link #write(SortedMap)}, where something is known of the rows.
   *
   * @param absent keys that have had no row, not even one that a failed call may have made: their
   *     rows can be stored at less cost
   */
  default void write(SortedMap<String, byte[]> rows, Set<String> absent) {
    write(rows);
  }

  /** Takes rows away; those that are not there do not matter. Durable like a write. */
  void delete(SortedSet<String> keys);

  /** Returns when all that was written before this call, by whomever, stays. */
  void awaitDurable();

  /** Opens a walk over the rows of one partition that is kept here; the caller closes it. */
  Walk walk(int partition);

  /** Returns the partitions whose home is this node. */
  int[] primaryPartitions();

  /** Brings everything to where the next start looks for it; later changes are refused. */
  @Override
  default void close() {}

  /**
   * Rows in no order. What is written or deleted meanwhile may be met or not, each row at most
   * once.
   */
  interface Walk extends Iterator<Map.Entry<String, byte[]>>, AutoCloseable {
    @Override
    void close();
  }

  /** Returns what an exception of the ledger, or of a walk, means. */
  static TasksException translated(RuntimeException e) {
    if (e instanceof TasksException known) {
      return known;
    }
    if (X.hasCause(e, IgniteOutOfMemoryException.class)) {
      return new TasksException(
          TasksException.Code.STORAGE_FULL,
          "the data region is full: give the node more memory (region_max_mb) or drain the queues",
          e);
    }
    return new TasksException(
        TasksException.Code.UNAVAILABLE,
        "the ledger did not take the change (" + e.getClass().getSimpleName() + "): try again",
        e);
  }

  /** Returns rows for a walk, where they come one way or another. */
  static <T> Walk walk(
      Iterator<T> rows, Function<T, Map.Entry<String, byte[]>> row, Runnable closing) {
    return new Walk() {
      @Override
      public boolean hasNext() {
        return rows.hasNext();
      }

      @Override
      public Map.Entry<String, byte[]> next() {
        return row.apply(rows.next());
      }

      @Override
      public void close() {
        closing.run();
      }
    };
  }
}
