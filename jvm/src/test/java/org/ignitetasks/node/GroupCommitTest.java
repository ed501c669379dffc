package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.ignite.internal.processors.cache.persistence.file.FileIO;
import org.apache.ignite.internal.processors.cache.persistence.file.FileIODecorator;
import org.apache.ignite.internal.processors.cache.persistence.file.RandomAccessFileIOFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GroupCommitTest {
  /** A file that knows how much of it a crash would leave. */
  private static final class Recorded extends FileIODecorator {
    final AtomicLong written = new AtomicLong();
    final AtomicLong safe = new AtomicLong();
    final AtomicInteger flushes = new AtomicInteger();

    /** Until whose end a flush lasts, if it is that long. */
    volatile CountDownLatch others = new CountDownLatch(0);

    Recorded(FileIO io) {
      super(io);
    }

    @Override
    public int write(byte[] source, int offset, int length) {
      written.addAndGet(length);
      return length;
    }

    @Override
    public void force() {
      long upTo = written.get();
      flushes.incrementAndGet();
      try {
        assertTrue(others.await(30, TimeUnit.SECONDS), "a flush keeps the others from writing");
        Thread.sleep(0, 200_000);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
      safe.accumulateAndGet(upTo, Math::max);
    }
  }

  @TempDir Path folder;
  private final List<Recorded> files = new ArrayList<>();
  private final GroupCommit commits =
      new GroupCommit(
          (file, modes) -> {
            Recorded io = new Recorded(new RandomAccessFileIOFactory().create(file, modes));
            files.add(io);
            return io;
          });

  private FileIO open(String name) throws IOException {
    return commits.create(new File(folder.toFile(), name));
  }

  private static void write(FileIO io) {
    try {
      io.write(new byte[10], 0, 10);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void force(FileIO io) {
    try {
      io.force();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aChangeIsFlushedOnceHoweverOftenItAsks() throws IOException {
    FileIO log = open("1.wal");
    commits.run(
        () -> {
          write(log);
          force(log);
          write(log);
          force(log);
        });
    assertEquals(20, files.get(0).safe.get());
    assertEquals(1, files.get(0).flushes.get());
    commits.run(() -> {});
    assertEquals(1, files.get(0).flushes.get(), "nothing new to flush");
  }

  @Test
  void outsideAChangeAFlushIsAFlush() throws IOException {
    FileIO log = open("1.wal");
    write(log);
    force(log);
    assertEquals(10, files.get(0).safe.get());
  }

  @Test
  void aSegmentThatIsFullIsFlushedWithTheNext() throws IOException {
    FileIO old = open("1.wal");
    FileIO next = open("2.wal");
    commits.run(
        () -> {
          write(old);
          write(next);
          force(next);
        });
    assertEquals(10, files.get(0).safe.get());
    assertEquals(10, files.get(1).safe.get());
    commits.run(
        () -> {
          write(old);
          try {
            old.close();
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
    assertEquals(20, files.get(0).safe.get());
  }

  @Test
  void aFailedChangeIsFlushedToo() throws IOException {
    FileIO log = open("1.wal");
    try {
      commits.run(
          () -> {
            write(log);
            throw new IllegalStateException("half done");
          });
    } catch (IllegalStateException e) {
      assertEquals("half done", e.getMessage());
    }
    assertEquals(10, files.get(0).safe.get());
  }

  @Test
  void allThatIsWrittenDuringAFlushSharesTheNext() throws Exception {
    FileIO log = open("1.wal");
    Recorded recorded = files.get(0);
    recorded.others = new CountDownLatch(8);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    List<Future<?>> all = new ArrayList<>();
    for (int t = 0; t < 8; t++) {
      all.add(
          threads.submit(
              () ->
                  commits.run(
                      () -> {
                        write(log);
                        force(log);
                        recorded.others.countDown();
                      })));
    }
    for (Future<?> one : all) {
      one.get();
    }
    threads.shutdown();
    assertEquals(80, recorded.safe.get());
    assertTrue(recorded.flushes.get() <= 2, "flushes are shared: " + recorded.flushes);
  }

  @Test
  void whoeverReturnsIsSafe() throws Exception {
    FileIO log = open("1.wal");
    Recorded recorded = files.get(0);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    List<Future<?>> all = new ArrayList<>();
    int turns = 200;
    for (int t = 0; t < 8; t++) {
      Random random = new Random(t);
      all.add(
          threads.submit(
              () -> {
                for (int i = 0; i < turns; i++) {
                  AtomicLong mine = new AtomicLong();
                  boolean checkpoint = random.nextInt(10) == 0;
                  if (checkpoint) {
                    write(log);
                    mine.set(10);
                    force(log);
                  } else {
                    commits.run(
                        () -> {
                          write(log);
                          mine.set(recorded.written.get());
                          force(log);
                        });
                  }
                  assertTrue(recorded.safe.get() >= mine.get(), "returned before it was safe");
                }
              }));
    }
    for (Future<?> one : all) {
      one.get();
    }
    threads.shutdown();
  }
}
