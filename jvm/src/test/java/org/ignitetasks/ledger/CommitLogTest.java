package org.ignitetasks.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.ignitetasks.model.TasksException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommitLogTest {
  private static final int FILES = 3;
  private static final int BYTES = 1024;

  @TempDir Path dir;
  private final AtomicInteger secured = new AtomicInteger();
  private final List<CommitLog> open = new ArrayList<>();

  @AfterEach
  void closeAll() {
    open.forEach(CommitLog::close);
  }

  private CommitLog log() {
    return log(dir);
  }

  private CommitLog log(Path folder) {
    CommitLog log = new CommitLog(folder, false, FILES, BYTES, () -> {});
    open.add(log);
    return log;
  }

  private static byte[] frame(int number, int length) {
    String text = "frame " + number + " ";
    return text.repeat(length / text.length() + 1)
        .substring(0, length)
        .getBytes(StandardCharsets.UTF_8);
  }

  private List<String> recovered(CommitLog log) {
    List<String> frames = new ArrayList<>();
    log.recover(
        f -> frames.add(StandardCharsets.UTF_8.decode(f).toString()), secured::incrementAndGet);
    log.kept(log.durable());
    return frames;
  }

  private static List<String> frames(int from, int to, int length) {
    return IntStream.rangeClosed(from, to).mapToObj(i -> new String(frame(i, length))).toList();
  }

  private static void append(CommitLog log, int from, int to, int length) {
    for (int i = from; i <= to; i++) {
      assertEquals(i, log.append(frame(i, length)));
      log.await();
    }
  }

  @Test
  void whatWasAwaitedIsReadAgainInOrder() {
    CommitLog log = log();
    assertEquals(List.of(), recovered(log));
    append(log, 1, 20, 40);
    log.close();
    assertEquals(frames(1, 20, 40), recovered(log()));
  }

  @Test
  void aSmallLogIsOneFileAndALargeOneNoMoreThanItMay() throws IOException {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 3, 40);
    assertEquals(1, files());
    for (int i = 4; i <= 100; i++) {
      log.append(frame(i, 180));
      log.await();
      log.kept(i);
    }
    assertEquals(2, files());
    log.leaveClean();
    log.close();
    assertEquals(List.of(), recovered(log()));
    assertEquals(2, files());
  }

  private long files() throws IOException {
    try (Stream<Path> files = Files.list(dir)) {
      return files.count();
    }
  }

  @Test
  void framesThatCollectedGoWithOneWriteAndCountAlone() {
    CommitLog log = log();
    recovered(log);
    for (int i = 1; i <= 5; i++) {
      log.append(frame(i, 30));
    }
    assertEquals(0, log.durable());
    log.await(2);
    assertEquals(5, log.durable());
    log.close();
    assertEquals(frames(1, 5, 30), recovered(log()));
  }

  @Test
  void numbersGoOnAfterARestart() {
    CommitLog first = log();
    recovered(first);
    append(first, 1, 3, 20);
    first.close();
    CommitLog second = log();
    recovered(second);
    append(second, 4, 6, 20);
    second.close();
    // The start has taken the first three into the cache, says the head of its first file.
    assertEquals(frames(4, 6, 20), recovered(log()));
  }

  @Test
  void aFullLogWaitsUntilAFileIsKeptElsewhere() throws InterruptedException {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 3 * (BYTES / 200), 180);
    int last = 3 * (BYTES / 200);
    CountDownLatch written = new CountDownLatch(1);
    Thread writer =
        new Thread(
            () -> {
              for (int i = 1; i <= BYTES / 200; i++) {
                log.append(frame(last + i, 180));
                log.await();
              }
              written.countDown();
            });
    writer.start();
    assertTrue(!written.await(100, TimeUnit.MILLISECONDS), "it wrote over what is needed");
    int before = secured.get();
    log.kept(BYTES / 200);
    assertTrue(written.await(10, TimeUnit.SECONDS));
    assertTrue(
        secured.get() > before, "a file was used again before its frames were safe elsewhere");
    log.close();
    List<String> found = recovered(log());
    assertEquals(
        frames(BYTES / 200 + 1, last + BYTES / 200, 180),
        found.subList(found.size() - last, found.size()));
  }

  @Test
  void aFrameLargerThanAFileGoesAlone() {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 1, 100);
    append(log, 2, 2, 5 * BYTES);
    append(log, 3, 3, 100);
    log.close();
    List<String> found = recovered(log());
    assertEquals(3, found.size());
    assertEquals(5 * BYTES, found.get(1).length());
  }

  @Test
  void aCleanEndLeavesNothingToRead() {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 9, 50);
    log.kept(9);
    log.leaveClean();
    log.close();
    CommitLog next = log();
    assertEquals(List.of(), recovered(next));
    append(next, 10, 12, 50);
    next.close();
    assertEquals(frames(10, 12, 50), recovered(log()));
  }

  @Test
  void anEndThatLeavesAFrameBehindIsNotClean() {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 9, 50);
    log.kept(8);
    log.leaveClean();
    log.close();
    assertEquals(frames(1, 9, 50), recovered(log()));
  }

  @Test
  void aBeginningThatWasTornOffDoesNotHideWhatCameAfterIt() throws IOException {
    // The second file's head says 5, its first frame is torn; the next run begins a file with 5.
    for (int order = 0; order < 2; order++) {
      Path folder = Files.createDirectory(dir.resolve("order" + order));
      CommitLog first = log(folder);
      recovered(first);
      append(first, 1, 4, 200);
      append(first, 5, 5, 300);
      first.close();
      Path torn = folder.resolve("1.log");
      try (RandomAccessFile file = new RandomAccessFile(torn.toFile(), "rw")) {
        file.seek(LogFrames.HEAD + 100);
        file.write(new byte[50]);
      }
      if (order == 1) {
        Files.move(torn, folder.resolve("x"));
        Files.move(folder.resolve("0.log"), torn);
        Files.move(folder.resolve("x"), folder.resolve("0.log"));
      }
      CommitLog second = log(folder);
      assertEquals(frames(1, 4, 200), recovered(second));
      append(second, 5, 6, 90);
      second.close();
      assertEquals(frames(5, 6, 90), recovered(log(folder)));
    }
  }

  @Test
  void aTornTailIsLostAndWhatWasBeforeIsNot() throws IOException {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 4, 100);
    log.close();
    Path file = dir.resolve("0.log");
    byte[] whole = Files.readAllBytes(file);
    int frame = LogFrames.OVERHEAD + 100;
    int lastAt = LogFrames.HEAD + 3 * frame;
    for (int cut = 0; cut < frame; cut++) {
      byte[] torn = whole.clone();
      java.util.Arrays.fill(torn, lastAt + cut, lastAt + frame, (byte) 0);
      Path folder = Files.createDirectory(dir.resolve("cut" + cut));
      Files.write(folder.resolve("0.log"), torn);
      CommitLog next = log(folder);
      assertEquals(frames(1, 3, 100), recovered(next), "cut at " + cut);
      append(next, 4, 6, 100);
      next.close();
      assertEquals(frames(4, 6, 100), recovered(log(folder)), "cut at " + cut);
    }
  }

  @Test
  void aHoleIsRefusedWithItsNumber() throws IOException {
    CommitLog log = log();
    recovered(log);
    append(log, 1, 2 * (BYTES / 200), 180);
    log.close();
    try (RandomAccessFile file = new RandomAccessFile(dir.resolve("0.log").toFile(), "rw")) {
      file.seek(LogFrames.HEAD + 300);
      file.write(new byte[] {1, 2, 3});
    }
    TasksException e = assertThrows(TasksException.class, () -> recovered(log()));
    assertTrue(e.getMessage().contains("lacks frame 2"), e.getMessage());
  }

  @Test
  void leftoversOfAnEarlierRunAreNotRead() throws IOException {
    // Two runs write frames of the same numbers and sizes; the second is cut behind its first.
    CommitLog first = log();
    recovered(first);
    append(first, 1, 5, 60);
    first.close();
    byte[] old = Files.readAllBytes(dir.resolve("0.log"));
    Path folder = Files.createDirectory(dir.resolve("again"));
    CommitLog second = log(folder);
    recovered(second);
    append(second, 1, 1, 60);
    second.close();
    byte[] mixed = Files.readAllBytes(folder.resolve("0.log"));
    int behind = LogFrames.HEAD + LogFrames.OVERHEAD + 60;
    System.arraycopy(old, behind, mixed, behind, mixed.length - behind);
    Files.write(folder.resolve("0.log"), mixed);
    assertEquals(frames(1, 1, 60), recovered(log(folder)));
  }

  @Test
  void aDiskThatFailsEndsTheNode() throws IOException {
    boolean[] ended = {false};
    CommitLog log = new CommitLog(dir, false, FILES, BYTES, () -> ended[0] = true);
    log.recover(f -> {}, () -> {});
    log.append(frame(1, 10));
    log.segments.forEach(LogSegment::close);
    assertThrows(TasksException.class, log::await);
    assertTrue(ended[0]);
  }

  @Test
  void manyWritersAndCrashesLoseNothingThatWasAwaited() throws InterruptedException {
    Random random = new Random(7);
    long safe = 0;
    for (int life = 0; life < 20; life++) {
      CommitLog log = log();
      List<String> found = recovered(log);
      long last = log.durable();
      assertTrue(last >= safe, "awaited " + safe + ", found " + last);
      assertEquals(found.size(), found.stream().distinct().count());
      int threads = 1 + random.nextInt(4);
      List<Thread> writers = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        int id = life * 10 + t;
        writers.add(
            new Thread(
                () -> {
                  for (int i = 0; i < 50; i++) {
                    long seq = log.append(frame(id * 1000 + i, 20 + i));
                    log.await(seq);
                    if (seq % 3 == 0) {
                      log.kept(seq - 2);
                    }
                  }
                }));
      }
      writers.forEach(Thread::start);
      for (Thread writer : writers) {
        writer.join();
      }
      safe = log.durable();
      log.append(frame(0, 30));
      log.close();
    }
  }
}
