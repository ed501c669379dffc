package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.junit.jupiter.api.Test;

/** The frame against the vectors it shares with Python, and against damage of every kind. */
class CallFrameTest {
  private static final Path GOLDEN = Path.of("..", "tests", "protocol", "golden", "frames.json");
  private static final Pattern VECTOR = Pattern.compile("\\{[^{}]*\\}");

  @Test
  void framesAreThoseOfTheGoldenFile() throws IOException {
    Matcher vectors = VECTOR.matcher(Files.readString(GOLDEN));
    int count = 0;
    while (vectors.find()) {
      String vector = vectors.group();
      byte[] payload = HexFormat.of().parseHex(field(vector, "payload_hex"));
      byte[] frame = HexFormat.of().parseHex(field(vector, "frame_hex"));
      int status = Integer.parseInt(field(vector, "status"));
      assertEquals(String.valueOf(CallFrame.VERSION), field(vector, "version"));
      assertArrayEquals(frame, CallFrame.encode(status, payload), vector);
      if (status == CallFrame.OK) {
        assertDoesNotThrow(() -> CallFrame.checkRequest(frame));
      }
      count++;
    }
    assertFalse(count == 0);
  }

  @Test
  void everyFlippedBitIsFound() {
    byte[] frame = CallFrame.encode(CallFrame.OK, "some payload".getBytes());
    for (int bit = 0; bit < frame.length * 8; bit++) {
      byte[] damaged = frame.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      assertThrows(TasksException.class, () -> CallFrame.checkRequest(damaged), "bit " + bit);
    }
  }

  @Test
  void everyTruncationIsFound() {
    byte[] frame = CallFrame.encode(CallFrame.OK, "some payload".getBytes());
    for (int length = 0; length < frame.length; length++) {
      byte[] cut = Arrays.copyOf(frame, length);
      assertThrows(TasksException.class, () -> CallFrame.checkRequest(cut));
    }
    byte[] longer = Arrays.copyOf(frame, frame.length + 1);
    assertThrows(TasksException.class, () -> CallFrame.checkRequest(longer));
  }

  @Test
  void anotherVersionIsNamedWithOurs() {
    byte[] frame = CallFrame.encode(CallFrame.OK, new byte[0]);
    frame[2] = 7;
    TasksException e = assertThrows(TasksException.class, () -> CallFrame.checkRequest(frame));
    assertEquals(Code.UNSUPPORTED_VERSION, e.code());
    assertEquals(
        "The client speaks version 7 of the protocol and the gateway version 1;"
            + " install the same release of ignitetasks on both sides.",
        e.getMessage());
  }

  private static String field(String vector, String name) {
    Matcher matcher = Pattern.compile('"' + name + "\"\\s*:\\s*\"?([^\",}\\s]*)").matcher(vector);
    if (!matcher.find()) {
      throw new AssertionError(name + " is missing in " + vector);
    }
    return matcher.group(1);
  }
}
