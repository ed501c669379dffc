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
import org.ignitetasks.protocol.CompletionSink;

/**
 * Keeps a node's part in the cluster up to date: which partitions its home owns, who has left, who
 * belongs to the baseline. Discovery's listener only enqueues; one thread here does the work.
 */
final class Topology {
  private static final Logger LOG = Logger.getLogger("ignitetasks.topology");
  private static final long LOOK_MILLIS = 100;
  private static final long LOOK_ALONE_MILLIS = 1_000;
  private static final String EPOCH = "home-epoch";

  private final Ignite ignite;
  private final NodeSettings settings;
  private final IgniteCache<String, byte[]> meta;
  private final RecordStore store;
  private final HomeRegistry home;
  private final CompletionSink gateway;
  private final LinkedBlockingQueue<UUID> left = new LinkedBlockingQueue<>();
  private volatile boolean stopped;
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
      CompletionSink gateway) {
    this.ignite = ignite;
    this.settings = settings;
    this.meta = meta;
    this.store = store;
    this.home = home;
    this.gateway = gateway;
  }

  /** Activates a cluster that never was, and joins the baseline of one that is. */
  static void join(Ignite ignite, NodeSettings settings) {
    if (!settings.hasData()) {
      return;
    }
    boolean never = ignite.cluster().currentBaselineTopology() == null;
    if (settings.embedded() || never) {
      ignite.cluster().state(ClusterState.ACTIVE);
    }
    if (settings.embedded()) {
      return;
    }
    if (never) {
      // A node that stays away is replaced by new copies elsewhere; one that restarts is not.
      ignite.cluster().baselineAutoAdjustTimeout(60_000);
      ignite.cluster().baselineAutoAdjustEnabled(true);
    }
    joinBaseline(ignite);
  }

  private static void joinBaseline(Ignite ignite) {
    Collection<BaselineNode> baseline = ignite.cluster().currentBaselineTopology();
    Object own = ignite.cluster().localNode().consistentId();
    if (baseline == null || baseline.stream().anyMatch(n -> own.equals(n.consistentId()))) {
      return;
    }
    List<BaselineNode> wider = new ArrayList<>(baseline);
    wider.add(ignite.cluster().localNode());
    boolean adjust = ignite.cluster().isBaselineAutoAdjustEnabled();
    ignite.cluster().baselineAutoAdjustEnabled(false);
    try {
      ignite.cluster().setBaselineTopology(wider);
    } finally {
      ignite.cluster().baselineAutoAdjustEnabled(adjust);
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
        refresh();
        if (gone != null && home != null) {
          home.nodeLeft(gone);
        }
        long now = ignite.cluster().topologyVersion();
        if (now != version) {
          version = now;
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

  private void refresh() {
    if (home == null) {
      return;
    }
    int[] partitions = store.primaryPartitions();
    if (!home.owns(partitions)) {
      home.own(partitions, nextEpoch());
      gateway.mayHaveMissed();
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
