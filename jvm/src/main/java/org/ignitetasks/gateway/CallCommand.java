package org.ignitetasks.gateway;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.Closeable;
import java.io.IOException;
import java.util.Base64;
import py4j.commands.AbstractCommand;

/**
 * Command {@code c}: one framed request in, one framed answer out; see {@link GatewayOps}.
 *
 * <p>It takes the place of Py4J's call command and shares nothing with it: no reflection, no object
 * is looked up, bound or returned, and no exception reaches the other side but as an error frame. A
 * poll may be answered later, by another thread; all else belongs to the connection's thread.
 */
final class CallCommand extends AbstractCommand {
  static final String NAME = "c";
  private static final String TARGET = "t";
  private static final char BYTES_TYPE = 'j';
  private static final String END = "e";
  private static final String ANSWER = "!ys";

  private static final System.Logger LOG = System.getLogger(CallCommand.class.getName());

  private final GatewayOps ops;
  private final Closeable connection;
  private PollWait waiting;
  private BufferedWriter answersTo;
  private GatewayOps.Reply reply;

  /** Calls these; the connection is closed when an answer cannot be written. */
  CallCommand(GatewayOps ops, Closeable connection) {
    this.commandName = NAME;
    this.ops = ops;
    this.connection = connection;
  }

  /** Returns the poll that was begun last and was not answered at once, or null. */
  PollWait waiting() {
    return waiting;
  }

  /** Has a waiting poll answered: the answers keep the order of the calls. */
  void endWaiting() {
    PollWait begun = waiting;
    waiting = null;
    if (begun != null) {
      begun.end();
    }
  }

  @Override
  public void execute(String command, BufferedReader reader, BufferedWriter writer)
      throws IOException {
    Request request = read(reader);
    if (writer != answersTo) {
      // A connection keeps its writer.
      answersTo = writer;
      reply = answer -> answer(writer, answer);
    }
    waiting = ops.call(request.op(), request.frame(), reply);
  }

  private void answer(BufferedWriter writer, byte[] answer) {
    try {
      writer.write(ANSWER + Base64.getEncoder().encodeToString(answer) + '\n');
      writer.flush();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "answer_not_sent error={0}", e.toString());
      close();
    }
  }

  private void close() {
    try {
      connection.close();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "close_failed error={0}", e.toString());
    }
  }

  private record Request(String op, byte[] frame) {}

  /** Reads a call to its end; apart, so that its text is garbage before the call is made. */
  private static Request read(BufferedReader reader) throws IOException {
    if (!TARGET.equals(line(reader))) {
      throw new RefusedException("the target of a call is 't'");
    }
    String op = line(reader);
    String argument = line(reader);
    if (argument.isEmpty() || argument.charAt(0) != BYTES_TYPE) {
      throw new RefusedException("the argument of a call is bytes");
    }
    if (!END.equals(line(reader))) {
      throw new RefusedException("a call has exactly one argument");
    }
    return new Request(op, decode(argument));
  }

  private static String line(BufferedReader reader) throws IOException {
    String line = reader.readLine();
    if (line == null) {
      throw new RefusedException("the connection ended within a call");
    }
    return line;
  }

  private static byte[] decode(String argument) {
    try {
      return Base64.getDecoder().decode(argument.substring(1));
    } catch (IllegalArgumentException e) {
      throw new RefusedException("the argument is not base64");
    }
  }
}
