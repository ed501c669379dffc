package org.ignitetasks.node;

import java.net.BindException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.internal.util.typedef.X;
import org.apache.ignite.spi.IgniteSpiException;
import org.ignitetasks.gateway.Gateway;
import org.ignitetasks.home.HomeRegistry;
import org.ignitetasks.home.HomeSettings;
import org.ignitetasks.home.PastHomes;
import org.ignitetasks.home.RecordStore;
import org.ignitetasks.ledger.ClusterLedger;
import org.ignitetasks.ledger.Commit;
import org.ignitetasks.ledger.CommitLog;
import org.ignitetasks.ledger.Ledger;
import org.ignitetasks.ledger.LoneLedger;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionSink;
import org.ignitetasks.protocol.Controls;
import org.ignitetasks.protocol.Gateways;
import org.ignitetasks.protocol.HomeRouter;
import org.ignitetasks.protocol.Repeats;
import org.ignitetasks.protocol.SharedApis;
import org.ignitetasks.protocol.Workers;
import org.ignitetasks.shared.ClusterRates;
import org.ignitetasks.shared.EventLog;
import org.ignitetasks.shared.Housekeeper;
import org.ignitetasks.shared.SettingsStore;
import org.ignitetasks.worker.FileBlobStore;
import org.ignitetasks.worker.IgniteBlobStore;
import org.ignitetasks.worker.LaneServer;
import org.ignitetasks.worker.WorkerNode;

/**
 * One JVM put together: Ignite, the home (where there is data), the gateway and the lane, started
 * in the order in which they need each other and stopped in the reverse.
 */
final class Node {
  private static final Logger LOG = Logger.getLogger("ignitetasks.node");
  private static final long CALL_MILLIS = 10_000;
  private static final int TOKEN_BYTES = 32;

  /** Breaks the circle of home, which tells the gateway, and gateway, which asks the home. */
  private static final class LateSink implements CompletionSink {
    private volatile CompletionSink gateway;

    @Override
    public void completed(long session, List<Completion> completions) {
      if (gateway != null) {
        gateway.completed(session, completions);
      }
    }

    @Override
    public void mayHaveMissed() {
      if (gateway != null) {
        gateway.mayHaveMissed();
      }
    }
  }

  private final NodeSettings settings;
  private final InstanceFiles files;
  private final long startedMillis = System.currentTimeMillis();
  private final GroupCommit commits = new GroupCommit();
  private final CountDownLatch stopAsked = new CountDownLatch(1);
  private Ignite ignite;
  private Ledger rows;
  private HomeRegistry home;
  private WorkerNode workers;
  private Gateway gateway;
  private LaneServer lane;
  private Topology topology;
  private DeadClients deadClients;
  private Rehearsal rehearsal;
  private BlobStore blobs;
  private Housekeeper housekeeper;
  private Controls controls;
  private EventLog events;

  Node(NodeSettings settings) {
    this.settings = settings;
    this.files = new InstanceFiles(settings);
  }

  /** Starts everything and publishes the connection file; returns the gateway's port. */
  int start() {
    files.open();
    startIgnite();
    Joining.join(ignite, settings);
    LateSink sink = new LateSink();
    Joining.makeCaches(ignite, settings);
    IgniteCache<String, byte[]> ledger = cache(NodeConfigs.LEDGER);
    HomeEpochs epochs = new HomeEpochs(ignite, cache(NodeConfigs.META));
    blobs = blobs();
    Gateways gateways = new Gateways(ignite, sink);
    HomeRouter router =
        new HomeRouter(ignite, ledger.getName(), new Repeats(CALL_MILLIS), settings.embedded());
    events =
        new EventLog(
            ignite,
            () -> cache(NodeConfigs.EVENTS),
            settings.power() ? commits::run : Runnable::run,
            new Repeats(CALL_MILLIS));
    workers = new WorkerNode(router, ignite.cluster().localNode().id(), events::offer);
    Workers links = new Workers(ignite, workers);
    RecordStore store = null;
    if (settings.hasData()) {
      rows = rows(ledger);
      store = new RecordStore(rows);
      home = new HomeRegistry(HomeSettings.defaults(), store, blobs, links, gateways);
      home.others(router);
      home.past(settings.embedded() ? PastHomes.NONE : epochs);
      links.home(home);
    } else {
      links.home(router);
    }
    SettingsStore shared =
        new SettingsStore(ignite, () -> cache(NodeConfigs.SETTINGS), new Repeats(CALL_MILLIS));
    if (home != null) {
      home.rates(new ClusterRates(shared, System::currentTimeMillis));
    }
    router.publish(home, workers, workers::metrics);
    topology = new Topology(ignite, settings, epochs, store, home, sink, gateways, router);
    topology.start();
    if (home != null) {
      home.start();
    }
    if (home != null && !settings.embedded()) {
      deadClients = new DeadClients(ignite);
      deadClients.start();
    }
    return listen(router, shared(shared), sink);
  }

