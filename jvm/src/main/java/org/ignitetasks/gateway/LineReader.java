package org.ignitetasks.gateway;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Reads lines of bounded length within a deadline, in place of Py4J's own reader.
 *
 * <p>{@link BufferedReader#readLine} grows without end, starts its time-out anew with every byte
 * and hands out the rest of a line that was cut off; none of that may happen here. It is a
 * BufferedReader only because Py4J's commands take one: {@link #readLine} is the only way to read.
 * Not thread-safe.
 */
final class LineReader extends BufferedReader {
  private static final int INITIAL = 1 << 10;
  private static final int KEPT = 64 << 10;

  private final Socket socket;
  private final InputStream in;
  private byte[] buffer = new byte[INITIAL];
  private int start;
  private int end;
  private int maxLine;
  private long deadlineNanos;
  private boolean hasDeadline;
  private long bytesRead;

  LineReader(Socket socket, int maxLine, long deadlineMillis) throws IOException {
    super(Reader.nullReader(), 1);
    this.socket = socket;
    this.in = socket.getInputStream();
    this.maxLine = maxLine;
    this.deadlineNanos = System.nanoTime() + deadlineMillis * 1_000_000;
    this.hasDeadline = true;
  }

  /** Lifts the deadline and allows longer lines: the other side has shown the token. */
  void authenticated(int newMaxLine) throws IOException {
    maxLine = newMaxLine;
    hasDeadline = false;
    socket.setSoTimeout(0);
  }

  /**
   * Returns the next line like {@link #readLine()}, if it comes within this time; what has come of
   * it until then is kept for the next call.
   *
   * @throws SocketTimeoutException if it did not
   */
  String readLine(long millis) throws IOException {
    deadlineNanos = System.nanoTime() + millis * 1_000_000;
    hasDeadline = true;
    try {
      return readLine();
    } finally {
      hasDeadline = false;
      socket.setSoTimeout(0);
    }
  }

  /**
   * Returns the next line without its end, one character per byte, or null if the connection ended;
   * a line that the end cut off is not a line.
   *
   * @throws LineTooLongException if the line is longer than allowed
   * @throws SocketTimeoutException if the deadline passed
   */
  @Override
  public String readLine() throws IOException {
    int seen = start;
    while (true) {
      for (int i = seen; i < end; i++) {
        if (buffer[i] == '\n') {
          return take(i);
        }
      }
      if (end - start > maxLine) {
        throw new LineTooLongException(maxLine);
      }
      makeRoom();
      seen = end;
      int count = fill();
      if (count < 0) {
        return null;
      }
      end += count;
      bytesRead += count;
    }
  }

  /** Returns how many bytes came since the last time this was asked. */
  long takeBytesRead() {
    long count = bytesRead;
    bytesRead = 0;
    return count;
  }

  private String take(int newline) throws LineTooLongException {
    if (newline - start > maxLine) {
      throw new LineTooLongException(maxLine);
    }
    String line = new String(buffer, start, newline - start, StandardCharsets.ISO_8859_1);
    start = newline + 1;
    int left = end - start;
    if (buffer.length > KEPT && left <= INITIAL) {
      // A large call must not pin its buffer while it is answered, nor as long as the client lives.
      byte[] small = new byte[INITIAL];
      System.arraycopy(buffer, start, small, 0, left);
      buffer = small;
      start = 0;
      end = left;
    }
    return line;
  }

  private void makeRoom() {
    if (start == end) {
      start = 0;
      end = 0;
    }
    if (end < buffer.length) {
      return;
    }
    int held = end - start;
    if (start > 0) {
      System.arraycopy(buffer, start, buffer, 0, held);
    }
    if (held > buffer.length / 2) {
      int grown = (int) Math.min(maxLine + (long) INITIAL, buffer.length * 4L);
      buffer = Arrays.copyOf(buffer, Math.max(grown, held + INITIAL));
    }
    start = 0;
    end = held;
  }

  private int fill() throws IOException {
    if (hasDeadline) {
      long leftMillis = (deadlineNanos - System.nanoTime()) / 1_000_000;
      if (leftMillis <= 0) {
        throw new SocketTimeoutException("no line in time");
      }
      socket.setSoTimeout((int) leftMillis);
    }
    return in.read(buffer, end, buffer.length - end);
  }

  /** A line went over its limit. */
  static final class LineTooLongException extends IOException {
    LineTooLongException(int limit) {
      super("a line has more than " + limit + " bytes");
    }
  }
}
