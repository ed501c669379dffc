package org.ignitetasks.protocol;

import java.util.List;

/**
 * A remote control command on its way to the supervisors of one node.
 *
 * @param number of the question where it was asked; 0 if nobody waits for an answer
 * @param destinations names of the workers it is for; null for all
 * @param patienceMillis how long answers are of use
 */
public record Question(
    long number, String command, byte[] body, List<String> destinations, long patienceMillis) {
  /** Says whether a worker is meant. */
  public boolean isFor(String worker) {
    return destinations == null || destinations.contains(worker);
  }

  /** A worker that was asked. */
  public record Asked(long epoch, String worker) {}

  /** Hears what became of a question; called by any thread, must not block for long. */
  public interface Answers {
    /** Takes a worker's answer; null if there will be none. */
    void answered(long number, long epoch, byte[] body);
  }
}
