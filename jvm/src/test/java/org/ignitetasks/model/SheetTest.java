package org.ignitetasks.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Which tasks share a sheet, and that each comes back from it as it went in. */
class SheetTest {
  private static String id(long counter) {
    return String.format("3f2b8c1e-0d4a-4b6c-8a9e-%08xf1d3", counter);
  }

  private static List<TaskRecord> counted(long from, int count) {
    Random random = new Random(from);
    List<TaskRecord> records = new ArrayList<>();
    byte[] options = {1, 2};
    for (int i = 0; i < count; i++) {
      TaskRecord r = new TaskRecord();
      r.id = id(from + i);
      r.task = "shop.add";
      r.queue = "default";
      r.priority = 3;
      r.maxDeliveries = 5;
      r.createdMillis = 1_800_000_000_000L;
      r.options = options;
      r.body = new byte[random.nextInt(30)];
      random.nextBytes(r.body);
      records.add(r);
    }
    return records;
  }

  @Test
  void allOfABlockComeBackAsTheyWere() {
    List<TaskRecord> records = counted(1024, 512);
    assertEquals(512, Sheet.run(records, 0));
    byte[] stored = Sheet.encode(records);
    assertTrue(Sheet.is(stored));
    assertFalse(Sheet.is(RecordCodec.encode(records.get(0))));
    List<TaskRecord> back = Sheet.decode(Sheet.keyOf(records.get(77).id), stored);
    assertEquals(512, back.size());
    for (int i = 0; i < 512; i++) {
      RecordCodecTest.assertSameRecord(records.get(i), back.get(i));
      assertEquals(i, Sheet.place(records.get(i).id));
    }
  }

  @Test
  void theKeyIsThatOfTheBlockAndLivesWithItsTasks() {
    assertEquals(Sheet.keyOf(id(512)), Sheet.keyOf(id(1023)));
    assertNotEquals(Sheet.keyOf(id(511)), Sheet.keyOf(id(512)));
    assertEquals(Locator.partition(id(512)), Locator.partition(Sheet.keyOf(id(700))));
    assertEquals("fffffe", Sheet.keyOf(id(0xffffffffL)).substring(24, 30));
    assertNull(Sheet.keyOf("report-2026"));
    assertNull(Sheet.keyOf("3f2b8c1e-0d4a-1b6c-8a9e-0000002af1d3"), "not counted by a client");
  }

  @Test
  void aRunEndsWhereTheTasksAreNotAlike() {
    List<Consumer<TaskRecord>> changes =
        List.of(
            r -> r.task = "shop.sub",
            r -> r.queue = "other",
            r -> r.priority = 4,
            r -> r.flags = TaskFlags.IGNORE_RESULT,
            r -> r.flags = TaskFlags.BODY_REF,
            r -> r.flags = TaskFlags.CHECK_EXISTS,
            r -> r.maxDeliveries = 6,
            r -> r.createdMillis++,
            r -> r.etaMillis = 1,
            r -> r.expiresMillis = 1,
            r -> r.softLimitMillis = 1,
            r -> r.hardLimitMillis = 1,
            r -> r.resultTtlMillis = 1,
            r -> r.options = new byte[] {3},
            r -> r.rootId = "r",
            r -> r.parentId = "p",
            r -> r.groupId = "g",
            r -> r.fingerprint = new byte[16],
            r -> r.state = TaskState.STARTED,
            r -> r.id = id(5_000));
    for (int i = 0; i < changes.size(); i++) {
      List<TaskRecord> records = counted(0, 40);
      changes.get(i).accept(records.get(20));
      assertEquals(20, Sheet.run(records, 0), "change " + i);
    }
  }

  @Test
  void fewTasksOrTheMiddleOfABlockAreNotWorthASheet() {
    assertEquals(0, Sheet.run(counted(0, Sheet.SMALLEST - 1), 0));
    assertEquals(Sheet.SMALLEST, Sheet.run(counted(0, Sheet.SMALLEST), 0));
    assertEquals(0, Sheet.run(counted(1, 100), 0));
    assertEquals(88, Sheet.run(counted(1000, 112), 24), "from the block's start in the list");
    assertEquals(512, Sheet.run(counted(0, 600), 0), "to the block's end");
  }

  @Test
  void aSheetStaysSmallWhateverIsOnIt() {
    List<TaskRecord> records = counted(0, 100);
    records.forEach(r -> r.body = new byte[50_000]);
    int run = Sheet.run(records, 0);
    assertTrue(run >= Sheet.SMALLEST && run < 25, "run of " + run);
  }
}
