package org.ignitetasks.node;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Collection;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.internal.processors.cache.persistence.metastorage.MetaStorage;
import org.apache.ignite.internal.processors.cache.persistence.metastorage.MetastorageLifecycleListener;
import org.apache.ignite.internal.processors.cache.persistence.metastorage.ReadOnlyMetastorage;
import org.apache.ignite.internal.processors.subscription.GridInternalSubscriptionProcessor;
import org.apache.ignite.internal.util.typedef.X;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;

/**
 * A data node's own copy of the baseline's history, in which Ignite keeps who held the data before.
 *
 * <p>A node that joins in the middle of a change of the baseline is given the new one without the
 * item of the old one (GridClusterStateProcessor: the history it is sent gets that item only when
 * the change is over), and one that is killed in the moment of its join may have written only the
 * new one. Ignite then never starts it again, whatever data it has. Such a node forgets which
 * baseline it was in and is given baseline and history by the others, as a new node is; its data
 * stay. It must not be the first of its cluster: without a baseline it would begin another one.
 */
final class BaselineHistory {
  private static final Logger LOG = Logger.getLogger("ignitetasks.node");
  private static final String BASELINE = "metastoreBltKey";
  private static final long OTHERS_NANOS = 45_000_000_000L;
  private static final int CONNECT_MILLIS = 500;
  private static final long PAUSE_MILLIS = 200;

  private BaselineHistory() {}

  /** Tells whether a node did not start because items of its history are missing. */
  static boolean isTorn(IgniteException e) {
    return X.hasCause(e, "BaselineTopology history", IgniteCheckedException.class);
  }

  /** Starts a node that forgets its baseline before it joins the others. */
  static Ignite startWithout(IgniteConfiguration config) {
    LOG.warning("this node's history of the baseline has gaps: it takes the cluster's");
    Ignite started =
        Ignition.start(config.setLifecycleBeans(new BeforeStart(BaselineHistory::forget)));
    if (started.cluster().currentBaselineTopology() == null) {
      // Not active yet, so nothing was written.
      Ignition.stop(started.name(), true);
      throw new IgniteException(
          "this node's history of the baseline has gaps, and there is no other that has one:"
              + " start another data node first");
    }
    return started;
  }

  private static void forget(GridInternalSubscriptionProcessor listeners) {
    listeners.registerMetastorageListener(
        new MetastorageLifecycleListener() {
          @Override
          public void onReadyForRead(ReadOnlyMetastorage copy) throws IgniteCheckedException {
            // In what is read now; on disk it is replaced by the cluster's.
            ((MetaStorage) copy).applyUpdate(BASELINE, null);
          }
        });
  }

  /**
   * Waits until one of the other data nodes can be reached.
   *
   * @return false if none can
   */
  static boolean awaitOthers(IgniteConfiguration config) {
    return awaitOthers(config, OTHERS_NANOS);
  }

  static boolean awaitOthers(IgniteConfiguration config, long nanos) {
    TcpDiscoverySpi discovery = (TcpDiscoverySpi) config.getDiscoverySpi();
    Collection<InetSocketAddress> addresses = discovery.getIpFinder().getRegisteredAddresses();
    long deadline = System.nanoTime() + nanos;
    while (addresses.stream().noneMatch(BaselineHistory::answers)) {
      if (System.nanoTime() >= deadline) {
        return false;
      }
      Joining.pause(PAUSE_MILLIS);
    }
    return true;
  }

  /** This node's own address is one of them, and nobody listens there. */
  private static boolean answers(InetSocketAddress address) {
    try (Socket socket = new Socket()) {
      InetAddress host = InetAddress.getByName(address.getHostString());
      socket.connect(new InetSocketAddress(host, address.getPort()), CONNECT_MILLIS);
      return true;
    } catch (IOException e) {
      return false;
    }
  }
}
