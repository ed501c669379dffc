package org.ignitetasks.worker;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Lock;
import java.util.function.IntSupplier;
import org.ignitetasks.protocol.HomeApi;

/**
 * Tells the homes how much more a worker takes, when what they believe is wrong enough to matter.
 *
 * <p>One thread announces at a time: two announcements that overtook each other could leave the
 * homes with an old zero. The session's lock guards the fields and is never held during a call.
 */
final class Announcer {
  private static final Logger LOG = System.getLogger(Announcer.class.getName());

  /** Up to here every free slot counts; above, small changes are not worth a call. */
  private static final int SMALL = 16;

  private static final int UNKNOWN = -1;
  private static final int IN_A_ROW = 3;

  private final long epoch;
  private final HomeApi home;
  private final Lock lock;
  private final IntSupplier free;
  private final Executor calls;
  private int believed = UNKNOWN;
  private boolean announcing;
  private boolean again;

  /**
   * @param free returns how many more deliveries the worker takes; called under the lock
   */
  Announcer(long epoch, HomeApi home, Lock lock, IntSupplier free, Executor calls) {
    this.epoch = epoch;
    this.home = home;
    this.lock = lock;
    this.free = free;
    this.calls = calls;
  }

  /** Takes note, under the lock, that homes have used some of what they believe in. */
  void used(int deliveries) {
    if (believed > 0) {
      believed = Math.max(0, believed - deliveries);
    }
  }

  /** Says, under the lock, whether what the homes believe should be put right. */
  boolean wrong() {
    return matters(free.getAsInt());
  }

  /** Announces if it matters, or in any case; without the lock, homes may push meanwhile. */
  void announce(boolean always) {
    boolean force = always;
    for (int round = 0; round < IN_A_ROW; round++) {
      int now;
      lock.lock();
      try {
        now = free.getAsInt();
        if (!force && !matters(now)) {
          return;
        }
        if (announcing) {
          again = true;
          return;
        }
        announcing = true;
        believed = now;
      } finally {
        lock.unlock();
      }
      if (!finished(call(now))) {
        return;
      }
      force = false;
    }
    // Others keep it changing; this thread has outcomes to report.
    calls.execute(() -> announce(false));
  }

  private boolean call(int now) {
    try {
      home.credits(epoch, now);
      return true;
    } catch (RuntimeException e) {
      // The heartbeat repeats it.
      LOG.log(
          Level.DEBUG,
          "credits_unreported epoch={0} error={1}",
          Long.toString(epoch),
          e.toString());
      return false;
    }
  }

  /** Ends an announcement; returns whether it should be looked at again. */
  private boolean finished(boolean delivered) {
    lock.lock();
    try {
      announcing = false;
      boolean more = again && delivered;
      again = false;
      if (!delivered) {
        believed = UNKNOWN;
      }
      return more;
    } finally {
      lock.unlock();
    }
  }

  private boolean matters(int now) {
    if (believed == UNKNOWN) {
      return true;
    }
    int more = Math.max(now, believed);
    int less = Math.min(now, believed);
    return less != more && (more <= SMALL || less <= more / 2);
  }
}
