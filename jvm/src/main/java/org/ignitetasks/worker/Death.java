package org.ignitetasks.worker;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.ignitetasks.protocol.Outcome;

/**
 * The end of a child as its supervisor reports it, and the one rule what becomes of its deliveries.
 *
 * @param reason "exit", "hard_limit", "revoked", "shutdown", or "unknown" without a report
 * @param runningSeq number of the delivery it was running, or -1 if that is not known
 * @param detail words for people, such as the signal
 */
record Death(String reason, long runningSeq, String detail) {
  static final String EXIT = "exit";
  static final String HARD_LIMIT = "hard_limit";
  static final String REVOKED = "revoked";
  static final String SHUTDOWN = "shutdown";

  /** The supervisor said nothing in time, or is dead itself. */
  static Death unknown() {
    return new Death("unknown", -1, "");
  }

  /** This JVM cuts its children off because it stops. */
  static Death shutdown() {
    return new Death(SHUTDOWN, -1, "");
  }

  /**
   * Returns one outcome for each delivery the child never answered.
   *
   * <p>What ran gets the verdict of the reason. What came before it has run without a report, what
   * came after it never started: both go back without penalty, except that a task which must start
   * at most once is lost wherever it may have started. If nobody knows what ran, it was the oldest;
   * that also holds when a child crashed between two tasks, since a delivery that kills a child
   * before it counts as started would otherwise come back for ever. With several slots all
   * deliveries that can have been running when a child crashed are suspects.
   *
   * @param unanswered in the order of their numbers
   * @param slots how many the child ran at a time
   */
  List<Outcome> settle(Collection<Held> unanswered, int slots) {
    boolean crash = !reason.equals(HARD_LIMIT) && !reason.equals(REVOKED) && !isShutdown();
    List<Outcome> outcomes = new ArrayList<>(unanswered.size());
    int suspects = 0;
    for (Held delivery : unanswered) {
      boolean ran = false;
      if (delivery.sent && crash && (slots > 1 || runningSeq < 0)) {
        ran = suspects++ < slots;
      } else if (delivery.sent) {
        ran = delivery.seq == runningSeq;
      }
      outcomes.add(ran ? verdict(delivery) : spared(delivery, slots));
    }
    return outcomes;
  }

  private Outcome verdict(Held delivery) {
    return switch (reason) {
      case HARD_LIMIT -> timeLimit(delivery);
      case REVOKED -> delivery.plain(Outcome.REVOKED);
      case SHUTDOWN -> delivery.atMostOnce() ? delivery.plain(Outcome.LOST) : delivery.back();
      default -> delivery.plain(Outcome.LOST);
    };
  }

  private Outcome spared(Held delivery, int slots) {
    boolean mayHaveStarted =
        delivery.sent && (slots > 1 || runningSeq < 0 || delivery.seq < runningSeq);
    return delivery.atMostOnce() && mayHaveStarted ? delivery.plain(Outcome.LOST) : delivery.back();
  }

  private boolean isShutdown() {
    return reason.equals(SHUTDOWN);
  }

  private static Outcome timeLimit(Held delivery) {
    long millis = delivery.record.hardLimitMillis;
    return delivery.failure(
        "TimeLimitExceeded",
        "the task was stopped because it ran longer than its hard time limit"
            + (millis > 0 ? " of " + millis / 1000.0 + " s" : "")
            + "; raise the limit or split the task");
  }
}
