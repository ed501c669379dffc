package org.ignitetasks.node;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.BaselineNode;
import org.apache.ignite.cluster.ClusterNode;
import org.ignitetasks.model.TasksException;

/**
 * Which data nodes hold the cluster's data. A node enters by itself; one that stays away is taken
 * out by the oldest of the others, so that new copies are made, and one that restarts is not.
 *
 * <p>Ignite could adjust the baseline by itself, but keeps the switch for that in its distributed
 * metastorage: each node that joins would write there, and Ignite refuses a node that has on disk
 * what the others had no time to write. So nothing here writes there.
 */
final class Baseline {
  private static final Logger LOG = Logger.getLogger("ignitetasks.topology");
  private static final int TRIES = 200;
  private static final long PAUSE_MILLIS = 50;
  private static final long LOOK_NANOS = 500_000_000L;

  private final Ignite ignite;
  private final String cache;
  private final long awayNanos;
  private final LongSupplier nanos;
  private final Map<Object, Long> awaySince = new HashMap<>();
  private long nextLook;

  /**
   * @param cache one of the caches: while it has lost partitions nobody is taken out
   * @param awayNanos how long a node may be away before its data is copied elsewhere
   */
  Baseline(Ignite ignite, String cache, long awayNanos, LongSupplier nanos) {
    this.ignite = ignite;
    this.cache = cache;
    this.awayNanos = awayNanos;
    this.nanos = nanos;
    this.nextLook = nanos.getAsLong();
  }

  /** Enters the baseline; of several nodes that do so at once one succeeds and the others retry. */
  static void enter(Ignite ignite) {
    IgniteException failed = null;
    for (int i = 0; i < TRIES; i++) {
      Collection<BaselineNode> now = ignite.cluster().currentBaselineTopology();
      if (ids(now).contains(ignite.cluster().localNode().consistentId())) {
        return;
      }
      List<BaselineNode> wider = new ArrayList<>(now);
      wider.add(ignite.cluster().localNode());
      try {
        ignite.cluster().setBaselineTopology(wider);
      } catch (IgniteException e) {
        failed = e;
        Joining.pause(PAUSE_MILLIS);
      }
    }
    throw new TasksException(
        TasksException.Code.UNAVAILABLE,
        "this node could not join the baseline: try again",
        failed);
  }

  private static Set<Object> ids(Collection<? extends BaselineNode> nodes) {
    Set<Object> ids = new HashSet<>();
    nodes.forEach(node -> ids.add(node.consistentId()));
    return ids;
  }

  /** Sees who is away and for how long; to be called again and again, by one thread. */
  void look() {
    long now = nanos.getAsLong();
    if (now - nextLook < 0 || !ignite.cluster().state().active()) {
      return;
    }
    nextLook = now + LOOK_NANOS;
    Collection<BaselineNode> baseline = ignite.cluster().currentBaselineTopology();
    Collection<ClusterNode> servers = ignite.cluster().forServers().nodes();
    Set<Object> present = ids(servers);
    awaySince.keySet().retainAll(ids(baseline));
    awaySince.keySet().removeAll(present);
    List<BaselineNode> staying = new ArrayList<>();
    List<Object> gone = new ArrayList<>();
    for (BaselineNode node : baseline) {
      if (present.contains(node.consistentId())) {
        staying.add(node);
      } else if (now - awaySince.computeIfAbsent(node.consistentId(), id -> now) >= awayNanos) {
        gone.add(node.consistentId());
      } else {
        staying.add(node);
      }
    }
    try {
      if (!gone.isEmpty() && isOldest(servers) && hasEverything()) {
        ignite.cluster().setBaselineTopology(staying);
        LOG.info("data nodes that stay away are replaced by new copies: " + gone);
      }
    } catch (IgniteException e) {
      LOG.log(Level.FINE, "the baseline could not be changed now; trying again", e);
    }
  }

  private boolean isOldest(Collection<ClusterNode> servers) {
    long own = ignite.cluster().localNode().order();
    return servers.stream().allMatch(node -> node.order() >= own);
  }

  /** What only a node that is away has must not be given up: without it nothing is changed. */
  private boolean hasEverything() {
    return ignite.cache(cache).lostPartitions().isEmpty();
  }
}
