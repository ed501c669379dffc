package org.ignitetasks.gateway;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionSink;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.SharedApis;

/**
 * The door of a node for Python clients: a Py4J server that answers a fixed list of operations to
 * those who show the token, and keeps for each client the ends of tasks it waits for.
 *
 * <p>It holds nothing that must survive: sessions die with the JVM, and clients then say hello
 * again and watch what they miss. All methods are thread-safe.
 */
public final class Gateway implements CompletionSink {
  private static final System.Logger LOG = System.getLogger(Gateway.class.getName());
  private static final int MIN_TOKEN = 32;

  /** Time for the answer of a stop call to reach the client. */
  private static final long STOP_DELAY_MILLIS = 100;

  private final GatewayLimits limits;
  private final GatewayMetrics metrics = new GatewayMetrics();
  private final Sessions sessions;
  private final SessionOperations sessionOperations;
  private final GatewayOps ops;
  private final ScheduledExecutorService timer;
  private final ExecutorService carriers;
  private volatile GuardedServer server;
  private boolean stopped;

  /**
   * Makes a gateway that is not yet listening.
   *
   * @param home answers for all homes of the cluster
   * @param shared what belongs to the cluster and not to one task
   * @param localNode this node's id, asked anew for every call: it changes at a reconnect
   * @param nodeInfo facts of this node: "name", "cluster_id", "version", "role", "durability",
   *     "lane", "data_dir", "namespace" and, if not 1 GiB, "max_payload" for hello; all of it goes
   *     to status as "node"
   * @param stop stops the JVM; called on a thread of its own after a client asked for it
   */
  public Gateway(
      HomeApi home,
      SharedApis shared,
      Supplier<UUID> localNode,
      Supplier<Map<String, Object>> nodeInfo,
      Runnable stop) {
    this(home, shared, localNode, nodeInfo, stop, GatewayLimits.defaults());
  }

  Gateway(
      HomeApi home,
      SharedApis shared,
      Supplier<UUID> localNode,
      Supplier<Map<String, Object>> nodeInfo,
      Runnable stop,
      GatewayLimits limits) {
    this.limits = limits;
    this.timer =
        Executors.newSingleThreadScheduledExecutor(work -> daemon(work, "gateway-sessions"));
    this.carriers = Executors.newCachedThreadPool(work -> daemon(work, "gateway-letters"));
    this.sessions = new Sessions(limits, carriers);
    this.sessionOperations = new SessionOperations(home, sessions, localNode, nodeInfo, limits);
    this.ops =
        new GatewayOps(
            home,
            sessionOperations,
            new SharedOperations(shared),
            nodeInfo,
            () -> stopSoon(stop),
            sessions,
            limits,
            metrics);
  }

  /**
   * Starts listening.
   *
   * @param host address to bind; a loopback address, since traffic is not encrypted
   * @param port 0 for any free one
   * @param token what clients must show, at least 32 characters
   * @return the port
   * @throws TasksException PORT_TAKEN if the port cannot be bound, BAD_REQUEST if host or token are
   *     not safe to use
   */
  public synchronized int start(String host, int port, String token) {
    if (server != null || stopped) {
      throw new IllegalStateException("a gateway starts once");
    }
    if (token.length() < MIN_TOKEN) {
      throw new TasksException(
          Code.BAD_REQUEST,
          "The token has fewer than " + MIN_TOKEN + " characters; make a new one.");
    }
    GuardedServer starting =
        GuardedServer.create(loopback(host), port, token, ops, limits, metrics);
    int bound = starting.open();
    server = starting;
    long period = Math.max(1, limits.sessionIdleMillis() / 10);
    timer.scheduleWithFixedDelay(this::expireSessions, period, period, TimeUnit.MILLISECONDS);
    LOG.log(System.Logger.Level.DEBUG, "gateway_started port={0}", String.valueOf(bound));
    return bound;
  }

  /** Ends waiting polls, lets calls inside finish for a moment, closes everything; once. */
  public synchronized void stop() {
    if (stopped) {
      return;
    }
    stopped = true;
    timer.shutdown();
    ops.close(limits.stopMillis());
    if (server != null) {
      server.close();
    }
    carriers.shutdown();
  }

  @Override
  public void completed(long session, List<Completion> completions) {
    sessions.completed(session, completions);
  }

  @Override
  public void mayHaveMissed() {
    sessions.mayHaveMissed();
  }

  /** Returns the open connections; a JVM with none may be idle. */
  public int connectionCount() {
    GuardedServer listening = server;
    return listening == null ? 0 : listening.connectionCount();
  }

  /**
   * Returns how long nobody has been here, in milliseconds: neither a connection nor a call; 0
   * while there is one.
   */
  public long idleMillis() {
    GuardedServer listening = server;
    return listening == null
        ? ops.idleMillis()
        : Math.min(ops.idleMillis(), listening.unconnectedMillis());
  }

  /** Returns how long nobody has called, in milliseconds; waiting for ends does not count. */
  public long quietMillis() {
    return ops.quietMillis();
  }

  /** Returns the sessions that have not expired. */
  public int sessionCount() {
    return sessions.count();
  }

  /** Answers a call that comes by no connection. */
  CompletableFuture<byte[]> call(String op, byte[] frame) {
    CompletableFuture<byte[]> answer = new CompletableFuture<>();
    ops.call(op, frame, answer::complete);
    return answer;
  }

  GatewayMetrics metrics() {
    return metrics;
  }

  int unauthenticatedCount() {
    GuardedServer listening = server;
    return listening == null ? 0 : listening.unauthenticatedCount();
  }

  private void expireSessions() {
    for (Session session : sessions.expire()) {
      LOG.log(
          System.Logger.Level.INFO,
          "session_expired kind={0} host={1} pid={2}",
          session.kind(),
          session.host(),
          String.valueOf(session.pid()));
      try {
        sessionOperations.closed(session);
      } catch (RuntimeException e) {
        // Its interest costs the home a little memory until the home moves; the timer must live on.
        LOG.log(System.Logger.Level.WARNING, "session_close_failed", e);
      }
    }
  }

  private static void stopSoon(Runnable stop) {
    Thread thread =
        new Thread(
            () -> {
              try {
                Thread.sleep(STOP_DELAY_MILLIS);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
              stop.run();
            },
            "gateway-stop");
    // Not a daemon: the stop must run to its end even when nothing else keeps the JVM alive.
    thread.setDaemon(false);
    thread.start();
  }

  private static InetAddress loopback(String host) {
    try {
      InetAddress address = InetAddress.getByName(host);
      if (address.isLoopbackAddress()) {
        return address;
      }
    } catch (UnknownHostException e) {
      throw new TasksException(
          Code.BAD_REQUEST, "The gateway's host '" + host + "' is not known; use 127.0.0.1.", e);
    }
    throw new TasksException(
        Code.BAD_REQUEST,
        "The gateway listens on loopback only, not on '" + host + "'; use 127.0.0.1.");
  }

  private static Thread daemon(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    return thread;
  }
}
