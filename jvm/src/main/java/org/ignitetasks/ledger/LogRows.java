package org.ignitetasks.ledger;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.SortedMap;

/** Rows of one change as the bytes of one frame of the {@link CommitLog}; null takes a row away. */
final class LogRows {
  private static final int GONE = -1;

  private LogRows() {}

  static byte[] encode(SortedMap<String, byte[]> rows) {
    byte[][] keys = new byte[rows.size()][];
    int size = 0;
    int at = 0;
    for (Map.Entry<String, byte[]> row : rows.entrySet()) {
      byte[] key = row.getKey().getBytes(StandardCharsets.UTF_8);
      keys[at++] = key;
      size += 2 * Integer.BYTES + key.length + (row.getValue() == null ? 0 : row.getValue().length);
    }
    ByteBuffer out = ByteBuffer.allocate(size);
    at = 0;
    for (byte[] value : rows.values()) {
      out.putInt(keys[at].length).put(keys[at++]);
      if (value == null) {
        out.putInt(GONE);
      } else {
        out.putInt(value.length).put(value);
      }
    }
    return out.array();
  }

  /** Puts what {@link #encode} was given over what a map holds. */
  static void decode(ByteBuffer frame, Map<String, byte[]> rows) {
    while (frame.hasRemaining()) {
      byte[] key = new byte[frame.getInt()];
      frame.get(key);
      int length = frame.getInt();
      byte[] value = length == GONE ? null : new byte[length];
      if (value != null) {
        frame.get(value);
      }
      rows.put(new String(key, StandardCharsets.UTF_8), value);
    }
  }
}
