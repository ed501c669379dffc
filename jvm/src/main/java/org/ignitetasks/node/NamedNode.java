package org.ignitetasks.node;

import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.compute.ComputeJob;
import org.apache.ignite.compute.ComputeTaskSession;
import org.apache.ignite.spi.IgniteSpiAdapter;
import org.apache.ignite.spi.IgniteSpiMultipleInstancesSupport;
import org.apache.ignite.spi.loadbalancing.LoadBalancingSpi;

/**
 * Sends a call to the node it names: each call here names one.
 *
 * <p>Ignite's own class keeps a list of the nodes it has heard of, and refuses others. A client
 * node that comes back to a cluster of which another data node joins a moment later may hear of
 * that one first and then of its own return, with the nodes of that time: the other one was off the
 * list for good, and every call to it failed at once, in silence.
 */
@IgniteSpiMultipleInstancesSupport(true)
final class NamedNode extends IgniteSpiAdapter implements LoadBalancingSpi {
  @Override
  public void spiStart(String igniteInstanceName) {
    // Nothing to keep.
  }

  @Override
  public void spiStop() {
    // Nothing was kept.
  }

  @Override
  public ClusterNode getBalancedNode(
      ComputeTaskSession session, List<ClusterNode> nodes, ComputeJob job) {
    return nodes.get(nodes.size() == 1 ? 0 : ThreadLocalRandom.current().nextInt(nodes.size()));
  }
}
