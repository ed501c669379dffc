package org.ignitetasks.node;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.internal.GridKernalContext;
import org.apache.ignite.internal.IgniteEx;

/**
 * Finds out at once when the JVM of a worker or client has died.
 *
 * <p>Ignite waits for a client node to come back for its whole failure detection timeout, and
 * blocks whoever sends to it meanwhile, the coordinator's exchange of partitions included. Here a
 * closed connection is taken as a reason to look: where the kernel refuses a new one, nobody
 * listens there any more and the node is declared dead. A client that is paused, slow or cut off is
 * not refused, and has the whole timeout. Ignite's listener only enqueues; one thread here looks.
 */
final class DeadClients {
  private static final Logger LOG = Logger.getLogger("ignitetasks.topology");
  private static final String ADDRESSES = "TcpCommunicationSpi.comm.tcp.addrs";
  private static final String PORT = "TcpCommunicationSpi.comm.tcp.port";
  private static final int LOOK_MILLIS = 1_000;

  /** A connection is closed a moment before its process has let go of the port. */
  private static final int LOOKS = 20;

  private static final int PAUSE_MILLIS = 50;

  private final GridKernalContext context;
  private final LinkedBlockingQueue<UUID> closed = new LinkedBlockingQueue<>();
  private Thread thread;

  DeadClients(Ignite ignite) {
    this.context = ((IgniteEx) ignite).context();
  }

  void start() {
    context.io().addDisconnectListener(closed::add);
    thread = new Thread(this::watch, "ignitetasks-dead-clients");
    thread.setDaemon(true);
    thread.start();
  }

  void stop() {
    thread.interrupt();
  }

  private void watch() {
    try {
      while (true) {
        UUID id = closed.take();
        try {
          look(id);
        } catch (RuntimeException e) {
          LOG.log(Level.FINE, "a closed connection could not be looked into", e);
        }
      }
    } catch (InterruptedException e) {
      // The node stops.
    }
  }

  private void look(UUID id) throws InterruptedException {
    for (int i = 0; i < LOOKS; i++) {
      ClusterNode node = context.discovery().node(id);
      if (node == null || !node.isClient()) {
        return;
      }
      if (refused(node)) {
        LOG.info("node " + id + " is gone: its connection closed and its port is refused");
        context.discovery().failNode(id, "its port is refused");
        return;
      }
      Thread.sleep(PAUSE_MILLIS);
    }
  }

  private static boolean refused(ClusterNode node) {
    Collection<String> addresses = node.attribute(ADDRESSES);
    Integer port = node.attribute(PORT);
    if (port == null || addresses == null || addresses.isEmpty()) {
      return false;
    }
    for (String address : List.copyOf(addresses)) {
      try (Socket socket = new Socket()) {
        socket.connect(new InetSocketAddress(address, port), LOOK_MILLIS);
        return false;
      } catch (ConnectException e) {
        // Refused here; it counts when all its addresses do.
      } catch (IOException e) {
        return false;
      }
    }
    return true;
  }
}
