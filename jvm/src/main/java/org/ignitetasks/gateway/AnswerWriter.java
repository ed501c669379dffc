package org.ignitetasks.gateway;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;

/**
 * Sends each answer by one write to the socket, in place of Py4J's own writer.
 *
 * <p>Answers are ASCII; the general encoder would cut them into pieces of 8 KiB. It is a
 * BufferedWriter only because Py4J's commands take one: {@link #write(String)} is the only way to
 * write. Thread-safe: a poll is answered by whoever has something to tell.
 */
final class AnswerWriter extends BufferedWriter {
  private final OutputStream out;
  private long bytesWritten;

  AnswerWriter(OutputStream out) {
    super(Writer.nullWriter(), 1);
    this.out = out;
  }

  @Override
  public synchronized void write(String answer) throws IOException {
    byte[] bytes = answer.getBytes(StandardCharsets.ISO_8859_1);
    out.write(bytes);
    bytesWritten += bytes.length;
  }

  @Override
  public void flush() throws IOException {
    out.flush();
  }

  /** Returns how many bytes were sent since the last time this was asked. */
  synchronized long takeBytesWritten() {
    long count = bytesWritten;
    bytesWritten = 0;
    return count;
  }
}
