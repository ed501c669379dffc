package org.ignitetasks.model;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/** Several rows of the ledger as one value: what must be written as one. */
public final class RowsCodec {
  private RowsCodec() {}

  /** Returns rows by key as one value. */
  public static byte[] encode(Map<String, byte[]> rows) {
    try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
      packer.packMapHeader(rows.size());
      for (Map.Entry<String, byte[]> row : rows.entrySet()) {
        packer.packString(row.getKey());
        packer.packBinaryHeader(row.getValue().length).writePayload(row.getValue());
      }
      return packer.toByteArray();
    } catch (IOException e) {
      throw new IllegalStateException("packing into memory cannot fail", e);
    }
  }

  /** Returns what {@link #encode} was given, in the order of the keys. */
  public static TreeMap<String, byte[]> decode(byte[] stored) {
    try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(stored)) {
      TreeMap<String, byte[]> rows = new TreeMap<>();
      for (int left = unpacker.unpackMapHeader(); left > 0; left--) {
        rows.put(unpacker.unpackString(), unpacker.readPayload(unpacker.unpackBinaryHeader()));
      }
      return rows;
    } catch (IOException e) {
      throw new IllegalStateException("rows that were stored as one cannot be read", e);
    }
  }
}
