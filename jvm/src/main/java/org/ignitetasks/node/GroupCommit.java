package org.ignitetasks.node;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.OpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.internal.processors.cache.persistence.file.FileIO;
import org.apache.ignite.internal.processors.cache.persistence.file.FileIODecorator;
import org.apache.ignite.internal.processors.cache.persistence.file.FileIOFactory;
import org.apache.ignite.internal.processors.cache.persistence.file.RandomAccessFileIOFactory;
import org.ignitetasks.ledger.Commit;

/**
 * One flush of the disk for each commit, shared by those that commit at the same time.
 *
 * <p>Ignite's FSYNC mode flushes once for each entry of an atomic write and twice for a
 * transaction, each time under its lock. Within {@link #write} those flushes are put off; {@link
 * #await} flushes the log once, after which everything that was written before is on the disk. All
 * other flushes (checkpoints, a full segment) are done when Ignite asks for them. This class must
 * not decide when a change counts.
 */
final class GroupCommit implements FileIOFactory, Commit {
  private static final long serialVersionUID = 1L;
  private static final Logger LOG = Logger.getLogger("ignitetasks.commit");
  private static final int DISK_FAILED = 4;

  private final transient FileIOFactory plain;
  private final transient ThreadLocal<Boolean> putOff = new ThreadLocal<>();
  private final transient Set<LogFile> open = ConcurrentHashMap.newKeySet();
  private final transient ReentrantLock flushing = new ReentrantLock();
  private final transient AtomicLong asked = new AtomicLong();
  private transient long flushed;

  GroupCommit() {
    this(new RandomAccessFileIOFactory());
  }

  GroupCommit(FileIOFactory plain) {
    this.plain = plain;
  }

  @Override
  public FileIO create(File file, OpenOption... modes) throws IOException {
    FileIO io = plain.create(file, modes);
    if (!file.getName().endsWith(".wal")) {
      return io;
    }
    LogFile log = new LogFile(io);
    open.add(log);
    return log;
  }

  @Override
  public void write(Runnable change) {
    putOff.set(Boolean.TRUE);
    try {
      change.run();
    } finally {
      putOff.remove();
    }
  }

  @Override
  public void await() {
    flush();
  }

  /** Returns a way to write what nobody is promised: its flush is left to the next commit. */
  Commit unpromised() {
    return new Commit() {
      @Override
      public void write(Runnable change) {
        GroupCommit.this.write(change);
      }

      @Override
      public void await() {}
    };
  }

  /** Waits until all that was written before this call is on the disk. */
  private void flush() {
    long mine = asked.incrementAndGet();
    flushing.lock();
    try {
      if (flushed >= mine) {
        // The flush of another thread has begun after this thread's last write.
        return;
      }
      long upTo = asked.get();
      for (LogFile log : open) {
        log.flush();
      }
      flushed = upTo;
    } catch (IOException e) {
      // The kernel may have dropped what it could not write: only a restart reads what is there.
      LOG.log(Level.SEVERE, "the disk did not take the log: this node ends at once", e);
      Runtime.getRuntime().halt(DISK_FAILED);
    } finally {
      flushing.unlock();
    }
  }

  /** A file of the log that knows whether it holds something that is not flushed. */
  private final class LogFile extends FileIODecorator {
    private volatile boolean dirty;

    LogFile(FileIO io) {
      super(io);
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      int written = super.write(source);
      dirty = true;
      return written;
    }

    @Override
    public int write(ByteBuffer source, long position) throws IOException {
      int written = super.write(source, position);
      dirty = true;
      return written;
    }

    @Override
    public int write(byte[] source, int offset, int length) throws IOException {
      int written = super.write(source, offset, length);
      dirty = true;
      return written;
    }

    @Override
    public void force() throws IOException {
      if (putOff.get() == null) {
        flush();
      }
    }

    @Override
    public void force(boolean withMetadata) throws IOException {
      if (withMetadata) {
        super.force(true);
      } else {
        force();
      }
    }

    /** Flushes; a second caller waits for the first, whose flush covers what both have written. */
    synchronized void flush() throws IOException {
      if (dirty) {
        // Before the flush: what is written while it runs needs another one.
        dirty = false;
        try {
          super.force();
        } catch (IOException e) {
          dirty = true;
          throw e;
        }
      }
    }

    @Override
    public void close() throws IOException {
      try {
        // A change that filled the segment flushes the new one only: the old one is flushed here.
        flush();
      } finally {
        open.remove(this);
        super.close();
      }
    }
  }
}
