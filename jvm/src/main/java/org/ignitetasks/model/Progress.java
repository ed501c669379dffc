package org.ignitetasks.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

/** What those that wait for a task are told while it runs: msgpack [state's name, result bytes]. */
public final class Progress {
  /** State code of a completion that is none: the task runs on. */
  public static final int CODE = -3;

  /** Most bytes of a progress; it is inside the record. */
  public static final int MAX_BYTES = 64 << 10;

  /** Most characters of a state's name. */
  public static final int MAX_NAME = 255;

  private Progress() {}

  /** Returns the payload of such a completion. */
  public static byte[] told(String name, byte[] result) {
    try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
      packer.packArrayHeader(2).packString(name);
      packer.packBinaryHeader(result.length).writePayload(result);
      return packer.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
