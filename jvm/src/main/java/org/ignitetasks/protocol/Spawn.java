package org.ignitetasks.protocol;

import java.util.List;
import org.ignitetasks.model.TaskRecord;

/**
 * What an outcome brings with it: written in the outcome's own transaction, or not at all.
 *
 * @param submit new tasks; an id that is promised is filled in, one that exists is left as it is
 * @param end tasks that are born finished, and promised or waiting joins that end; their records
 *     have the terminal state and the payload
 * @param grow additions to the sizes of waiting joins
 */
public record Spawn(List<TaskRecord> submit, List<TaskRecord> end, List<Growth> grow) {
  /** One addition: the join waits for so many tasks more. */
  public record Growth(String id, int by) {}
}
