package org.ignitetasks.gateway;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketImpl;
import java.net.StandardSocketOptions;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.net.ServerSocketFactory;

/**
 * Accepts connections within limits and survives what makes a plain accept fail.
 *
 * <p>Py4J starts a thread per connection without any limit, and leaves its accept loop for good at
 * the first exception, for example when file descriptors run out for a moment.
 */
final class GuardedServerSocket extends ServerSocket {
  private static final int BACKLOG = 512;
  private static final int BUFFER = 256 << 10;
  private static final long ACCEPT_RETRY_MILLIS = 50;
  private static final System.Logger LOG = System.getLogger(GuardedServerSocket.class.getName());

  private final int maxConnections;
  private final int maxUnauthenticated;
  private final GatewayMetrics metrics;
  private final Object lock = new Object();
  private final Set<GuardedSocket> open = new HashSet<>();
  private final Deque<GuardedSocket> waiting = new ArrayDeque<>();
  private long lastClosedNanos = System.nanoTime();

  GuardedServerSocket(GatewayLimits limits, GatewayMetrics metrics) throws IOException {
    this.maxConnections = limits.maxConnections();
    this.maxUnauthenticated = limits.maxUnauthenticated();
    this.metrics = metrics;
    setReceiveBufferSize(BUFFER);
  }

  /** Makes the only kind of server socket that {@code GatewayServer} gets to see. */
  static final class Factory extends ServerSocketFactory {
    private final GatewayLimits limits;
    private final GatewayMetrics metrics;
    private volatile GuardedServerSocket made;

    Factory(GatewayLimits limits, GatewayMetrics metrics) {
      this.limits = limits;
      this.metrics = metrics;
    }

    /** Returns the socket made last, or null. */
    GuardedServerSocket made() {
      return made;
    }

    @Override
    public ServerSocket createServerSocket() throws IOException {
      GuardedServerSocket socket = new GuardedServerSocket(limits, metrics);
      made = socket;
      return socket;
    }

    @Override
    public ServerSocket createServerSocket(int port) {
      throw new UnsupportedOperationException("bound sockets are made by createServerSocket()");
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog) {
      return createServerSocket(port);
    }

    @Override
    public ServerSocket createServerSocket(int port, int backlog, InetAddress address) {
      return createServerSocket(port);
    }
  }

  @Override
  public void bind(SocketAddress endpoint, int backlog) throws IOException {
    super.bind(endpoint, BACKLOG);
  }

  /** Returns the next connection that fits the limits; fails only when this socket is closed. */
  @Override
  public Socket accept() throws IOException {
    while (true) {
      GuardedSocket socket = new GuardedSocket(this);
      try {
        implAccept(socket);
        socket.setTcpNoDelay(true);
        socket.setKeepAlive(true);
        socket.setOption(StandardSocketOptions.SO_SNDBUF, BUFFER);
        if (admit(socket)) {
          return socket;
        }
      } catch (IOException e) {
        closeQuietly(socket);
        if (isClosed()) {
          throw e;
        }
        LOG.log(System.Logger.Level.WARNING, "accept_failed error={0}", e.toString());
        pause();
      }
    }
  }

  @Override
  public void close() throws IOException {
    super.close();
    List<GuardedSocket> all;
    synchronized (lock) {
      all = new ArrayList<>(open);
    }
    all.forEach(GuardedServerSocket::closeQuietly);
  }

  int connectionCount() {
    synchronized (lock) {
      return open.size();
    }
  }

  int unauthenticatedCount() {
    synchronized (lock) {
      return waiting.size();
    }
  }

  private boolean admit(GuardedSocket socket) {
    GuardedSocket evicted = null;
    boolean admitted;
    synchronized (lock) {
      if (waiting.size() >= maxUnauthenticated) {
        // The oldest goes, not the newest: a real client shows its token within milliseconds, so
        // strangers that hold connections open cannot keep it out.
        evicted = waiting.peekFirst();
        forget(evicted);
      }
      admitted = open.size() < maxConnections && !isClosed();
      if (admitted) {
        open.add(socket);
        waiting.addLast(socket);
      }
    }
    if (evicted != null) {
      metrics.count("gateway_connections_evicted_total");
      closeQuietly(evicted);
    }
    metrics.count(admitted ? "gateway_connections_total" : "gateway_connections_refused_total");
    if (!admitted) {
      closeQuietly(socket);
    }
    return admitted;
  }

  private void authenticated(GuardedSocket socket) {
    synchronized (lock) {
      waiting.remove(socket);
    }
  }

  /** Returns the time since the last connection was closed (or since the start). */
  long nanosSinceLastClose() {
    synchronized (lock) {
      return System.nanoTime() - lastClosedNanos;
    }
  }

  private void forget(GuardedSocket socket) {
    synchronized (lock) {
      if (open.remove(socket)) {
        lastClosedNanos = System.nanoTime();
      }
      waiting.remove(socket);
    }
  }

  private static void closeQuietly(Socket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "close_failed error={0}", e.toString());
    }
  }

  private static void pause() {
    try {
      Thread.sleep(ACCEPT_RETRY_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A connection that gives its place back when it is closed, whoever closes it. */
  static final class GuardedSocket extends Socket {
    private final GuardedServerSocket owner;

    GuardedSocket(GuardedServerSocket owner) throws IOException {
      super((SocketImpl) null);
      this.owner = owner;
    }

    /** Says that the other side has shown the token. */
    void authenticated() {
      owner.authenticated(this);
    }

    @Override
    public void close() throws IOException {
      owner.forget(this);
      super.close();
    }
  }
}
