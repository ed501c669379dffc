package org.ignitetasks.node;

import static org.apache.ignite.internal.events.DiscoveryCustomEvent.EVT_DISCOVERY_CUSTOM_EVT;

import java.util.Set;
import org.apache.ignite.lang.IgniteFuture;
import org.apache.ignite.spi.discovery.DiscoveryNotification;
import org.apache.ignite.spi.discovery.DiscoverySpiCustomMessage;
import org.apache.ignite.spi.discovery.DiscoverySpiListener;
import org.apache.ignite.spi.discovery.isolated.IsolatedDiscoverySpi;

/**
 * Discovery of a node that is alone for ever, in which messages arrive in the order in which they
 * were sent.
 *
 * <p>Ignite relies on that order, and its own class does not keep it: several threads carry the
 * messages there. The order to make caches could overtake the word that the activation before it is
 * over, and was refused: "cluster state change is in progress". Here the sender itself hands over,
 * to Ignite's queue of one thread.
 */
class LoneDiscovery extends IsolatedDiscoverySpi {
  /** The only version of a topology that never changes. */
  private static final int TOPOLOGY = 1;

  private volatile DiscoverySpiListener listener;

  @Override
  public void setListener(DiscoverySpiListener listener) {
    super.setListener(listener);
    this.listener = listener;
  }

  @Override
  public void sendCustomEvent(DiscoverySpiCustomMessage message) {
    IgniteFuture<?> handled = handOver(message);
    handled.listen(
        done -> {
          DiscoverySpiCustomMessage answer = message.ackMessage();
          if (answer != null) {
            handOver(answer);
          }
        });
  }

  private IgniteFuture<?> handOver(DiscoverySpiCustomMessage message) {
    return listener.onDiscovery(
        new DiscoveryNotification(
            EVT_DISCOVERY_CUSTOM_EVT,
            TOPOLOGY,
            getLocalNode(),
            Set.of(getLocalNode()),
            null,
            message,
            null));
  }
}
