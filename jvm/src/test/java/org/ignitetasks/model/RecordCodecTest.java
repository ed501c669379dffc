package org.ignitetasks.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.ignitetasks.model.TasksException.Code;
import org.junit.jupiter.api.Test;

/** The stored form of records: what goes in comes out, and what is damaged is refused. */
class RecordCodecTest {
  private static final Path GOLDEN = Path.of("..", "tests", "protocol", "golden");

  static void assertSameRecord(TaskRecord expected, TaskRecord actual) {
    for (Field field : TaskRecord.class.getFields()) {
      if (Modifier.isStatic(field.getModifiers())) {
        continue;
      }
      try {
        Object a = field.get(expected);
        Object b = field.get(actual);
        if (a instanceof byte[] bytes) {
          assertArrayEquals(bytes, (byte[]) b, field.getName());
        } else {
          assertEquals(a, b, field.getName());
        }
      } catch (IllegalAccessException e) {
        throw new AssertionError(e);
      }
    }
  }

  @Test
  void randomRecordsComeBackAsTheyWere() {
    Random random = new Random(4711);
    for (int i = 0; i < 2_000; i++) {
      TaskRecord record = RandomRecords.next(random);
      byte[] stored = RecordCodec.encode(record);
      assertSameRecord(record, RecordCodec.decode(record.id, stored));
      assertEquals(record.state, RecordCodec.peekState(stored));
      RecordCodec.Join join = RecordCodec.peekJoin(stored);
      assertEquals(record.joinId, join == null ? null : join.id());
      assertEquals(record.joinSize, join == null ? 0 : join.size());
      assertArrayEquals(stored, RecordCodec.encode(RecordCodec.decode(record.id, stored)));
    }
  }

  @Test
  void aRecordOfNothingButNulls() {
    TaskRecord record = new TaskRecord();
    TaskRecord back = RecordCodec.decode(null, RecordCodec.encode(record));
    assertSameRecord(record, back);
    assertNull(back.body);
    assertNull(back.task);
  }

  @Test
  void emptyIsNotNull() {
    TaskRecord record = new TaskRecord();
    record.task = "";
    record.body = new byte[0];
    TaskRecord back = RecordCodec.decode("a", RecordCodec.encode(record));
    assertEquals("", back.task);
    assertEquals(0, back.body.length);
    assertNull(back.queue);
    assertNull(back.payload);
  }

  @Test
  void namesThatRepeatAreSharedAndIdsAreNot() {
    TaskRecord record = new TaskRecord();
    record.task = "shared.task.name";
    record.rootId = "root";
    byte[] stored = RecordCodec.encode(record);
    TaskRecord first = RecordCodec.decode("a", stored);
    TaskRecord second = RecordCodec.decode("b", stored);
    assertSame(first.task, second.task);
    assertNotSame(first.rootId, second.rootId);
  }

  @Test
  void theMarkerOfAnExpiredRecordKeepsItsTimeOnly() {
    TaskRecord marker = new TaskRecord();
    marker.id = "gone";
    marker.expired = true;
    marker.finishedMillis = 1_800_000_000_000L;
    marker.body = new byte[1000];
    byte[] stored = RecordCodec.encode(marker);
    assertTrue(stored.length < 10, "a marker of " + stored.length + " bytes");
    assertNull(RecordCodec.peekState(stored));
    TaskRecord back = RecordCodec.decode("gone", stored);
    assertTrue(back.expired);
    assertTrue(back.state.terminal());
    assertEquals(1_800_000_000_000L, back.finishedMillis);
    assertNull(back.body);
    assertNull(RecordCodec.peekJoin(stored));
  }

  @Test
  void theMarkerOfAMemberKeepsItsJoin() {
    TaskRecord marker = new TaskRecord();
    marker.id = "gone";
    marker.expired = true;
    marker.forgotten = true;
    marker.finishedMillis = 1_800_000_000_000L;
    marker.joinId = "body";
    byte[] stored = RecordCodec.encode(marker);
    assertEquals(new RecordCodec.Join("body", 0), RecordCodec.peekJoin(stored));
    assertSameRecord(marker, mended(RecordCodec.decode("gone", stored)));
  }

  /** A marker is read as an ended task, whatever it was made from. */
  private static TaskRecord mended(TaskRecord read) {
    assertEquals(TaskState.IGNORED, read.state);
    read.state = TaskState.PENDING;
    return read;
  }

  @Test
  void anUnknownVersionIsNamed() {
    byte[] stored = RecordCodec.encode(new TaskRecord());
    stored[0] = 4;
    TasksException decoded =
        assertThrows(TasksException.class, () -> RecordCodec.decode("t-1", stored));
    assertEquals(Code.DATA_DIR_NEWER, decoded.code());
    assertTrue(decoded.getMessage().contains("t-1"), decoded.getMessage());
    assertThrows(TasksException.class, () -> RecordCodec.peekState(stored));
  }

  @Test
  void aCutRecordIsRefusedWhereverItIsCut() {
    TaskRecord record = RandomRecords.next(new Random(3));
    record.payload = new byte[] {1, 2, 3};
    byte[] stored = RecordCodec.encode(record);
    for (int length = 1; length < stored.length; length += length < 400 ? 1 : 97) {
      byte[] cut = Arrays.copyOf(stored, length);
      TasksException refused =
          assertThrows(TasksException.class, () -> RecordCodec.decode("t-1", cut));
      assertEquals(Code.INTERNAL, refused.code());
    }
  }

  @Test
  void randomBytesNeverDoWorseThanBeRefused() {
    Random random = new Random(99);
    for (int i = 0; i < 5_000; i++) {
      byte[] bytes = new byte[1 + random.nextInt(200)];
      random.nextBytes(bytes);
      bytes[0] = (byte) (1 + random.nextInt(3));
      try {
        RecordCodec.decode("x", bytes);
      } catch (TasksException e) {
        assertEquals(Code.INTERNAL, e.code());
      }
    }
  }

  @Test
  void whatVersionOneStoredIsReadForEver() throws IOException {
    golden("record_v1.json", false);
  }

  @Test
  void whatVersionTwoStoredIsReadForEver() throws IOException {
    golden("record_v2.json", false);
  }

  @Test
  void versionThreeIsWrittenAsItIsRead() throws IOException {
    golden("record_v3.json", true);
  }

  private static void golden(String file, boolean current) throws IOException {
    String text = Files.readString(GOLDEN.resolve(file));
    JsonArray vectors = JsonParser.parseString(text).getAsJsonArray();
    assertTrue(vectors.size() >= 3);
    for (JsonElement element : vectors) {
      JsonObject vector = element.getAsJsonObject();
      byte[] stored = HexFormat.of().parseHex(vector.get("stored").getAsString());
      TaskRecord record = RecordCodec.decode(vector.get("id").getAsString(), stored);
      JsonObject fields = vector.getAsJsonObject("fields");
      for (String name : fields.keySet()) {
        assertEquals(text(fields.get(name)), value(record, name), name);
      }
      if (current && !record.expired) {
        assertArrayEquals(stored, RecordCodec.encode(record), "written as it was read");
      }
    }
  }

  private static String text(JsonElement element) {
    return element.isJsonNull() ? null : element.getAsString();
  }

  private static String value(TaskRecord record, String name) {
    try {
      Object value = TaskRecord.class.getField(name).get(record);
      if (value instanceof byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
      }
      return value == null ? null : value.toString();
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }
}
