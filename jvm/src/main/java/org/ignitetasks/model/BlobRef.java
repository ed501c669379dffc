package org.ignitetasks.model;

import java.io.IOException;
import java.util.Optional;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/**
 * What stands in a record in place of a large value: msgpack [blob id, size, CRC-32], as the client
 * wrote it. Only the id matters here.
 */
public record BlobRef(String blobId) {
  /** Returns the reference in these bytes; empty if they are none. */
  public static Optional<BlobRef> of(byte[] bytes) {
    if (bytes == null) {
      return Optional.empty();
    }
    try (MessageUnpacker in = MessagePack.newDefaultUnpacker(bytes)) {
      in.unpackArrayHeader();
      return Optional.of(new BlobRef(in.unpackString()));
    } catch (IOException | RuntimeException e) {
      return Optional.empty();
    }
  }
}
