package org.ignitetasks.worker;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.BlobStore;

/** Blobs in a map, with a switch to fail. */
final class MemoryBlobs implements BlobStore {
  final Map<String, byte[]> chunks = new ConcurrentHashMap<>();
  final Map<String, Seal> seals = new ConcurrentHashMap<>();
  volatile TasksException failure;

  @Override
  public void putChunk(String blobId, int index, byte[] chunk) {
    if (failure != null) {
      throw failure;
    }
    chunks.put(blobId + "/" + index, chunk);
  }

  @Override
  public void seal(String blobId, long size, int crc, long ttlMillis) {
    seals.put(blobId, new Seal(size, crc, ttlMillis));
  }

  @Override
  public Seal find(String blobId) {
    return seals.get(blobId);
  }

  @Override
  public byte[] chunk(String blobId, int index) {
    return chunks.get(blobId + "/" + index);
  }

  @Override
  public void drop(String blobId) {
    seals.remove(blobId);
    chunks.keySet().removeIf(key -> key.startsWith(blobId + "/"));
  }

  @Override
  public int sweep(long nowMillis) {
    return 0;
  }
}
