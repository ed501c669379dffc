package org.ignitetasks.model;

import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * The states of a task and the one table that says which may follow which.
 *
 * <p>Codes are part of the wire format and of the stored record: they are never renumbered.
 */
public enum TaskState {
  PENDING(0),
  STARTED(1),
  RETRY(2),
  SUCCESS(3),
  FAILURE(4),
  REVOKED(5),
  DEAD(6),
  REJECTED(7),
  IGNORED(8);

  private static final TaskState[] BY_CODE = values();
  private static final Map<TaskState, Set<TaskState>> SUCCESSORS = new EnumMap<>(TaskState.class);

  static {
    for (TaskState state : BY_CODE) {
      SUCCESSORS.put(state, successors(state));
    }
  }

  private final int code;

  TaskState(int code) {
    this.code = code;
  }

  /** Returns the stable number of this state on the wire and in the record. */
  public int code() {
    return code;
  }

  /** Returns the state with this code. */
  public static TaskState of(int code) {
    if (code < 0 || code >= BY_CODE.length) {
      throw new IllegalArgumentException("no task state has the code " + code);
    }
    return BY_CODE[code];
  }

  /** Says whether nothing but an operator's "run it again" or expiry changes this state. */
  public boolean terminal() {
    return code >= SUCCESS.code;
  }

  /**
   * Says whether a record may go from this state to {@code next}.
   *
   * <p>A terminal state is immutable but for one door: a dead letter (DEAD, REJECTED, FAILURE) may
   * be made PENDING again by an explicit "dead retry".
   */
  public boolean mayBecome(TaskState next) {
    return SUCCESSORS.get(this).contains(next);
  }

  private static Set<TaskState> successors(TaskState state) {
    return switch (state) {
      case PENDING, STARTED, RETRY -> EnumSet.allOf(TaskState.class);
      case DEAD, REJECTED, FAILURE -> EnumSet.of(PENDING);
      case SUCCESS, REVOKED, IGNORED -> EnumSet.noneOf(TaskState.class);
    };
  }
}
