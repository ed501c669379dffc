package org.ignitetasks.model;

import static org.ignitetasks.model.TaskState.DEAD;
import static org.ignitetasks.model.TaskState.FAILURE;
import static org.ignitetasks.model.TaskState.IGNORED;
import static org.ignitetasks.model.TaskState.PENDING;
import static org.ignitetasks.model.TaskState.REJECTED;
import static org.ignitetasks.model.TaskState.RETRY;
import static org.ignitetasks.model.TaskState.REVOKED;
import static org.ignitetasks.model.TaskState.STARTED;
import static org.ignitetasks.model.TaskState.SUCCESS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The states: codes that never change, and who may follow whom. */
class TaskStateTest {
  @Test
  void codesAreThoseOfTheWireFormat() {
    Map<TaskState, Integer> codes =
        Map.of(
            PENDING, 0, STARTED, 1, RETRY, 2, SUCCESS, 3, FAILURE, 4, REVOKED, 5, DEAD, 6, REJECTED,
            7, IGNORED, 8);
    assertEquals(codes.size(), TaskState.values().length);
    codes.forEach(
        (state, code) -> {
          assertEquals(code, state.code());
          assertEquals(state, TaskState.of(code));
        });
    assertThrows(IllegalArgumentException.class, () -> TaskState.of(-1));
    assertThrows(IllegalArgumentException.class, () -> TaskState.of(9));
  }

  @Test
  void theTableOfTransitions() {
    Set<TaskState> open = EnumSet.of(PENDING, STARTED, RETRY);
    Set<TaskState> retryable = EnumSet.of(DEAD, REJECTED, FAILURE);
    for (TaskState from : TaskState.values()) {
      assertEquals(!open.contains(from), from.terminal(), from.name());
      for (TaskState to : TaskState.values()) {
        boolean allowed = open.contains(from) || (retryable.contains(from) && to == PENDING);
        assertEquals(allowed, from.mayBecome(to), from + " to " + to);
      }
    }
  }
}
