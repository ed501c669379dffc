package org.ignitetasks.gateway;

import java.io.IOException;
import java.io.InputStream;
import java.net.SocketTimeoutException;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import py4j.Gateway;
import py4j.GatewayConnection;
import py4j.GatewayServerListener;
import py4j.commands.Command;

/**
 * One client's connection: first the token, then calls; whatever else comes ends it.
 *
 * <p>Py4J's class is used for its life cycle only. Its table of commands stays empty but for our
 * two (it fills the table from a list by reflection and, if a constructor fails, silently leaves
 * the general command of the same name in place), and its loop, which answers with stack traces, is
 * replaced. Runs on a thread of its own.
 */
final class GuardedConnection extends GatewayConnection {
  private static final String REFUSED = "!x\n";
  private static final int DRAIN_BYTES = 64 << 10;
  private static final AtomicLong NUMBER = new AtomicLong();
  private static final System.Logger LOG = System.getLogger(GuardedConnection.class.getName());

  private final GuardedServerSocket.GuardedSocket guarded;
  private final LineReader lines;
  private final AnswerWriter answers;
  private final AuthenticateCommand auth;
  private final CallCommand calls;
  private final GatewayLimits limits;
  private final GatewayMetrics metrics;

  GuardedConnection(
      Gateway gateway,
      GuardedServerSocket.GuardedSocket socket,
      byte[] tokenDigest,
      GatewayOps ops,
      GatewayLimits limits,
      GatewayMetrics metrics,
      List<GatewayServerListener> listeners)
      throws IOException {
    super(gateway, socket, null, List.of(), listeners);
    this.guarded = socket;
    this.limits = limits;
    this.metrics = metrics;
    this.lines = new LineReader(socket, limits.lineBeforeAuth(), limits.authMillis());
    this.answers = new AnswerWriter(socket.getOutputStream());
    this.auth = new AuthenticateCommand(tokenDigest);
    this.calls = new CallCommand(ops, socket);
    commands.clear();
    commands.put(AuthenticateCommand.NAME, auth);
    commands.put(CallCommand.NAME, calls);
  }

  /** Does nothing: called by Py4J's constructor to load commands by reflection. */
  @Override
  protected void initCommands(Gateway gateway, List<Class<? extends Command>> classes) {}

  @Override
  public void startConnection() {
    Thread thread = new Thread(this, "gateway-connection-" + NUMBER.incrementAndGet());
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void run() {
    try {
      if (authenticate()) {
        serve();
      }
    } catch (RefusedException | LineReader.LineTooLongException e) {
      refuse(e.getMessage());
    } catch (SocketTimeoutException e) {
      metrics.count("gateway_auth_timeouts_total");
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "connection_lost error={0}", e.toString());
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.ERROR, "connection_failed", e);
    } finally {
      calls.endWaiting();
      countBytes();
      shutdown();
    }
  }

  private boolean authenticate() throws IOException {
    String line = lines.readLine();
    if (line == null) {
      return false;
    }
    if (!AuthenticateCommand.NAME.equals(line)) {
      throw new RefusedException("the first command must be the token");
    }
    auth.execute(line, lines, answers);
    if (!auth.authenticated()) {
      return false;
    }
    lines.authenticated(limits.lineAfterAuth());
    guarded.authenticated();
    return true;
  }

  private void serve() throws IOException {
    String line = lines.readLine();
    while (line != null) {
      Command command = commands.get(line);
      if (command == null) {
        throw new RefusedException("unknown command");
      }
      command.execute(line, lines, answers);
      countBytes();
      line = nextLine();
    }
  }

  /** Returns the next command; a poll that waits ends when one comes, or when its time is over. */
  private String nextLine() throws IOException {
    PollWait waiting = calls.waiting();
    if (waiting == null) {
      return lines.readLine();
    }
    try {
      return lines.readLine(waiting.millis());
    } catch (SocketTimeoutException e) {
      LOG.log(System.Logger.Level.TRACE, "poll_over");
    } finally {
      calls.endWaiting();
    }
    return lines.readLine();
  }

  private void refuse(String why) {
    boolean known = auth.authenticated();
    metrics.count(known ? "gateway_refused_commands_total" : "gateway_auth_failures_total");
    if (metrics.mayLogRefusal()) {
      LOG.log(
          System.Logger.Level.WARNING,
          "connection_refused authenticated={0} reason={1}",
          known,
          why);
    }
    try {
      // What is unread makes the close a reset, which would overtake the answer.
      drain();
      answers.write(REFUSED);
      answers.flush();
      guarded.shutdownOutput();
      drain();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "refusal_not_sent error={0}", e.toString());
    }
  }

  private void drain() throws IOException {
    InputStream in = guarded.getInputStream();
    int left = DRAIN_BYTES;
    int available = in.available();
    while (available > 0 && left > 0) {
      left -= in.readNBytes(Math.min(available, left)).length;
      available = in.available();
    }
  }

  private void countBytes() {
    metrics.bytes(lines.takeBytesRead(), answers.takeBytesWritten());
  }
}
