package org.ignitetasks.worker;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.cache.Cache;
import javax.cache.CacheException;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.apache.ignite.lang.IgniteFuture;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;

/**
 * Blobs in two Ignite caches: chunks under "id/index", and one seal per value under "id".
 *
 * <p>The seal is written first, open, and last, final: a value is visible whole or not at all, and
 * what a crash leaves behind has a seal by which {@link #sweep} finds it. Chunks are written a few
 * at a time without waiting; {@link #seal} waits for all.
 */
public final class IgniteBlobStore implements BlobStore {
  /** How long a value may take to arrive before the sweeper takes it for abandoned. */
  static final long OPEN_MILLIS = 3_600_000;

  private static final long OPEN_SIZE = -1;
  private static final int SEAL_BYTES = 20;
  private static final int IN_FLIGHT = 3;
  private static final int DROP_BATCH = 64;

  private final IgniteCache<String, byte[]> chunks;
  private final IgniteCache<String, byte[]> seals;
  private final Map<String, ArrayDeque<IgniteFuture<Void>>> writes = new ConcurrentHashMap<>();

  /** Work on a cache, which fails in Ignite's own ways. */
  private interface Work<T> {
    T run();
  }

  /**
   * @param chunks cache of parts of values, placed by locator
   * @param seals cache of sizes and checksums, placed by locator
   */
  public IgniteBlobStore(IgniteCache<String, byte[]> chunks, IgniteCache<String, byte[]> seals) {
    this.chunks = chunks;
    this.seals = seals;
  }

  @Override
  public void putChunk(String blobId, int index, byte[] chunk) {
    translated(
        () -> {
          ArrayDeque<IgniteFuture<Void>> running =
              writes.computeIfAbsent(blobId, id -> new ArrayDeque<>());
          synchronized (running) {
            if (index == 0) {
              open(blobId);
            }
            while (running.size() >= IN_FLIGHT) {
              running.poll().get();
            }
            running.add(chunks.putAsync(key(blobId, index), chunk));
          }
          return null;
        });
  }

  /** A value that is there already stays visible while a repeated put writes the same again. */
  private void open(String blobId) {
    long due = System.currentTimeMillis() + OPEN_MILLIS;
    seals.putIfAbsent(blobId, pack(new Seal(OPEN_SIZE, 0, due)));
  }

  @Override
  public void seal(String blobId, long size, int crc, long ttlMillis) {
    translated(
        () -> {
          awaitWrites(blobId);
          long due = ttlMillis > 0 ? System.currentTimeMillis() + ttlMillis : 0;
          byte[] before = seals.getAndPut(blobId, pack(new Seal(size, crc, due)));
          if (before != null && count(unpack(before).size()) > count(size)) {
            remove(blobId, count(size), count(unpack(before).size()));
          }
          return null;
        });
  }

  private void awaitWrites(String blobId) {
    ArrayDeque<IgniteFuture<Void>> running = writes.remove(blobId);
    if (running != null) {
      synchronized (running) {
        while (!running.isEmpty()) {
          running.poll().get();
        }
      }
    }
  }

  @Override
  public Seal find(String blobId) {
    byte[] packed = translated(() -> seals.get(blobId));
    Seal seal = packed == null ? null : unpack(packed);
    return seal == null || seal.size() == OPEN_SIZE ? null : seal;
  }

  @Override
  public byte[] chunk(String blobId, int index) {
    return translated(() -> chunks.get(key(blobId, index)));
  }

  @Override
  public void drop(String blobId) {
    translated(
        () -> {
          try {
            awaitWrites(blobId);
          } catch (CacheException | IgniteException e) {
            // A chunk that failed to be written needs no deleting; the others do.
            writes.remove(blobId);
          }
          byte[] packed = seals.get(blobId);
          if (packed == null) {
            return null;
          }
          long size = unpack(packed).size();
          if (size == OPEN_SIZE) {
            removeOpen(blobId);
          } else {
            remove(blobId, 0, count(size));
          }
          // Last, so that a crash in between leaves the sweeper something to find.
          seals.remove(blobId);
          return null;
        });
  }

  /** Nobody knows how far an open value got: chunks arrive in order, a few at a time. */
  private void removeOpen(String blobId) {
    int index = 0;
    int found = 1;
    while (found > 0) {
      Set<String> next = keys(blobId, index, index + IN_FLIGHT + 1);
      found = 0;
      for (String key : next) {
        found += chunks.remove(key) ? 1 : 0;
      }
      index += next.size();
    }
  }

  private void remove(String blobId, int from, int to) {
    for (int first = from; first < to; first += DROP_BATCH) {
      chunks.removeAll(keys(blobId, first, Math.min(to, first + DROP_BATCH)));
    }
  }

  /**
   * Deletes values of this node's partitions that are due, and those that never became whole.
   *
   * @param nowMillis wall clock, milliseconds
   * @return how many values were deleted
   */
  @Override
  public int sweep(long nowMillis) {
    return translated(
        () -> {
          List<String> due = new ArrayList<>();
          ScanQuery<String, byte[]> query = new ScanQuery<>();
          query.setLocal(true);
          try (QueryCursor<Cache.Entry<String, byte[]>> cursor = seals.query(query)) {
            for (Cache.Entry<String, byte[]> entry : cursor) {
              long dueMillis = unpack(entry.getValue()).dueMillis();
              if (dueMillis > 0 && dueMillis <= nowMillis) {
                due.add(entry.getKey());
              }
            }
          }
          due.forEach(this::drop);
          return due.size();
        });
  }

  private static int count(long size) {
    return size <= 0 ? 0 : (int) ((size + CHUNK - 1) / CHUNK);
  }

  private static String key(String blobId, int index) {
    return blobId + "/" + index;
  }

  private static Set<String> keys(String blobId, int from, int to) {
    Set<String> keys = new LinkedHashSet<>();
    for (int index = from; index < to; index++) {
      keys.add(key(blobId, index));
    }
    return keys;
  }

  private static byte[] pack(Seal seal) {
    return ByteBuffer.allocate(SEAL_BYTES)
        .putLong(seal.size())
        .putInt(seal.crc())
        .putLong(seal.dueMillis())
        .array();
  }

  private static Seal unpack(byte[] packed) {
    ByteBuffer in = ByteBuffer.wrap(packed);
    return new Seal(in.getLong(), in.getInt(), in.getLong());
  }

  /** The border where Ignite's exceptions become this code base's one. */
  private static <T> T translated(Work<T> work) {
    try {
      return work.run();
    } catch (CacheException | IgniteException | IllegalStateException e) {
      for (Throwable cause = e; cause != null; cause = cause.getCause()) {
        String name = cause.getClass().getSimpleName();
        if (name.contains("OutOfMemory") || name.contains("StorageException")) {
          throw new TasksException(
              Code.STORAGE_FULL, "the node has no room for this value; free some or add nodes", e);
        }
      }
      throw new TasksException(
          Code.UNAVAILABLE, "the store of large values does not answer now; try again", e);
    }
  }
}
