package org.ignitetasks.node;

import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteClientDisconnectedException;
import org.apache.ignite.events.DiscoveryEvent;
import org.apache.ignite.events.EventType;
import org.apache.ignite.internal.util.typedef.X;
import org.ignitetasks.home.HomeRegistry;
import org.ignitetasks.home.RecordStore;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.CompletionSink;
import org.ignitetasks.protocol.Gateways;
import org.ignitetasks.protocol.HomeRouter;

/**
 * Keeps a node's part in the cluster up to date: which partitions its home owns, who has left, who
 * belongs to the baseline. Discovery's listener only enqueues; one thread here does the work.
 */
final class Topology {
  private static final Logger LOG = Logger.getLogger("ignitetasks.topology");
  private static final long LOOK_MILLIS = 100;
  private static final long LOOK_ALONE_MILLIS = 1_000;
  private static final long AWAY_NANOS = 60_000_000_000L;
  private static final long SLOW_NANOS = 15_000_000_000L;
  private static final long SLOW_LOOK_MILLIS = 1_000;

  private final Ignite ignite;
  private final NodeSettings settings;
  private final HomeEpochs epochs;
  private final RecordStore store;
  private final HomeRegistry home;
  private final CompletionSink gateway;
  private final Gateways gateways;
  private final HomeRouter router;
  private final Baseline baseline;
  private final LinkedBlockingQueue<UUID> left = new LinkedBlockingQueue<>();
  private final SlowRounds rounds = new SlowRounds(SLOW_NANOS);
  private volatile boolean stopped;
  private volatile boolean reconnected;
  private Thread thread;
  private Thread watcher;

  /**
   * @param store null on a client node, as is {@code home}
   */
  Topology(
      Ignite ignite,
      NodeSettings settings,
      HomeEpochs epochs,
      RecordStore store,
      HomeRegistry home,
      CompletionSink gateway,
      Gateways gateways,
      HomeRouter router) {
    this.ignite = ignite;
    this.settings = settings;
    this.epochs = epochs;
    this.store = store;
    this.home = home;
    this.gateway = gateway;
    this.gateways = gateways;
    this.router = router;
    this.baseline =
        settings.hasData() && !settings.embedded()
            ? new Baseline(ignite, settings.cache(NodeConfigs.LEDGER), AWAY_NANOS, System::nanoTime)
            : null;
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
    if (settings.embedded()) {
      refresh();
    }
    thread = new Thread(this::watch, "ignitetasks-topology");
    thread.setDaemon(true);
    thread.start();
    // A lone node has nobody to wait for.
    if (!settings.embedded()) {
      watcher = new Thread(this::watchRounds, "ignitetasks-topology-rounds");
      watcher.setDaemon(true);
      watcher.start();
    }
  }

  private void watchRounds() {
    try {
      while (!stopped) {
        Thread.sleep(SLOW_LOOK_MILLIS);
        String said = rounds.look(System.nanoTime());
        if (said != null) {
          LOG.warning("the topology is not followed: " + said);
        }
      }
    } catch (InterruptedException e) {
      // The node stops.
    }
  }

  void stop() {
    stopped = true;
    if (thread != null) {
      thread.interrupt();
    }
    if (watcher != null) {
      watcher.interrupt();
    }
  }

  private void watch() {
    long version = ignite.cluster().topologyVersion();
    while (!stopped) {
      try {
        UUID gone =
            left.poll(settings.embedded() ? LOOK_ALONE_MILLIS : LOOK_MILLIS, TimeUnit.MILLISECONDS);
        rounds.begin(System.nanoTime());
        if (gone != null && home != null) {
          nodeLeft(gone);
        }
        if (reconnected) {
          comeBack();
        }
        refresh();
        if (baseline != null) {
          baseline.look();
        }
        long now = ignite.cluster().topologyVersion();
        if (now != version) {
          version = now;
          gateway.mayHaveMissed();
        }
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        if (!stopped && !X.hasCause(e, IgniteClientDisconnectedException.class)) {
          LOG.log(Level.WARNING, "the topology could not be followed; trying again", e);
        }
      } finally {
        rounds.end();
      }
    }
  }

  /**
   * Goes on after this client node was cut off. It may have come back to a cluster that was started
   * again meanwhile, where its caches have to be opened anew.
   */
  private void comeBack() {
    // First: it may be cut off again meanwhile, and what is opened here is then not the last.
    reconnected = false;
    try {
      Joining.awaitActive(ignite);
      Joining.makeCaches(ignite, settings);
      router.reconnected();
    } catch (RuntimeException e) {
      reconnected = true;
      throw e;
    }
    gateway.mayHaveMissed();
    LOG.info("back in the cluster");
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
    while (!home.owns(partitions)) {
      long epoch = epochs.next();
      int[] since = store.primaryPartitions();
      if (Arrays.equals(partitions, since)) {
        home.own(partitions, epoch);
        gateways.homeMoved();
        LOG.info("home of " + partitions.length + " partitions");
      }
      // Where one has moved meanwhile its new home may have the lower epoch: another one is taken.
      partitions = since;
    }
  }
}
