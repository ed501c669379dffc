package org.ignitetasks.worker;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.zip.CRC32;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;

/**
 * Large values in and out, chunk by chunk: never a whole value in this heap.
 *
 * <p>A request that fails for a reason of storage is answered with ERROR and the connection goes
 * on; one that breaks the rules ends it.
 */
final class BlobConnection {
  /** Largest value, in bytes. */
  static final long MAX_SIZE = 1L << 30;

  private static final Logger LOG = System.getLogger(BlobConnection.class.getName());
  private static final int READ_BYTES = 256 << 10;
  private static final int MAX_ID_LENGTH = 512;

  private final LaneChannel channel;
  private final BlobStore blobs;
  private Put put;

  BlobConnection(LaneChannel channel, BlobStore blobs) {
    this.channel = channel;
    this.blobs = blobs;
  }

  /** Handles requests until the peer closes. */
  void serve() throws IOException {
    channel.widen(FrameCodec.MAX_LENGTH, READ_BYTES);
    channel.write(FrameKind.WELCOME, LaneMessages.blobWelcome(blobs.folder()));
    try {
      for (List<Frame> frames = channel.read(); frames != null; frames = channel.read()) {
        for (Frame frame : frames) {
          handle(frame);
        }
      }
    } finally {
      if (put != null) {
        put.abandon();
      }
    }
  }

  private void handle(Frame frame) throws IOException {
    if (put != null && frame.kind() != FrameKind.BLOB_DATA) {
      throw LaneMessages.malformed("kind " + frame.kind() + " inside a blob", null);
    }
    switch (frame.kind()) {
      case FrameKind.BLOB_PUT -> begin(frame.payload());
      case FrameKind.BLOB_DATA -> data(frame.payload());
      case FrameKind.BLOB_GET -> get(id(frame.payload()));
      case FrameKind.BLOB_DROP -> drop(id(frame.payload()));
      default -> throw LaneMessages.malformed("kind " + frame.kind() + " from a blob peer", null);
    }
  }

  private void begin(byte[] payload) throws IOException {
    Put next =
        LaneMessages.unpack(
            payload,
            u -> {
              LaneMessages.expectArray(u, 3);
              return new Put(u.unpackString(), u.unpackLong(), u.unpackLong());
            });
    checkId(next.id);
    if (next.size < 0 || next.size > MAX_SIZE) {
      throw new LaneException(
          Code.TOO_LARGE, "a value of " + next.size + " bytes is outside 0.." + MAX_SIZE);
    }
    put = next;
    finishIfWhole();
  }

  private void data(byte[] piece) throws IOException {
    if (put == null) {
      throw LaneMessages.malformed("BLOB_DATA without BLOB_PUT", null);
    }
    if (piece.length > BlobStore.CHUNK || piece.length > put.size - put.received) {
      throw new LaneException(Code.BAD_REQUEST, "more bytes of a blob than were announced");
    }
    put.add(piece);
    finishIfWhole();
  }

  private void finishIfWhole() throws IOException {
    if (put.received < put.size) {
      return;
    }
    Put whole = put;
    put = null;
    TasksException failure = whole.finish();
    if (failure == null) {
      int crc = whole.checksum();
      channel.write(
          FrameKind.BLOB_OK,
          LaneMessages.pack(p -> p.packArrayHeader(1).packLong(Integer.toUnsignedLong(crc))));
    } else {
      whole.abandon();
      answer(failure);
    }
  }

  private void get(String id) throws IOException {
    try {
      BlobStore.Seal seal = blobs.find(id);
      if (seal == null) {
        throw missing(id);
      }
      CRC32 crc = new CRC32();
      long sent = 0;
      for (int index = 0; sent < seal.size(); index++) {
        byte[] chunk = blobs.chunk(id, index);
        if (chunk == null || chunk.length == 0) {
          throw missing(id);
        }
        crc.update(chunk);
        sent += chunk.length;
        channel.write(FrameKind.BLOB_DATA, chunk);
      }
      boolean damaged = seal.crc() != 0 && (int) crc.getValue() != seal.crc();
      if (sent != seal.size() || damaged) {
        throw new TasksException(
            Code.INTERNAL, "the stored value of " + id + " is damaged; run the task again");
      }
      channel.write(
          FrameKind.BLOB_END,
          LaneMessages.pack(
              p -> p.packArrayHeader(2).packLong(seal.size()).packLong(crc.getValue())));
    } catch (TasksException e) {
      answer(e);
    }
  }

  private void drop(String id) throws IOException {
    try {
      blobs.drop(id);
      channel.write(FrameKind.BLOB_OK, LaneMessages.pack(p -> p.packArrayHeader(1).packLong(0)));
    } catch (TasksException e) {
      answer(e);
    }
  }

  private void answer(TasksException failure) throws IOException {
    channel.write(FrameKind.ERROR, LaneMessages.error(failure.code(), failure.getMessage()));
  }

  private static String id(byte[] payload) throws LaneException {
    String id =
        LaneMessages.unpack(
            payload,
            u -> {
              LaneMessages.expectArray(u, 1);
              return u.unpackString();
            });
    checkId(id);
    return id;
  }

  private static void checkId(String id) throws LaneException {
    if (id.isEmpty() || id.length() > MAX_ID_LENGTH) {
      throw LaneMessages.malformed("a blob id of " + id.length() + " characters", null);
    }
  }

  private static TasksException missing(String id) {
    return new TasksException(
        Code.NOT_FOUND, "no value is stored under " + id + "; it may have expired");
  }

  /**
   * A value on its way in. After a storage error it reads on and keeps the error for the answer.
   */
  private final class Put {
    final String id;
    final long size;
    final long ttlMillis;
    long received;
    private final CRC32 crc = new CRC32();
    private byte[] chunk;
    private int filled;
    private int index;
    private TasksException failure;

    Put(String id, long size, long ttlMillis) {
      this.id = id;
      this.size = size;
      this.ttlMillis = ttlMillis;
    }

    void add(byte[] piece) {
      received += piece.length;
      crc.update(piece);
      if (failure != null || piece.length == 0) {
        return;
      }
      // The usual case: pieces are chunks already, and the last one is what is left.
      if (filled == 0 && (piece.length == BlobStore.CHUNK || received == size)) {
        store(piece);
        return;
      }
      int taken = 0;
      while (taken < piece.length) {
        if (filled == 0) {
          long left = size - received + piece.length - taken;
          chunk = new byte[(int) Math.min(BlobStore.CHUNK, left)];
        }
        int count = Math.min(piece.length - taken, chunk.length - filled);
        System.arraycopy(piece, taken, chunk, filled, count);
        taken += count;
        filled += count;
        if (filled == chunk.length) {
          store(chunk);
          filled = 0;
        }
      }
    }

    private void store(byte[] full) {
      if (failure == null) {
        try {
          blobs.putChunk(id, index++, full);
        } catch (TasksException e) {
          failure = e;
        }
      }
    }

    TasksException finish() {
      if (failure == null) {
        try {
          blobs.seal(id, size, (int) crc.getValue(), ttlMillis);
        } catch (TasksException e) {
          failure = e;
        }
      }
      return failure;
    }

    int checksum() {
      return (int) crc.getValue();
    }

    /** Deletes what is there of a value that never became whole. */
    void abandon() {
      try {
        blobs.drop(id);
      } catch (TasksException e) {
        // The sweeper deletes it later.
        LOG.log(Level.INFO, "blob_orphaned id={0} error={1}", id, e.toString());
      }
    }
  }
}
