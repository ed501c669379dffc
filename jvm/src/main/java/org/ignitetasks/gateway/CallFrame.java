package org.ignitetasks.gateway;

import java.util.zip.CRC32;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;

/**
 * The frame around every request and answer: magic "IT", version, status, length, CRC-32, payload.
 *
 * <p>Py4J accepts an answer that was cut off; length and checksum make such an answer an error
 * instead of a wrong value. The frame knows nothing of what the payload means.
 */
public final class CallFrame {
  /** Version of the protocol between client and gateway. */
  public static final int VERSION = 1;

  /** Status of a request, and of an answer that carries what was asked for. */
  public static final int OK = 0;

  /** Status of an answer whose payload is [code, message, retryable]. */
  public static final int ERROR = 1;

  /** Bytes before the payload. */
  public static final int HEADER = 12;

  private static final byte MAGIC_0 = 'I';
  private static final byte MAGIC_1 = 'T';

  private CallFrame() {}

  /** Returns the payload framed. */
  public static byte[] encode(int status, byte[] payload) {
    byte[] frame = new byte[HEADER + payload.length];
    frame[0] = MAGIC_0;
    frame[1] = MAGIC_1;
    frame[2] = VERSION;
    frame[3] = (byte) status;
    putInt(frame, 4, payload.length);
    putInt(frame, 8, checksum(payload, 0, payload.length));
    System.arraycopy(payload, 0, frame, HEADER, payload.length);
    return frame;
  }

  /**
   * Checks a request's frame; its payload is all that follows the header.
   *
   * @throws TasksException BAD_REQUEST or UNSUPPORTED_VERSION if the frame is not a whole request
   *     of this version
   */
  public static void checkRequest(byte[] frame) {
    if (frame.length < HEADER) {
      throw bad("the frame has " + frame.length + " bytes, its header alone takes " + HEADER);
    }
    if (frame[0] != MAGIC_0 || frame[1] != MAGIC_1) {
      throw bad("the frame does not start with the magic bytes 'IT'");
    }
    int version = frame[2] & 0xff;
    if (version != VERSION) {
      throw new TasksException(
          Code.UNSUPPORTED_VERSION,
          "The client speaks version "
              + version
              + " of the protocol and the gateway version "
              + VERSION
              + "; install the same release of ignitetasks on both sides.");
    }
    if (frame[3] != OK) {
      throw bad("the status of a request is 0, not " + (frame[3] & 0xff));
    }
    long length = getInt(frame, 4) & 0xffffffffL;
    if (length != frame.length - HEADER) {
      throw bad("the length says " + length + " bytes, " + (frame.length - HEADER) + " are there");
    }
    if (getInt(frame, 8) != checksum(frame, HEADER, frame.length - HEADER)) {
      throw bad("the checksum does not match the payload");
    }
  }

  private static int checksum(byte[] bytes, int offset, int length) {
    CRC32 crc = new CRC32();
    crc.update(bytes, offset, length);
    return (int) crc.getValue();
  }

  private static void putInt(byte[] to, int at, int value) {
    to[at] = (byte) (value >>> 24);
    to[at + 1] = (byte) (value >>> 16);
    to[at + 2] = (byte) (value >>> 8);
    to[at + 3] = (byte) value;
  }

  private static int getInt(byte[] from, int at) {
    return (from[at] & 0xff) << 24
        | (from[at + 1] & 0xff) << 16
        | (from[at + 2] & 0xff) << 8
        | (from[at + 3] & 0xff);
  }

  private static TasksException bad(String what) {
    return new TasksException(
        Code.BAD_REQUEST, "The request was damaged on its way: " + what + "; send it again.");
  }
}