  private SharedApis shared(SettingsStore store) {
    if (settings.hasData()) {
      housekeeper =
          new Housekeeper(
              List.of(() -> store.sweep(primaries(NodeConfigs.SETTINGS)), this::trimEvents));
      housekeeper.start();
    }
    controls = new Controls(ignite, workers);
    return new SharedApis(store, controls, events);
  }

  private void trimEvents() {
    // One node of the cluster is enough: that which has the rows.
    if (ignite
        .affinity(settings.cache(NodeConfigs.EVENTS))
        .isPrimary(ignite.cluster().localNode(), EventLog.PLACE)) {
      events.trim();
    }
  }

  private int[] primaries(String kind) {
    return ignite
        .<String>affinity(settings.cache(kind))
        .primaryPartitions(ignite.cluster().localNode());
  }

  private BlobStore blobs() {
    if (settings.embedded()) {
      return new FileBlobStore(settings.storeDir().resolve("blobs"), settings.power());
    }
    return new IgniteBlobStore(cache(NodeConfigs.CHUNKS), cache(NodeConfigs.SEALS));
  }

  private IgniteCache<String, byte[]> cache(String kind) {
    return ignite.cache(settings.cache(kind));
  }

  private void startIgnite() {
    try {
      ignite = startOrRejoin();
      // When Ignite ends by itself (a full disk, a lost cluster) nothing here can go on.
      Ignition.addListener((name, state) -> askStop());
      if (settings.embedded()) {
        CalmClock.takeOver();
      }
    } catch (IgniteException e) {
      throw startFailure(e);
    }
  }

  private Ignite startOrRejoin() {
    try {
      return Ignition.start(NodeConfigs.of(settings, commits));
    } catch (IgniteException e) {
      if (settings.hasData() && MetastorageCopy.isRefused(e)) {
        return Ignition.start(MetastorageCopy.forgotten(NodeConfigs.of(settings, commits)));
      }
      if (settings.hasData() && BaselineHistory.isTorn(e)) {
        IgniteConfiguration config = NodeConfigs.of(settings, commits);
        if (BaselineHistory.awaitOthers(config)) {
          return BaselineHistory.startWithout(config);
        }
      }
      throw e;
    }
  }

  private TasksException startFailure(IgniteException e) {
    String trace = String.valueOf(X.getFullStackTrace(e));
    if (X.hasCause(e, BindException.class) || trace.contains("Failed to bind")) {
      return new TasksException(Code.PORT_TAKEN, Ports.taken(settings), e);
    }
    if (X.hasCause(e, IgniteSpiException.class) && !settings.hasData()) {
      return new TasksException(
          Code.CLUSTER_UNREACHABLE,
          "no data node answers at "
              + settings.addresses
              + ": start one with `ignitetasks node run`",
          e);
    }
    if (trace.contains("No space left")) {
      return new TasksException(
          Code.DISK_FULL, "the disk of " + settings.instanceDir + " is full: free some space", e);
    }
    return new TasksException(Code.INTERNAL, "Ignite did not start: " + e.getMessage(), e);
  }

  private int listen(HomeRouter router, SharedApis shared, LateSink sink) {
    String token = token();
    Map<String, Object> facts = facts();
    gateway =
        new Gateway(
            router,
            shared,
            settings.embedded() ? constant(id()) : () -> inCluster(this::id),
            () -> inCluster(this::info),
            stopAsked::countDown);
    sink.gateway = gateway;
    int port = gateway.start("127.0.0.1", settings.gatewayPort, token);
    lane = new LaneServer(Path.of(settings.lane), token, workers, blobs);
    facts.put("host", "127.0.0.1");
    facts.put("port", port);
    facts.put("token", token);
    facts.put("lane", settings.lane);
    files.publish(facts);
    if (settings.embedded()) {
      rehearsal = rehearsal();
      rehearsal.start();
    }
    return port;
  }

