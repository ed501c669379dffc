package org.ignitetasks.shared;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows of the event feed: pages of {@link #SIZE} events, addressed by place, and one head that says
 * which there are. All keys have one locator, so that an append is a transaction in one partition.
 */
final class EventPages {
  /** Events in a full page; part of the stored form. */
  static final int SIZE = 32;

  static final String HEAD = "events/head";

  /** A byte for a later version of the stored form. */
  private static final byte VERSION = 1;

  private EventPages() {}

  /**
   * What the feed holds.
   *
   * @param next place of the next event
   * @param oldestPage number of the oldest page that is kept
   * @param bytes of all events that are kept
   */
  record Head(long next, long oldestPage, long bytes) {
    static final Head EMPTY = new Head(1, 0, 0);

    long oldest() {
      return oldestPage * SIZE + 1;
    }

    static Head decode(byte[] row) {
      if (row == null) {
        return EMPTY;
      }
      ByteBuffer in = ByteBuffer.wrap(row, 1, row.length - 1);
      return new Head(in.getLong(), in.getLong(), in.getLong());
    }

    byte[] encode() {
      return ByteBuffer.allocate(1 + 3 * Long.BYTES)
          .put(VERSION)
          .putLong(next)
          .putLong(oldestPage)
          .putLong(bytes)
          .array();
    }
  }

  /** Events of one page in their order, and when the last of them came. */
  record Page(long appendedMillis, List<byte[]> events) {
    static Page decode(byte[] row) {
      if (row == null) {
        return new Page(0, new ArrayList<>());
      }
      ByteBuffer in = ByteBuffer.wrap(row, 1, row.length - 1);
      long appended = in.getLong();
      List<byte[]> events = new ArrayList<>(SIZE);
      while (in.hasRemaining()) {
        byte[] event = new byte[in.getInt()];
        in.get(event);
        events.add(event);
      }
      return new Page(appended, events);
    }

    byte[] encode() {
      ByteBuffer out =
          ByteBuffer.allocate(1 + Long.BYTES + events.size() * Integer.BYTES + (int) bytes());
      out.put(VERSION).putLong(appendedMillis);
      for (byte[] event : events) {
        out.putInt(event.length).put(event);
      }
      return out.array();
    }

    long bytes() {
      return events.stream().mapToLong(event -> event.length).sum();
    }
  }

  static long pageOf(long seq) {
    return (seq - 1) / SIZE;
  }

  static int placeOf(long seq) {
    return (int) ((seq - 1) % SIZE);
  }

  static String key(long page) {
    return "events/" + Long.toHexString(page);
  }
}
