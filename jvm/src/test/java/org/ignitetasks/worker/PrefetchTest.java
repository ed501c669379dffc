package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Delivery;
import org.junit.jupiter.api.Test;

/** How many deliveries a child takes ahead: as the user bounds it, and never of long tasks. */
class PrefetchTest {
  private static final long SHORT = 10;
  private static final long LONG = 1_000_000;
  private long fence;

  private int filled(ChildState child, long micros) {
    int count = 0;
    while (child.accepts(micros, 100, 0) && count < 1_000) {
      TaskRecord record = new TaskRecord();
      record.id = "t" + ++fence;
      record.task = "add";
      child.assign(new Held(new Delivery(record, fence), fence, 0), micros, 0);
      count++;
    }
    return count;
  }

  @Test
  void theMultiplierIsAnUpperBound() {
    assertEquals(4, new ChildState(0, 1, 1, 4).room(SHORT, 100, 0));
    assertEquals(4, filled(new ChildState(0, 1, 1, 4), SHORT));
    assertEquals(12, filled(new ChildState(0, 1, 3, 4), SHORT));
    assertEquals(1, filled(new ChildState(0, 1, 1, 1), SHORT));
    ChildState full = new ChildState(0, 1, 1, 1);
    filled(full, SHORT);
    assertEquals(0, full.room(SHORT, 100, 0));
  }

  @Test
  void withoutItShortTasksComeInBatches() {
    assertTrue(filled(new ChildState(0, 1, 1, 0), SHORT) > 100);
  }

  @Test
  void longTasksAreNeverHeldAheadWhateverTheMultiplier() {
    ChildState child = new ChildState(0, 1, 2, 100);
    assertEquals(2, filled(child, LONG));
    assertFalse(child.accepts(SHORT, 100, 0), "nothing waits behind long ones");
  }
}
