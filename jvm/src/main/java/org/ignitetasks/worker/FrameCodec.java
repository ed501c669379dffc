package org.ignitetasks.worker;

import java.nio.ByteBuffer;
import java.util.List;
import org.ignitetasks.model.TasksException.Code;

/**
 * Lane frames to bytes and back: u32 length of what follows, u8 kind, payload. Does no I/O.
 *
 * <p>Encoding is static; a decoder belongs to one connection, since it keeps the part of a frame
 * that has arrived so far. Not thread-safe.
 */
final class FrameCodec {
  /** Largest value of the length field, in bytes: kind and payload together. */
  static final int MAX_LENGTH = 4 << 20;

  /** Bytes before the payload. */
  static final int HEADER = 5;

  private final byte[] header = new byte[HEADER];
  private int headerFilled;
  private byte[] payload;
  private int payloadFilled;
  private int maxLength;

  /**
   * @param maxLength largest length field to accept, in bytes; small before a peer is known
   */
  FrameCodec(int maxLength) {
    this.maxLength = maxLength;
  }

  /** Changes the largest length field to accept, in bytes, for frames that have not begun. */
  void limit(int newMaxLength) {
    this.maxLength = newMaxLength;
  }

  /** Returns a buffer, ready to be written, with one frame. */
  static ByteBuffer encode(int kind, byte[] payload) {
    return encode(kind, payload, 0, payload.length);
  }

  /** Returns a buffer, ready to be written, with one frame whose payload is a part of an array. */
  static ByteBuffer encode(int kind, byte[] source, int offset, int length) {
    if (length + 1 > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "a lane frame of " + length + " bytes exceeds the limit of " + MAX_LENGTH);
    }
    ByteBuffer out = ByteBuffer.allocate(HEADER + length);
    out.putInt(length + 1).put((byte) kind).put(source, offset, length);
    return out.flip();
  }

  /**
   * Consumes all of {@code in} and adds the frames that are now whole to {@code out}.
   *
   * @throws LaneException if a length is zero or above the limit; the stream is then useless
   */
  void feed(ByteBuffer in, List<Frame> out) throws LaneException {
    while (in.hasRemaining()) {
      if (payload == null && !readHeader(in)) {
        return;
      }
      // Also runs with nothing left to read: a frame without payload ends with its header.
      int count = Math.min(in.remaining(), payload.length - payloadFilled);
      in.get(payload, payloadFilled, count);
      payloadFilled += count;
      finish(out);
    }
  }

  private boolean readHeader(ByteBuffer in) throws LaneException {
    int count = Math.min(in.remaining(), HEADER - headerFilled);
    in.get(header, headerFilled, count);
    headerFilled += count;
    if (headerFilled < HEADER) {
      return false;
    }
    long length = Integer.toUnsignedLong(ByteBuffer.wrap(header).getInt());
    if (length < 1 || length > maxLength) {
      throw new LaneException(
          length < 1 ? Code.BAD_REQUEST : Code.TOO_LARGE,
          "a lane frame of " + length + " bytes is outside 1.." + maxLength);
    }
    payload = new byte[(int) length - 1];
    payloadFilled = 0;
    return true;
  }

  private void finish(List<Frame> out) {
    if (payloadFilled == payload.length) {
      out.add(new Frame(header[HEADER - 1] & 0xff, payload));
      payload = null;
      headerFilled = 0;
    }
  }
}
