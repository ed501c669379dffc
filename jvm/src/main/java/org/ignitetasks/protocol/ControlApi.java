package org.ignitetasks.protocol;

import java.util.List;

/**
 * Asks the supervisors of the cluster's workers. What a command means is between those who ask and
 * the supervisors: here it is a name and bytes.
 */
public interface ControlApi {
  /** Largest question or answer in bytes. */
  int MAX_BODY = 1 << 20;

  /** What one worker answered. */
  record Reply(String worker, byte[] body) {}

  /**
   * Asks and waits until every worker that is connected now has answered, or is gone, or the time
   * is over, or there are enough answers.
   *
   * @param destinations names of the workers to ask; null asks all
   * @param timeoutMillis longest wait; 0 asks and waits for nothing
   * @param limit number of answers that is enough
   * @throws org.ignitetasks.model.TasksException BUSY if too many questions are open, TOO_LARGE if
   *     the answers are too large together
   */
  List<Reply> control(
      String command, byte[] body, List<String> destinations, long timeoutMillis, int limit);
}
