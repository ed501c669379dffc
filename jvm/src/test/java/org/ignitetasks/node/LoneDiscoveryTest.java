package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.internal.managers.discovery.CustomMessageWrapper;
import org.apache.ignite.internal.processors.cluster.ChangeGlobalStateFinishMessage;
import org.apache.ignite.lang.IgniteFuture;
import org.apache.ignite.spi.discovery.DiscoveryNotification;
import org.apache.ignite.spi.discovery.DiscoverySpiListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A lone node starts whichever of its threads is late. */
class LoneDiscoveryTest {
  private static final long LATE_MILLIS = 500;

  @TempDir Path dir;

  /** A discovery in which whoever carries the end of an activation is late. */
  private static final class Late extends LoneDiscovery {
    final AtomicInteger ends = new AtomicInteger();

    @Override
    public void setListener(DiscoverySpiListener listener) {
      super.setListener(
          new DiscoverySpiListener() {
            @Override
            public void onLocalNodeInitialized(ClusterNode node) {
              listener.onLocalNodeInitialized(node);
            }

            @Override
            public IgniteFuture<?> onDiscovery(DiscoveryNotification notification) {
              if (isEndOfActivation(notification)) {
                ends.incrementAndGet();
                Joining.pause(LATE_MILLIS);
              }
              return listener.onDiscovery(notification);
            }
          });
    }

    private static boolean isEndOfActivation(DiscoveryNotification notification) {
      return notification.getCustomMsgData() instanceof CustomMessageWrapper wrapper
          && wrapper.delegate() instanceof ChangeGlobalStateFinishMessage;
    }
  }

  private void startAndStop(NodeSettings settings) {
    IgniteConfiguration config = TestNodes.config(settings);
    assertInstanceOf(LoneDiscovery.class, config.getDiscoverySpi());
    Late late = new Late();
    try (Ignite ignite = Ignition.start(config.setDiscoverySpi(late))) {
      Joining.join(ignite, settings);
      Joining.makeCaches(ignite, settings);
      assertEquals(
          List.of(),
          NodeConfigs.caches(settings).stream()
              .filter(cache -> ignite.cache(cache.getName()) == null)
              .toList());
      assertTrue(late.ends.get() > 0);
    }
  }

  @Test
  void cachesAreMadeAfterTheActivationIsOverHoweverLateThatIsKnown() {
    NodeSettings settings = TestNodes.settings(dir, "late", "embedded");
    startAndStop(settings);
    // And with data: Ignite activates such a node by itself while it starts.
    startAndStop(settings);
  }
}
