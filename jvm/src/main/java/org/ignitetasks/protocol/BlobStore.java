package org.ignitetasks.protocol;

/** Large values in chunks; see the lane's blob frames. Thread-safe. */
public interface BlobStore {
  /** Bytes per chunk, the last one may be shorter. */
  int CHUNK = 1 << 20;

  /** Stores one chunk of a value; idempotent. */
  void putChunk(String blobId, int index, byte[] chunk);

  /** Makes the value visible after all chunks are stored. ttlMillis guards against orphans. */
  void seal(String blobId, long size, int crc, long ttlMillis);

  /** Returns size and checksum of a sealed value, or null. */
  Seal find(String blobId);

  /** Returns a chunk, or null if it is not there. */
  byte[] chunk(String blobId, int index);

  /** Deletes a value; no error if it is not there. */
  void drop(String blobId);

  /** Returns the folder in which local peers may write and read values themselves, or null. */
  default Folder folder() {
    return null;
  }

  /** A folder of values as files, and whether each must be on the disk before it appears. */
  record Folder(String path, boolean sync) {}

  /** Deletes values of this node that are due or were never sealed; returns how many. */
  int sweep(long nowMillis);

  /** Size in bytes and CRC-32 of a whole value. */
  record Seal(long size, int crc, long dueMillis) {}
}
