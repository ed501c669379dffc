package org.ignitetasks.ledger;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.zip.CRC32C;

/**
 * One file of the {@link CommitLog}: a head and frames with rising numbers. Not thread-safe.
 *
 * <p>The head says with which number the file begins and which frames were kept elsewhere when it
 * was begun. It is written together with the first frames, so a crash leaves no head without a
 * beginning that matters: what was not awaited may be lost.
 */
final class LogSegment {
  private static final Logger LOG = Logger.getLogger("ignitetasks.commit");
  private static final long MAGIC = 0x49545f4c4f473031L;
  private static final int HEAD_SUMMED = 3 * Long.BYTES + Integer.BYTES;

  /** Told of each frame that is read. */
  interface Reader {
    void frame(long seq, ByteBuffer content);
  }

  private final RandomAccessFile file;
  private final int fileBytes;
  private int used;

  /** Where the file's own position is, so that what follows on needs no seek. */
  private long position = -1;

  private int run;

  /** Number of its first frame; 0 if it was never used. */
  long first;

  /** Number of its last frame, as far as it is known. */
  long last;

  /** Up to this frame all were kept elsewhere when this file was begun. */
  long releasedBefore;

  /** Opens a file and takes its place on the disk, so that no later write has to ask for it. */
  LogSegment(Path path, boolean power, int fileBytes) throws IOException {
    this.fileBytes = fileBytes;
    // "rwd" waits for the disk at each write. A channel would be closed by an interrupt.
    this.file = new RandomAccessFile(path.toFile(), power ? "rwd" : "rw");
    if (file.length() < fileBytes) {
      fill(path, power);
    } else {
      readHead();
    }
  }

  private void fill(Path path, boolean power) throws IOException {
    try (RandomAccessFile quick = new RandomAccessFile(path.toFile(), "rw")) {
      byte[] zeros = new byte[1 << 16];
      for (long at = 0; at < fileBytes; at += zeros.length) {
        quick.seek(at);
        quick.write(zeros, 0, (int) Math.min(zeros.length, fileBytes - at));
      }
      if (power) {
        // Blocks that are on the disk already make each later write one write.
        quick.getFD().sync();
      }
    }
  }

  private void readHead() throws IOException {
    byte[] bytes = new byte[LogFrames.HEAD];
    file.seek(0);
    file.readFully(bytes);
    ByteBuffer head = ByteBuffer.wrap(bytes);
    long magic = head.getLong();
    long begins = head.getLong();
    long released = head.getLong();
    int writtenIn = head.getInt();
    if (magic == MAGIC && head.getInt() == headSum(bytes)) {
      first = begins;
      run = writtenIn;
      releasedBefore = released;
    }
  }

  private static int headSum(byte[] bytes) {
    CRC32C sum = new CRC32C();
    sum.update(bytes, 0, HEAD_SUMMED);
    return (int) sum.getValue();
  }

  boolean hasRoom(int bytes) {
    return used + (long) bytes <= fileBytes;
  }

  /** Forgets what is in the file and begins it with these frames; they may be larger than it. */
  void begin(LogFrames frames, long released) throws IOException {
    if (file.length() > fileBytes) {
      file.setLength(fileBytes);
    }
    ByteBuffer.wrap(frames.bytes())
        .putLong(MAGIC)
        .putLong(frames.first())
        .putLong(released)
        .putInt(frames.run());
    ByteBuffer.wrap(frames.bytes(), HEAD_SUMMED, Integer.BYTES).putInt(headSum(frames.bytes()));
    write(0, frames.bytes(), 0, LogFrames.HEAD + frames.size());
    used = LogFrames.HEAD + frames.size();
    first = frames.first();
    last = frames.last();
  }

  void append(LogFrames frames) throws IOException {
    write(used, frames.bytes(), LogFrames.HEAD, frames.size());
    used += frames.size();
    last = frames.last();
  }

  private void write(long at, byte[] bytes, int from, int length) throws IOException {
    if (at != position) {
      file.seek(at);
    }
    // Unknown should the write fail.
    position = -1;
    file.write(bytes, from, length);
    position = at + length;
  }

  /** Reads the frames up to the first that is not whole; returns the number that would follow. */
  long read(Reader reader) {
    long next = first;
    try {
      byte[] all = new byte[Math.toIntExact(file.length())];
      position = -1;
      file.seek(0);
      file.readFully(all);
      ByteBuffer in = ByteBuffer.wrap(all).position(LogFrames.HEAD);
      while (in.remaining() >= LogFrames.OVERHEAD) {
        int length = in.getInt();
        long seq = in.getLong();
        int sum = in.getInt();
        boolean whole =
            length >= 0
                && length <= in.remaining()
                && seq == next
                && sum == LogFrames.sum(run, length, seq, all, in.position());
        if (!whole) {
          break;
        }
        reader.frame(seq, ByteBuffer.wrap(all, in.position(), length).slice());
        in.position(in.position() + length);
        next++;
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the commit log cannot be read", e);
    }
    last = next - 1;
    return next;
  }

  void close() {
    try {
      file.close();
    } catch (IOException e) {
      LOG.log(Level.INFO, "a file of the log was not closed", e);
    }
  }
}
