package org.ignitetasks.ledger;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;

/**
 * Frames that go to the log with one write, with room before them for the head of a file.
 *
 * <p>A frame is its length, its number, a checksum over both and the content, and the content. A
 * number that does not follow the last one ends a file: it is left over from its earlier use. The
 * checksum begins with a number of this run: what a crash has torn off may have the right number.
 */
final class LogFrames {
  /** Bytes before the content of a frame. */
  static final int OVERHEAD = Integer.BYTES + Long.BYTES + Integer.BYTES;

  /** Bytes at the start that belong to the file's head. */
  static final int HEAD = 32;

  private static final int START_BYTES = 64 << 10;

  /** A buffer that had to grow beyond this is not kept. */
  private static final int KEEP_BYTES = 4 << 20;

  private final int run;
  private byte[] bytes = new byte[START_BYTES];
  private int end = HEAD;
  private long first;
  private long last;

  /**
   * @param run a number that tells this run of the log from all others
   */
  LogFrames(int run) {
    this.run = run;
  }

  void add(long seq, byte[] content) {
    int needed = Math.addExact(end, OVERHEAD + content.length);
    if (needed > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(needed, 2 * bytes.length));
    }
    if (end == HEAD) {
      first = seq;
    }
    last = seq;
    ByteBuffer.wrap(bytes, end, OVERHEAD)
        .putInt(content.length)
        .putLong(seq)
        .putInt(sum(run, content.length, seq, content, 0));
    System.arraycopy(content, 0, bytes, end + OVERHEAD, content.length);
    end = needed;
  }

  /** Returns the checksum of a frame. */
  static int sum(int run, int length, long seq, byte[] content, int from) {
    CRC32C sum = new CRC32C();
    sum.update(content, from, length);
    for (int shift = 0; shift < Long.SIZE; shift += Byte.SIZE) {
      sum.update((int) (seq >>> shift));
    }
    return (int) sum.getValue() ^ length ^ run;
  }

  void clear() {
    end = HEAD;
    if (bytes.length > KEEP_BYTES) {
      bytes = new byte[START_BYTES];
    }
  }

  /** Sets the number that a file without frames begins with. */
  LogFrames startingAt(long seq) {
    first = seq;
    last = seq - 1;
    return this;
  }

  /** Size of the frames alone. */
  int size() {
    return end - HEAD;
  }

  int run() {
    return run;
  }

  long first() {
    return first;
  }

  long last() {
    return last;
  }

  /** The bytes, of which the first {@link #HEAD} are the file's head. */
  byte[] bytes() {
    return bytes;
  }
}
