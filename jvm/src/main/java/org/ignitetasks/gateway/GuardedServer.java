package org.ignitetasks.gateway;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import py4j.GatewayConnection;
import py4j.GatewayServer;
import py4j.Py4JNetworkException;
import py4j.Py4JServerConnection;

/**
 * Py4J's server with everything taken out that lets a client run code in this JVM.
 *
 * <p>It has no entry point, no callback client and only {@link GuardedConnection}s.
 */
final class GuardedServer extends GatewayServer {
  static {
    // For the whole JVM: even a plain GatewayServer that other code might start finds no commands.
    GatewayConnection.getBaseCommands().clear();
  }

  private final GuardedServerSocket.Factory sockets;
  private final byte[] tokenDigest;
  private final GatewayOps ops;
  private final GatewayLimits limits;
  private final GatewayMetrics metrics;

  private GuardedServer(
      InetAddress address,
      int port,
      String token,
      GatewayOps ops,
      GatewayLimits limits,
      GatewayMetrics metrics,
      GuardedServerSocket.Factory sockets) {
    super(null, port, address, 0, 0, null, new NoCallbacks(), sockets);
    this.sockets = sockets;
    this.tokenDigest = Digests.sha256(token.getBytes(StandardCharsets.ISO_8859_1));
    this.ops = ops;
    this.limits = limits;
    this.metrics = metrics;
  }

  static GuardedServer create(
      InetAddress address,
      int port,
      String token,
      GatewayOps ops,
      GatewayLimits limits,
      GatewayMetrics metrics) {
    GuardedServerSocket.Factory sockets = new GuardedServerSocket.Factory(limits, metrics);
    return new GuardedServer(address, port, token, ops, limits, metrics, sockets);
  }

  /** Binds and starts accepting; returns the port. */
  int open() {
    try {
      startSocket();
    } catch (Py4JNetworkException e) {
      closeSockets();
      throw new TasksException(
          Code.PORT_TAKEN,
          "The gateway cannot listen on "
              + getAddress().getHostAddress()
              + ":"
              + getPort()
              + "; choose another port or stop what uses it.",
          e);
    }
    Thread thread = new Thread(this, "gateway-accept");
    thread.setDaemon(true);
    thread.start();
    return getListeningPort();
  }

  /** Stops accepting and closes every connection. */
  void close() {
    shutdown();
    closeSockets();
  }

  int connectionCount() {
    GuardedServerSocket socket = sockets.made();
    return socket == null ? 0 : socket.connectionCount();
  }

  /** Returns how long there has been no connection, in milliseconds; 0 while there is one. */
  long unconnectedMillis() {
    GuardedServerSocket socket = sockets.made();
    return socket == null || socket.connectionCount() > 0
        ? 0
        : TimeUnit.NANOSECONDS.toMillis(socket.nanosSinceLastClose());
  }

  int unauthenticatedCount() {
    GuardedServerSocket socket = sockets.made();
    return socket == null ? 0 : socket.unauthenticatedCount();
  }

  /**
   * Starts a connection; on failure the socket is closed, which Py4J would forget, and errors such
   * as "unable to create native thread" do not end the accept thread.
   */
  @Override
  protected Py4JServerConnection createConnection(py4j.Gateway gateway, Socket socket)
      throws IOException {
    try {
      GuardedConnection connection =
          new GuardedConnection(
              gateway,
              (GuardedServerSocket.GuardedSocket) socket,
              tokenDigest,
              ops,
              limits,
              metrics,
              getListeners());
      connection.startConnection();
      return connection;
    } catch (IOException | RuntimeException | Error e) {
      socket.close();
      throw new IOException("The connection could not be started: " + e, e);
    }
  }

  private void closeSockets() {
    GuardedServerSocket socket = sockets.made();
    if (socket != null) {
      try {
        socket.close();
      } catch (IOException e) {
        throw new IllegalStateException("The gateway's socket cannot be closed.", e);
      }
    }
  }
}
