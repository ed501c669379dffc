package org.ignitetasks.protocol;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Warnings about what is tried again and again: the first of them, and then one now and then. */
final class SeldomLog {
  private record Said(long atNanos, int kept) {}

  private static final long REST_NANOS = 5_000_000_000L;

  private final Logger log;
  private final long restNanos;
  private final LongSupplier nanos;
  private final AtomicReference<Said> last = new AtomicReference<>();

  /** Says one in five seconds, under this name. */
  SeldomLog(String name) {
    this(Logger.getLogger(name), REST_NANOS, System::nanoTime);
  }

  /**
   * @param restNanos how long nothing more is said after a warning
   */
  SeldomLog(Logger log, long restNanos, LongSupplier nanos) {
    this.log = log;
    this.restNanos = restNanos;
    this.nanos = nanos;
  }

  /** Logs a warning, or counts it for the next one. */
  void say(String what, Throwable why) {
    long now = nanos.getAsLong();
    while (true) {
      Said before = last.get();
      boolean quiet = before != null && now - before.atNanos < restNanos;
      Said after = quiet ? new Said(before.atNanos, before.kept + 1) : new Said(now, 0);
      if (last.compareAndSet(before, after)) {
        if (!quiet) {
          String more =
              before == null || before.kept == 0 ? "" : " (and " + before.kept + " like it)";
          log.log(Level.WARNING, what + more, why);
        }
        return;
      }
    }
  }
}
