package org.ignitetasks.worker;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One connection of the lane: frames in, frames out, on a blocking socket.
 *
 * <p>One thread reads. Any thread writes, whole frames under the write lock, and waits only while
 * the peer's socket buffer is full; {@link #stalledNanos} lets a watchdog cut a peer that never
 * reads. Closing is what ends a blocked read or write.
 */
final class LaneChannel {
  private static final Logger LOG = System.getLogger(LaneChannel.class.getName());
  private static final int READ_BUFFER = 64 << 10;

  private final SocketChannel socket;
  private final FrameCodec codec;
  private final ReentrantLock writing = new ReentrantLock();
  private ByteBuffer buffer = ByteBuffer.allocateDirect(READ_BUFFER);
  private volatile long readSince;
  private volatile long writeSince;

  LaneChannel(SocketChannel socket, int maxLength) {
    this.socket = socket;
    this.codec = new FrameCodec(maxLength);
  }

  /** Accepts frames up to {@code maxLength} from now on and reads up to {@code bytes} at a time. */
  void widen(int maxLength, int bytes) {
    codec.limit(maxLength);
    if (bytes > buffer.capacity()) {
      buffer = ByteBuffer.allocateDirect(bytes);
    }
  }

  /**
   * Waits for at least one frame and returns all that one read brought; null at the end.
   *
   * @throws LaneException if what came is no lane frame
   */
  List<Frame> read() throws IOException {
    List<Frame> frames = new ArrayList<>();
    while (frames.isEmpty()) {
      buffer.clear();
      readSince = mark();
      int count = socket.read(buffer);
      readSince = 0;
      if (count < 0) {
        return null;
      }
      codec.feed(buffer.flip(), frames);
    }
    return frames;
  }

  /** Writes one frame. */
  void write(int kind, byte[] payload) throws IOException {
    write(FrameCodec.encode(kind, payload));
  }

  /** Writes one encoded frame; frames of several threads never mix. */
  void write(ByteBuffer frame) throws IOException {
    writing.lock();
    // An interrupt that is pending would close the socket, and with it kill a child that has done
    // nothing wrong: the caller gets it back afterwards.
    boolean interrupted = Thread.interrupted();
    try {
      writeSince = mark();
      while (frame.hasRemaining()) {
        socket.write(frame);
      }
    } finally {
      writeSince = 0;
      writing.unlock();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Writes one frame to a peer whose end, if it has ended, is seen by its reader anyway. */
  void tell(int kind, byte[] payload) {
    try {
      write(kind, payload);
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "lane_write_failed kind={0} error={1}", kind, e.toString());
    }
  }

  /** Keeps others from writing, so that what is decided and what is written have one order. */
  void lockWrites() {
    writing.lock();
  }

  void unlockWrites() {
    writing.unlock();
  }

  /** Returns for how long the current write has been waiting, in nanoseconds, or 0. */
  long stalledNanos(long now) {
    return age(writeSince, now);
  }

  /** Returns for how long the reader has been waiting for input, in nanoseconds, or 0. */
  long silentNanos(long now) {
    return age(readSince, now);
  }

  void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // The descriptor is gone either way.
      return;
    }
  }

  private static long mark() {
    long now = System.nanoTime();
    return now == 0 ? 1 : now;
  }

  private static long age(long since, long now) {
    return since == 0 ? 0 : Math.max(0, now - since);
  }
}
