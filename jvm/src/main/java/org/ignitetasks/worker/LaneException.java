package org.ignitetasks.worker;

import java.io.IOException;
import org.ignitetasks.model.TasksException;

/** A peer broke the rules of the lane: it is told why in an ERROR frame, then cut off. */
final class LaneException extends IOException {
  private final TasksException.Code code;

  LaneException(TasksException.Code code, String message) {
    super(message);
    this.code = code;
  }

  TasksException.Code code() {
    return code;
  }
}
