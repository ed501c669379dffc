package org.ignitetasks.node;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.logging.Logger;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.BaselineNode;
import org.apache.ignite.cluster.ClusterState;
import org.ignitetasks.model.TasksException;

/**
 * What a node does before it takes part: activation, baseline, caches. Several may do so at once.
 */
final class Joining {
  private static final Logger LOG = Logger.getLogger("ignitetasks.topology");
  private static final long PAUSE_MILLIS = 50;
  private static final long SAY_NANOS = 5_000_000_000L;
  private static final int CACHE_TRIES = 200;

  private Joining() {}

  /** Activates a cluster that never was, and joins the baseline of one that is. */
  static void join(Ignite ignite, NodeSettings settings) {
    boolean never = ignite.cluster().currentBaselineTopology() == null;
    if (settings.embedded() || (never && settings.hasData())) {
      ignite.cluster().state(ClusterState.ACTIVE);
    }
    if (settings.embedded()) {
      return;
    }
    awaitActive(ignite);
    if (settings.hasData()) {
      Baseline.enter(ignite);
    }
  }

  /**
   * Waits until the cluster is active. After all data nodes were down it is so by itself once all
   * of them are back, and not before: one that is still away may hold what the others have not
   * seen.
   */
  static void awaitActive(Ignite ignite) {
    long say = System.nanoTime();
    while (!ignite.cluster().state().active()) {
      if (System.nanoTime() >= say) {
        LOG.info("the cluster waits for its other data nodes: " + missing(ignite));
        say += SAY_NANOS;
      }
      pause(PAUSE_MILLIS);
    }
  }

  /**
   * Makes the caches where they are not there yet; refused while another node joins the baseline.
   */
  static void makeCaches(Ignite ignite, NodeSettings settings) {
    for (int i = 1; ; i++) {
      try {
        ignite.getOrCreateCaches(List.copyOf(NodeConfigs.caches(settings)));
        return;
      } catch (CacheException | IgniteException e) {
        if (settings.embedded() || i == CACHE_TRIES) {
          throw e;
        }
        pause(PAUSE_MILLIS);
      }
    }
  }

  private static List<String> missing(Ignite ignite) {
    List<String> names = new ArrayList<>();
    Collection<BaselineNode> baseline = ignite.cluster().currentBaselineTopology();
    for (BaselineNode node : baseline == null ? List.<BaselineNode>of() : baseline) {
      if (ignite.cluster().forServers().nodes().stream()
          .noneMatch(n -> n.consistentId().equals(node.consistentId()))) {
        names.add(String.valueOf(node.consistentId()));
      }
    }
    return names;
  }

  /** Sleeps, and gives up when this node stops. */
  static void pause(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping", e);
    }
  }
}
