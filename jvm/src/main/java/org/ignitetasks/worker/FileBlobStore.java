package org.ignitetasks.worker;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;

/**
 * Blobs as files beside the store of the only data node: a value is written once and read a few
 * times, so a log and a page cache would only write it three times over.
 *
 * <p>Not for a cluster: nothing here is copied to another node. A value grows under a name of its
 * own and appears under its final name by renaming, with its size, checksum and due time in the
 * first bytes; with {@code sync} it is on the disk before it appears. Peers of the same user may
 * write and read the files themselves ({@code spool.py}); they leave the checksum 0.
 */
public final class FileBlobStore implements BlobStore {
  private static final long MAGIC = 0x49_54_42_4c_4f_42_31_0aL;
  private static final int HEADER = 32;
  private static final long ABANDONED_MILLIS = 3_600_000;
  private static final String GROWING = ".part";

  private final Path folder;
  private final boolean sync;
  private final Map<String, FileChannel> growing = new ConcurrentHashMap<>();

  /** File access, which fails in its own ways. */
  private interface Access<T> {
    T run() throws IOException;
  }

  /**
   * @param folder made if need be
   * @param sync whether a value must survive the loss of power
   */
  public FileBlobStore(Path folder, boolean sync) {
    this.folder = folder;
    this.sync = sync;
    access(() -> Files.createDirectories(folder));
  }

  @Override
  public Folder folder() {
    return new Folder(folder.toString(), sync);
  }

  private Path file(String blobId) {
    try {
      // Ids are chosen by callers: a digest is a safe file name, whatever they contain.
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] hash = digest.digest(blobId.getBytes(StandardCharsets.UTF_8));
      return folder.resolve(HexFormat.of().formatHex(hash, 0, 20));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  private Path growingFile(String blobId) {
    Path file = file(blobId);
    return file.resolveSibling(file.getFileName() + GROWING);
  }

  @Override
  public void putChunk(String blobId, int index, byte[] chunk) {
    access(
        () -> {
          FileChannel channel = index == 0 ? begin(blobId) : growing.get(blobId);
          if (channel == null) {
            throw new IOException("the value was not begun");
          }
          ByteBuffer bytes = ByteBuffer.wrap(chunk);
          long at = HEADER + (long) index * CHUNK;
          while (bytes.hasRemaining()) {
            at += channel.write(bytes, at);
          }
          return null;
        });
  }

  private FileChannel begin(String blobId) throws IOException {
    FileChannel channel =
        FileChannel.open(
            growingFile(blobId),
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE);
    FileChannel before = growing.put(blobId, channel);
    if (before != null) {
      before.close();
    }
    return channel;
  }

  @Override
  public void seal(String blobId, long size, int crc, long ttlMillis) {
    access(
        () -> {
          FileChannel channel = growing.remove(blobId);
          if (channel == null) {
            channel = begin(blobId);
            growing.remove(blobId);
          }
          try (FileChannel whole = channel) {
            long due = ttlMillis > 0 ? System.currentTimeMillis() + ttlMillis : 0;
            ByteBuffer header = ByteBuffer.allocate(HEADER);
            header.putLong(MAGIC).putLong(size).putInt(crc).putLong(due).rewind();
            whole.write(header, 0);
            if (sync) {
              whole.force(true);
            }
          }
          Files.move(growingFile(blobId), file(blobId), StandardCopyOption.ATOMIC_MOVE);
          if (sync) {
            syncFolder();
          }
          return null;
        });
  }

  /** Makes the new name itself durable. */
  private void syncFolder() throws IOException {
    try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
      names.force(true);
    }
  }

  @Override
  public Seal find(String blobId) {
    return access(() -> readSeal(file(blobId)));
  }

  private static Seal readSeal(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer header = ByteBuffer.allocate(HEADER);
      if (channel.read(header, 0) < HEADER || header.getLong(0) != MAGIC) {
        throw new IOException("the file " + file.getFileName() + " is damaged");
      }
      return new Seal(header.getLong(8), header.getInt(16), header.getLong(20));
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  @Override
  public byte[] chunk(String blobId, int index) {
    return access(
        () -> {
          try (FileChannel channel = FileChannel.open(file(blobId), StandardOpenOption.READ)) {
            long at = HEADER + (long) index * CHUNK;
            long left = Math.min(CHUNK, channel.size() - at);
            if (left <= 0) {
              return null;
            }
            ByteBuffer bytes = ByteBuffer.allocate((int) left);
            while (bytes.hasRemaining() && channel.read(bytes, at + bytes.position()) > 0) {
              // Reads until the chunk is whole or the file ends.
            }
            return bytes.array();
          } catch (NoSuchFileException e) {
            return null;
          }
        });
  }

  @Override
  public void drop(String blobId) {
    access(
        () -> {
          FileChannel channel = growing.remove(blobId);
          if (channel != null) {
            channel.close();
          }
          Files.deleteIfExists(growingFile(blobId));
          return Files.deleteIfExists(file(blobId));
        });
  }

  @Override
  public int sweep(long nowMillis) {
    return access(
        () -> {
          int gone = 0;
          try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
              if (isDue(file, nowMillis) && Files.deleteIfExists(file)) {
                gone++;
              }
            }
          }
          return gone;
        });
  }

  private static boolean isDue(Path file, long nowMillis) throws IOException {
    try {
      if (file.getFileName().toString().endsWith(GROWING)) {
        return nowMillis - Files.getLastModifiedTime(file).toMillis() > ABANDONED_MILLIS;
      }
      Seal seal = readSeal(file);
      return seal != null && seal.dueMillis() > 0 && seal.dueMillis() <= nowMillis;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private static <T> T access(Access<T> work) {
    try {
      return work.run();
    } catch (IOException e) {
      boolean full = String.valueOf(e.getMessage()).contains("No space left");
      throw new TasksException(
          full ? Code.DISK_FULL : Code.UNAVAILABLE,
          full
              ? "the disk is full: free some space below the data directory"
              : "a large value could not be stored or read: " + e.getMessage(),
          e);
    }
  }
}
