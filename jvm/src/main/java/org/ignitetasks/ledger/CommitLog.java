package org.ignitetasks.ledger;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.ignitetasks.model.TasksException;

/**
 * Numbered frames in a few files of fixed size, one behind the other: what was awaited is read
 * again after a crash, in the same order, each frame whole or not at all.
 *
 * <p>Frames collect in memory; the first thread that waits for one writes all of them with a single
 * call, and those that come meanwhile share the next one. A file is used again when everything in
 * it is {@link #kept} elsewhere: until then writers wait. The scheme is that of any database's
 * write-ahead log (Gray and Reuter, Transaction Processing, chapter 9).
 *
 * <p>Must not know what is in a frame.
 */
public final class CommitLog implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger("ignitetasks.commit");
  private static final int SEGMENTS = 8;
  private static final int SEGMENT_BYTES = 4 << 20;
  private static final int DISK_FAILED = 4;

  private final int run = new SecureRandom().nextInt();
  final List<LogSegment> segments = new ArrayList<>();
  private final Path folder;
  private final boolean power;
  private final int fileBytes;
  private final Runnable diskFailed;
  private final ReentrantLock flushing = new ReentrantLock();
  private final Condition room = flushing.newCondition();

  /** Guarded by this. */
  private LogFrames coming = new LogFrames(run);

  /** Guarded by this. */
  private long appended;

  /** The following are guarded by flushing. */
  private LogFrames writing = new LogFrames(run);

  private LogSegment current;
  private int mostFiles;

  /** Up to this frame all is elsewhere too. */
  private long kept;

  /** Up to this frame it is so safe there that it need not be here any more. */
  private long released;

  private Runnable secure = () -> {};
  private boolean closed;

  private volatile long durable;

  /**
   * Opens the files of a folder, which is made if it is not there.
   *
   * @param power whether what was awaited survives the loss of power, not only of the process
   */
  public CommitLog(Path folder, boolean power) {
    this(folder, power, SEGMENTS, SEGMENT_BYTES, () -> Runtime.getRuntime().halt(DISK_FAILED));
  }

  /**
   * @param files how many there may be; they are made as they are needed
   * @param diskFailed ends this process: what the kernel could not write it may have dropped, and
   *     only a restart reads what is there
   */
  public CommitLog(Path folder, boolean power, int files, int fileBytes, Runnable diskFailed) {
    this.folder = folder;
    this.power = power;
    this.fileBytes = fileBytes;
    this.mostFiles = files;
    this.diskFailed = diskFailed;
    try {
      Files.createDirectories(folder);
      do {
        open();
      } while (Files.exists(path(segments.size())));
    } catch (IOException e) {
      close();
      throw unusable(folder, e);
    }
  }

  private Path path(int number) {
    return folder.resolve(number + ".log");
  }

  /** Opens the next file, which is made if it is not there: a small log stays small. */
  private LogSegment open() throws IOException {
    LogSegment segment = new LogSegment(path(segments.size()), power, fileBytes);
    segments.add(segment);
    if (power) {
      // A file whose name is lost with the power is lost itself.
      syncFolder(folder);
      syncFolder(folder.toAbsolutePath().getParent());
    }
    return segment;
  }

  private static void syncFolder(Path folder) throws IOException {
    try (FileChannel names = FileChannel.open(folder, StandardOpenOption.READ)) {
      names.force(true);
    }
  }

  private static TasksException unusable(Path folder, IOException e) {
    return new TasksException(
        TasksException.Code.STORAGE_FULL,
        "the commit log in " + folder + " cannot be opened (" + e.getMessage() + "): make room",
        e);
  }

  /**
   * Reads what may not be elsewhere yet; to be called once, before anything is appended. The caller
   * brings it there and calls {@link #kept}.
   *
   * @param frame is given each frame, in order
   * @param secure makes what was reported as kept elsewhere as safe there as it is here
   * @throws TasksException INTERNAL if a part of the log is missing or damaged
   */
  public void recover(Consumer<ByteBuffer> frame, Runnable secure) {
    this.secure = secure;
    List<LogSegment> used =
        segments.stream()
            .filter(s -> s.first > 0)
            .sorted(Comparator.comparingLong(s -> s.first))
            .toList();
    long keptElsewhere = used.stream().mapToLong(s -> s.releasedBefore).max().orElse(0);
    long next = keptElsewhere + 1;
    for (int i = 0; i < used.size(); i++) {
      LogSegment segment = used.get(i);
      if (segment.first > next) {
        throw damaged(next);
      }
      if (i + 1 < used.size()
          && segment.first < used.get(i + 1).first
          && used.get(i + 1).first <= next) {
        // All that it holds is kept elsewhere.
        segment.last = next - 1;
        continue;
      }
      long from = next;
      next =
          Math.max(
              next,
              segment.read(
                  (seq, f) -> {
                    if (seq >= from) {
                      frame.accept(f);
                    }
                  }));
    }
    appended = next - 1;
    durable = appended;
    released = keptElsewhere;
    kept = released;
  }

  private static TasksException damaged(long missing) {
    return new TasksException(
        TasksException.Code.INTERNAL,
        "the commit log lacks frame "
            + missing
            + " although later ones are there: restore the data directory from a backup, or delete"
            + " its folder `log` to go on without the last changes");
  }

  /** Adds a frame behind all others; it is safe when {@link #await} has returned for its number. */
  public long append(byte[] frame) {
    synchronized (this) {
      coming.add(++appended, frame);
      return appended;
    }
  }

  /** Returns when all that was appended before this call is safe. */
  public void await() {
    long last;
    synchronized (this) {
      last = appended;
    }
    await(last);
  }

  /** Returns when the frame of this number is safe, and thereby all before it. */
  public void await(long seq) {
    if (durable >= seq) {
      return;
    }
    flushing.lock();
    try {
      // The flush of another thread may have taken this frame along.
      if (durable < seq) {
        flush();
      }
    } finally {
      flushing.unlock();
    }
  }

  private void flush() {
    if (closed) {
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
    }
    long last;
    synchronized (this) {
      LogFrames full = coming;
      coming = writing;
      writing = full;
      last = appended;
    }
    try {
      if (current == null || !current.hasRoom(writing.size())) {
        current = free();
        current.begin(writing, released);
      } else {
        current.append(writing);
      }
    } catch (IOException e) {
      LOG.log(Level.SEVERE, "the disk did not take the log: this node ends at once", e);
      diskFailed.run();
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the disk has failed", e);
    }
    writing.clear();
    durable = last;
  }

  /** Waits until a file holds nothing that is needed; with the lock. */
  private LogSegment free() {
    while (true) {
      if (closed) {
        throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
      }
      for (LogSegment segment : segments) {
        if (segment != current && segment.last <= kept) {
          release();
          return segment;
        }
      }
      LogSegment another = another();
      if (another != null) {
        return another;
      }
      room.awaitUninterruptibly();
    }
  }

  private LogSegment another() {
    if (segments.size() >= mostFiles) {
      return null;
    }
    try {
      return open();
    } catch (IOException e) {
      LOG.log(Level.WARNING, "no room for another file of the log: those that are there do", e);
      mostFiles = segments.size();
      return null;
    }
  }

  private void release() {
    long upTo = kept;
    if (upTo > released) {
      secure.run();
      released = upTo;
    }
  }

  /** Returns the number of the last frame that is safe. */
  public long durable() {
    return durable;
  }

  /** Says that all up to this frame is kept elsewhere, as safe as {@code secure} makes it. */
  public void kept(long seq) {
    flushing.lock();
    try {
      kept = Math.max(kept, seq);
      room.signalAll();
    } finally {
      flushing.unlock();
    }
  }

  /**
   * Leaves a mark that nothing is to be read at the next start, if that is so; the log is then
   * closed by {@link #close}.
   */
  public void leaveClean() {
    flushing.lock();
    try {
      if (kept == appended && appended > 0) {
        release();
        writing.clear();
        // One sector, old or new: in its own file, since nothing is needed any more.
        LogSegment place = current == null ? segments.get(0) : current;
        place.begin(writing.startingAt(appended + 1), released);
      }
    } catch (IOException e) {
      LOG.log(Level.INFO, "the log was not marked as empty: it will be read again", e);
    } finally {
      flushing.unlock();
    }
  }

  /** Takes the closed files away. */
  public void delete() {
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    } catch (IOException e) {
      LOG.log(Level.FINE, "files of a log stay behind", e);
    }
  }

  @Override
  public void close() {
    flushing.lock();
    try {
      closed = true;
      room.signalAll();
      segments.forEach(LogSegment::close);
    } finally {
      flushing.unlock();
    }
  }
}
