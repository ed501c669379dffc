package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import org.apache.ignite.Ignite;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.events.DiscoveryEvent;
import org.apache.ignite.events.EventType;
import org.apache.ignite.internal.IgniteEx;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A call goes to the node it names, also where no event has told of that node. */
class NamedNodeTest {
  @TempDir Path dir;

  private static ClusterNode unheardOf() {
    return (ClusterNode)
        Proxy.newProxyInstance(
            ClusterNode.class.getClassLoader(),
            new Class<?>[] {ClusterNode.class},
            (proxy, method, args) -> null);
  }

  @Test
  void aNodeNeedsNotBeHeardOf() {
    for (String role : List.of("embedded", "data", "client")) {
      NodeSettings settings = TestNodes.settings(dir, "named", role);
      NamedNode spi =
          assertInstanceOf(
              NamedNode.class,
              NodeConfigs.of(settings, new GroupCommit()).getLoadBalancingSpi()[0]);
      ClusterNode one = unheardOf();
      ClusterNode other = unheardOf();
      assertSame(one, spi.getBalancedNode(null, List.of(one), null));
      ClusterNode chosen = spi.getBalancedNode(null, List.of(one, other), null);
      assertTrue(chosen == one || chosen == other);
    }
  }

  @Test
  void aNodeThatHearsOfItsReturnLateCallsThoseThatJoinedMeanwhile() {
    try (Ignite ignite = TestNodes.embedded(dir, "late-return")) {
      ClusterNode local = ignite.cluster().localNode();
      DiscoveryEvent late =
          new DiscoveryEvent(local, "", EventType.EVT_CLIENT_NODE_RECONNECTED, local);
      // The nodes of that time: the one that is called now was not among them.
      late.topologySnapshot(1, List.of());
      ((IgniteEx) ignite).context().event().record(late);
      assertEquals(
          7, ignite.compute(ignite.cluster().forLocal()).withNoFailover().callAsync(() -> 7).get());
    }
  }
}
