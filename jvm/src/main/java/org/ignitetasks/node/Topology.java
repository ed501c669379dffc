package org.ignitetasks.node;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.BaselineNode;
import org.apache.ignite.cluster.ClusterState;
import org.apache.ignite.events.DiscoveryEvent;
import org.apache.ignite.events.EventType;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.ignitetasks.home.HomeRegistry;
import org.ignitetasks.home.RecordStore;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.CompletionSink;
import org.ignitetasks.protocol.Gateways;

/**
 * Keeps a node's part in the cluster up to date: which partitions its home owns, who has left, who
 * belongs to the baseline. Discovery's listener only enqueues; one thread here does the work.
 */
final class Topology {
  private static final Logger LOG = Logger.getLogger("ignitetasks.topology");
  private static final long LOOK_MILLIS = 100;
  private static final long LOOK_ALONE_MILLIS = 1_000;
  private static final long ACTIVE_LOOK_MILLIS = 50;
  private static final long ACTIVE_SAY_MILLIS = 5_000;
  private static final int JOIN_TRIES = 50;
  private static final int CACHE_TRIES = 200;
  private static final long ADJUST_MILLIS = 60_000;
  private static final String EPOCH = "home-epoch";

  private final Ignite ignite;
  private final NodeSettings settings;
  private final IgniteCache<String, byte[]> meta;
  private final RecordStore store;
  private final HomeRegistry home;
  private final CompletionSink gateway;
  private final Gateways gateways;
  private final LinkedBlockingQueue<UUID> left = new LinkedBlockingQueue<>();
  private volatile boolean stopped;
  private volatile boolean reconnected;
  private Thread thread;

  /**
   * @param store null on a client node, as is {@code home}
   */
  Topology(
      Ignite ignite,
      NodeSettings settings,
      IgniteCache<String, byte[]> meta,
      RecordStore store,
      HomeRegistry home,
      CompletionSink gateway,
      Gateways gateways) {
    this.ignite = ignite;
    this.settings = settings;
    this.meta = meta;
    this.store = store;
    this.home = home;
    this.gateway = gateway;
    this.gateways = gateways;
  }

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
      joinBaseline(ignite);
    }
  }

  /**
   * Waits until the cluster is active. After all data nodes were down it is so by itself once all
   * of them are back, and not before: one that is still away may hold what the others have not
   * seen.
   */
  private static void awaitActive(Ignite ignite) {
    long say = System.nanoTime();
    while (!ignite.cluster().state().active()) {
      if (System.nanoTime() >= say) {
        LOG.info("the cluster waits for its other data nodes: " + missing(ignite));
        say += ACTIVE_SAY_MILLIS * 1_000_000;
      }
      pause();
    }
  }

  /** Makes the caches where they are not there yet; refused while another node joins the baseline. */
  static void makeCaches(Ignite ignite, NodeSettings settings) {
    for (int i = 1; ; i++) {
      try {
        ignite.getOrCreateCaches(List.copyOf(NodeConfigs.caches(settings)));
        return;
      } catch (CacheException | IgniteException e) {
        if (settings.embedded() || i == CACHE_TRIES) {
          throw e;
        }
        pause();
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

  private static void pause() {
    try {
      Thread.sleep(ACTIVE_LOOK_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping", e);
    }
  }

  /** Joins the baseline; several nodes may do so at once, and then overwrite each other's. */
  private static void joinBaseline(Ignite ignite) {
    Object own = ignite.cluster().localNode().consistentId();
    IgniteException failed = null;
    for (int i = 0; i < JOIN_TRIES; i++) {
      Collection<BaselineNode> baseline = ignite.cluster().currentBaselineTopology();
      if (baseline.stream().anyMatch(n -> own.equals(n.consistentId()))) {
        adjustLater(ignite);
        return;
      }
      List<BaselineNode> wider = new ArrayList<>(baseline);
      wider.add(ignite.cluster().localNode());
      try {
        ignite.cluster().baselineAutoAdjustEnabled(false);
        ignite.cluster().setBaselineTopology(wider);
      } catch (IgniteException e) {
        failed = e;
        pause();
      }
    }
    throw new TasksException(
        TasksException.Code.UNAVAILABLE,
        "this node could not join the baseline: try again",
        failed);
  }

  /** A node that stays away is replaced by new copies elsewhere; one that restarts is not. */
  private static void adjustLater(Ignite ignite) {
    if (!ignite.cluster().isBaselineAutoAdjustEnabled()) {
      ignite.cluster().baselineAutoAdjustTimeout(ADJUST_MILLIS);
      ignite.cluster().baselineAutoAdjustEnabled(true);
    }
  }

  void start() {
    ignite
        .events()
        .localListen(
            event -> {
              left.add(((DiscoveryEvent) event).eventNode().id());
              return true;
            },
            EventType.EVT_NODE_LEFT,
            EventType.EVT_NODE_FAILED);
    ignite
        .events()
        .localListen(
            event -> {
              reconnected = true;
              return true;
            },
            EventType.EVT_CLIENT_NODE_RECONNECTED);
    refresh();
    thread = new Thread(this::watch, "ignitetasks-topology");
    thread.setDaemon(true);
    thread.start();
  }

  void stop() {
    stopped = true;
    if (thread != null) {
      thread.interrupt();
    }
  }

  private void watch() {
    long version = ignite.cluster().topologyVersion();
    while (!stopped) {
      try {
        UUID gone =
            left.poll(settings.embedded() ? LOOK_ALONE_MILLIS : LOOK_MILLIS, TimeUnit.MILLISECONDS);
        if (gone != null && home != null) {
          nodeLeft(gone);
        }
        refresh();
        long now = ignite.cluster().topologyVersion();
        if (now != version || reconnected) {
          version = now;
          reconnected = false;
          gateway.mayHaveMissed();
        }
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        if (!stopped) {
          LOG.log(Level.WARNING, "the topology could not be followed; trying again", e);
        }
      }
    }
  }

  private void nodeLeft(UUID gone) {
    try {
      home.nodeLeft(gone);
    } catch (TasksException e) {
      // The ledger was not to be had just now: the home finds leases without a worker by itself.
      LOG.log(Level.INFO, "what a node held could not be put back yet", e);
    }
  }

  private void refresh() {
    if (home == null) {
      return;
    }
    int[] partitions = store.primaryPartitions();
    if (!home.owns(partitions)) {
      // The new placement can be seen before the partitions have been exchanged, that is before
      // what
      // the old home was committing is settled here. The epoch's transaction waits for the
      // exchange.
      long epoch = nextEpoch();
      home.own(partitions, epoch);
      gateways.homeMoved();
      LOG.info("home of " + partitions.length + " partitions");
    }
  }

  /** Returns a number that no home of this cluster has had. */
  private long nextEpoch() {
    try (Transaction tx =
        ignite
            .transactions()
            .txStart(TransactionConcurrency.PESSIMISTIC, TransactionIsolation.REPEATABLE_READ)) {
      byte[] stored = meta.get(EPOCH);
      long next = stored == null ? 1 : ByteBuffer.wrap(stored).getLong() + 1;
      meta.put(EPOCH, ByteBuffer.allocate(Long.BYTES).putLong(next).array());
      tx.commit();
      return next;
    } catch (IgniteException e) {
      throw new IllegalStateException("the home epoch could not be written", e);
    }
  }
}
