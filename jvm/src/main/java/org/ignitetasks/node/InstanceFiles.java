package org.ignitetasks.node;

import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;

/**
 * The files by which an instance is found and guarded: the store's version and lock, and the
 * connection file that appears by renaming when the node is ready and goes when it stops.
 */
final class InstanceFiles {
  /** Version of everything below {@code store/}; raised when an older node could not read it. */
  static final int STORE_VERSION = 1;

  private final NodeSettings settings;
  private final Path connection;
  private FileChannel lockChannel;
  private volatile boolean published;

  InstanceFiles(NodeSettings settings) {
    this.settings = settings;
    this.connection = settings.runDir().resolve("connection.json");
  }

  /** Makes the folders, takes the store's lock and checks its version. */
  void open() {
    try {
      privateFolder(settings.runDir());
      if (settings.hasData()) {
        privateFolder(settings.storeDir());
        lock();
        checkVersion();
      }
    } catch (IOException e) {
      String reason = e.getMessage() == null ? e.toString() : e.getMessage();
      boolean full = reason.contains("No space left");
      throw new TasksException(
          full ? Code.DISK_FULL : Code.DATA_DIR_UNWRITABLE,
          "the data directory " + settings.instanceDir + " cannot be used: " + reason,
          e);
    }
  }

  private static void privateFolder(Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
  }

  private void lock() throws IOException {
    lockChannel =
        FileChannel.open(
            settings.storeDir().resolve("LOCK"),
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = lockChannel.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw new TasksException(
          Code.DATA_DIR_LOCKED,
          "another node runs on the data directory " + settings.instanceDir + ": stop it first");
    }
  }

  private void checkVersion() throws IOException {
    Path file = settings.storeDir().resolve("VERSION");
    if (!Files.exists(file)) {
      Files.writeString(file, STORE_VERSION + "\n");
      return;
    }
    int version;
    try {
      version = Integer.parseInt(Files.readString(file).strip());
    } catch (NumberFormatException e) {
      version = Integer.MAX_VALUE;
    }
    if (version > STORE_VERSION) {
      throw new TasksException(
          Code.DATA_DIR_NEWER,
          "the data directory "
              + settings.instanceDir
              + " was written by a newer version: upgrade ignitetasks or use another data_dir");
    }
  }

  /** Publishes how to reach this JVM; readable by its user only, there as a whole or not at all. */
  void publish(Map<String, Object> facts) {
    Path temporary = connection.resolveSibling("connection.json.new");
    try {
      Files.deleteIfExists(temporary);
      Files.createFile(
          temporary,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.writeString(
          temporary, new GsonBuilder().setPrettyPrinting().create().toJson(facts) + "\n");
      Files.move(temporary, connection, StandardCopyOption.ATOMIC_MOVE);
      published = true;
    } catch (IOException e) {
      throw new TasksException(
          Code.DATA_DIR_UNWRITABLE, "the connection file cannot be written: " + e, e);
    }
  }

  /** Takes the connection file away, if it is this JVM's: another one may own the instance. */
  void unpublish() {
    if (!published) {
      return;
    }
    try {
      Files.deleteIfExists(connection);
    } catch (IOException e) {
      // A stale file is recognised by its dead process.
    }
  }

  /**
   * Deletes the folder of the lane's socket where that had to be outside, its own path being short.
   */
  void removeLaneFolder() {
    Path folder = Path.of(settings.lane).toAbsolutePath().getParent();
    if (!folder.equals(settings.runDir().toAbsolutePath())) {
      try {
        Files.deleteIfExists(folder);
      } catch (IOException e) {
        // Somebody else's file is in it: it stays.
      }
    }
  }
}
