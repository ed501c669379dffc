package org.ignitetasks.ledger;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TasksException;

/**
 * Small rows of neighbouring keys in one stored row: what the tasks of a bulk submit leave behind
 * when they end together. Ids that a client counts are neighbours in blocks of {@link #ROWS}.
 *
 * <p>Knows rows as bytes by their places. Not thread-safe.
 */
final class RowPack {
  /** Keys per pack; a power of two between 16 and 256, part of the stored format. */
  static final int ROWS = 64;

  /** First byte of a stored pack, where a record has its version and a sheet its mark. */
  private static final byte MARK = 0x21;

  private static final String SUFFIX = "/\u0001rows";
  private static final String HEX = "0123456789abcdef";

  /** Where the last two digits of an id's counter are. */
  private static final int HIGH_AT = 30;

  private static final int LOW_AT = 31;
  private static final int ID_LENGTH = 36;
  private static final int HIGH_PLACE = ROWS / 16 - 1;

  private final byte[][] rows = new byte[ROWS][];

  /** Says whether a stored row is a pack. */
  static boolean is(byte[] stored) {
    return stored[0] == MARK;
  }

  /** Returns the key of the pack that a row may be in, or null if it is in none. */
  static String keyOf(String key) {
    if (!Sheet.counted(key)) {
      return null;
    }
    char first = HEX.charAt(Character.digit(key.charAt(HIGH_AT), 16) & ~HIGH_PLACE);
    return key.substring(0, HIGH_AT) + first + '0' + key.substring(LOW_AT + 1) + SUFFIX;
  }

  /** Returns the place of a row in its pack. */
  static int place(String key) {
    int high = Character.digit(key.charAt(HIGH_AT), 16) & HIGH_PLACE;
    return high * 16 + Character.digit(key.charAt(LOW_AT), 16);
  }

  /** Returns the key of the row at a place. */
  static String keyAt(String packKey, int place) {
    int high = Character.digit(packKey.charAt(HIGH_AT), 16) + place / 16;
    return packKey.substring(0, HIGH_AT)
        + HEX.charAt(high)
        + HEX.charAt(place % 16)
        + packKey.substring(LOW_AT + 1, ID_LENGTH);
  }

  /** Returns the row at a place, or null. */
  byte[] get(int place) {
    return rows[place];
  }

  /** Sets the row at a place; null takes it away. */
  void set(int place, byte[] row) {
    rows[place] = row;
  }

  boolean isEmpty() {
    for (byte[] row : rows) {
      if (row != null) {
        return false;
      }
    }
    return true;
  }

  /** Returns the stored form: for each row its place, its length and its bytes. */
  byte[] encode() {
    int size = 1;
    for (byte[] row : rows) {
      size += row == null ? 0 : 1 + Integer.BYTES + row.length;
    }
    ByteBuffer out = ByteBuffer.allocate(size).put(MARK);
    for (int place = 0; place < ROWS; place++) {
      if (rows[place] != null) {
        out.put((byte) place).putInt(rows[place].length).put(rows[place]);
      }
    }
    return out.array();
  }

  /** Returns the pack that is stored under a key. */
  static RowPack decode(String key, byte[] stored) {
    RowPack pack = new RowPack();
    try {
      ByteBuffer in = ByteBuffer.wrap(stored).position(1);
      while (in.hasRemaining()) {
        int place = in.get();
        int length = in.getInt();
        if (length > in.remaining()) {
          throw new BufferUnderflowException();
        }
        pack.rows[place] = new byte[length];
        in.get(pack.rows[place]);
      }
    } catch (BufferUnderflowException | IndexOutOfBoundsException | NegativeArraySizeException e) {
      throw new TasksException(
          TasksException.Code.INTERNAL,
          "the rows at " + key + " are damaged (" + stored.length + " bytes)",
          e);
    }
    return pack;
  }
}
