package org.ignitetasks.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

/**
 * Failures that the JVM itself concludes, in the form in which Python writes its own: the codec
 * byte 'm' and a msgpack map.
 */
public final class Failures {
  public static final String WORKER_LOST = "WorkerLostError";
  public static final String REVOKED = "TaskRevokedError";
  public static final String EXPIRED = "TaskExpiredError";
  public static final String NOT_REGISTERED = "NotRegistered";
  public static final String TIME_LIMIT = "TimeLimitExceeded";

  private Failures() {}

  /** Returns failure bytes for an error class of {@code ignitetasks.errors}. */
  public static byte[] of(String type, String message) {
    return of(type, message, null);
  }

  /**
   * Returns the same.
   *
   * @param signal name of the signal that ended the process, an attribute of the exception; or null
   */
  public static byte[] of(String type, String message, String signal) {
    try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
      packer.packMapHeader(signal == null ? 5 : 6);
      packer.packString("type").packString(type);
      packer.packString("module").packString("ignitetasks.errors");
      packer.packString("message").packString(message);
      packer.packString("args").packArrayHeader(1).packString(message);
      packer.packString("traceback").packString("");
      if (signal != null) {
        packer.packString("state").packMapHeader(1).packString("signal").packString(signal);
      }
      byte[] map = packer.toByteArray();
      byte[] bytes = new byte[map.length + 1];
      bytes[0] = 'm';
      System.arraycopy(map, 0, bytes, 1, map.length);
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