  private Ledger rows(IgniteCache<String, byte[]> ledger) {
    if (!settings.embedded()) {
      return new ClusterLedger(ignite, ledger, commit());
    }
    CommitLog log = new CommitLog(settings.storeDir().resolve("log"), settings.power());
    return new LoneLedger(ignite, ledger, commit(), log);
  }

  private Rehearsal rehearsal() {
    return new Rehearsal(
        ignite,
        cache(NodeConfigs.STAGE),
        commits.unpromised(),
        blobs,
        Path.of(settings.lane).resolveSibling("r"),
        settings.storeDir().resolve("rehearsal"),
        gateway::quietMillis);
  }

  private Commit commit() {
    return settings.power() ? commits : Commit.PLAIN;
  }

  private UUID id() {
    return ignite.cluster().localNode().id();
  }

  private static <T> Supplier<T> constant(T value) {
    return () -> value;
  }

  /** A client node that is cut off does not even know itself: callers shall try again. */
  private static <T> T inCluster(Supplier<T> question) {
    try {
      return question.get();
    } catch (IgniteException | IllegalStateException e) {
      throw new TasksException(
          Code.UNAVAILABLE, "this node has lost its cluster and looks for it: try again", e);
    }
  }

  private static String token() {
    byte[] bytes = new byte[TOKEN_BYTES];
    new SecureRandom().nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }

  private Map<String, Object> facts() {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("protocol", 1);
    facts.put("version", settings.version);
    facts.put("pid", ProcessHandle.current().pid());
    facts.put("role", settings.role);
    facts.put("data_dir", settings.instanceDir);
    facts.put("durability", settings.durability);
    facts.put("cluster_id", String.valueOf(ignite.cluster().id()));
    facts.put("node", settings.name);
    facts.put("namespace", settings.namespace);
    facts.put("thin_port", settings.thinPort());
    facts.put("started_at", startedMillis);
    return facts;
  }

  private Map<String, Object> info() {
    Map<String, Object> info = facts();
    Runtime runtime = Runtime.getRuntime();
    info.put("name", settings.name);
    info.put("lane", settings.lane);
    info.put("uptime_ms", System.currentTimeMillis() - startedMillis);
    info.put("heap_used", runtime.totalMemory() - runtime.freeMemory());
    info.put("heap_max", runtime.maxMemory());
    info.put("nodes", ignite.cluster().forServers().nodes().size());
    info.put("events_dropped", events.dropped());
    info.put("active", ignite.cluster().state().active());
    return info;
  }

  /** Waits until somebody asks this JVM to stop or nobody has used it for as long as was set. */
  void awaitStop() throws InterruptedException {
    while (!stopAsked.await(1, TimeUnit.SECONDS)) {
      if (idle()) {
        LOG.info("nobody has used this node for " + settings.idleExitSeconds + " s: it stops");
        return;
      }
    }
  }

  /** Asks this JVM to stop. */
  void askStop() {
    stopAsked.countDown();
  }

  private boolean idle() {
    return settings.idleExitSeconds > 0
        && !settings.lifeline
        && !settings.role.equals("data")
        && gateway.connectionCount() == 0
        && lane.connectionCount() == 0
        && gateway.idleMillis() > settings.idleExitSeconds * 1000L;
  }

  /** Stops everything; each part even if another one fails. */
  void stop() {
    files.unpublish();
    quietly(rehearsal == null ? null : rehearsal::stop);
    quietly(lane == null ? null : lane::stopListening);
    quietly(controls == null ? null : controls::close);
    quietly(events == null ? null : events::close);
    quietly(gateway == null ? null : gateway::stop);
    quietly(lane == null ? null : lane::close);
    quietly(workers == null ? null : workers::close);
    quietly(housekeeper == null ? null : housekeeper::stop);
    quietly(home == null ? null : home::stop);
    quietly(rows == null ? null : rows::close);
    quietly(topology == null ? null : topology::stop);
    quietly(deadClients == null ? null : deadClients::stop);
    quietly(() -> Ignition.stop("ignitetasks", true));
    files.removeLaneFolder();
  }

  private static void quietly(Runnable step) {
    if (step == null) {
      return;
    }
    try {
      step.run();
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "a part did not stop cleanly", e);
    }
  }
}
