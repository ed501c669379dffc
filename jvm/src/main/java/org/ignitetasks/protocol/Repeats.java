package org.ignitetasks.protocol;

import java.util.function.Supplier;
import javax.cache.CacheException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.internal.mem.IgniteOutOfMemoryException;
import org.apache.ignite.internal.util.typedef.X;
import org.ignitetasks.model.TasksException;

/**
 * Repeats what failed for a reason that passes (a home that moves, a node that died) until a
 * deadline. Only for actions that are harmless when they are done twice.
 */
public final class Repeats {
  private static final long FIRST_PAUSE_MILLIS = 5;
  private static final long LONGEST_PAUSE_MILLIS = 200;

  private final long deadlineMillis;

  /**
   * @param deadlineMillis how long one action is repeated
   */
  public Repeats(long deadlineMillis) {
    this.deadlineMillis = deadlineMillis;
  }

  /** Returns what the action returns, or throws what it threw last. */
  public <T> T of(Supplier<T> action) {
    long end = System.nanoTime() + deadlineMillis * 1_000_000;
    long pause = FIRST_PAUSE_MILLIS;
    while (true) {
      try {
        return action.get();
      } catch (TasksException e) {
        if (!e.code().retryable() || System.nanoTime() > end) {
          throw e;
        }
      } catch (CacheException | IgniteException | IllegalStateException e) {
        if (X.hasCause(e, IgniteOutOfMemoryException.class)) {
          throw new TasksException(
              TasksException.Code.STORAGE_FULL,
              "the data region is full: give the node more memory (region_max_mb)",
              e);
        }
        if (System.nanoTime() > end) {
          throw RemoteHome.translated(e);
        }
      }
      sleep(pause);
      pause = Math.min(LONGEST_PAUSE_MILLIS, pause * 2);
    }
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
    }
  }
}
