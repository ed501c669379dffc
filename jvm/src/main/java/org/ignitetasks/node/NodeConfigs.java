package org.ignitetasks.node;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.PartitionLossPolicy;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.ClientConnectorConfiguration;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.ExecutorConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.configuration.TransactionConfiguration;
import org.apache.ignite.configuration.WALMode;
import org.apache.ignite.failure.StopNodeOrHaltFailureHandler;
import org.apache.ignite.internal.processors.cache.persistence.file.FileIOFactory;
import org.apache.ignite.logger.java.JavaLogger;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;

/**
 * The only builder of Ignite configuration. Every default that loses data or opens a door is set
 * here by hand, with the reason beside it.
 */
final class NodeConfigs {
  static final String LOOPBACK = "127.0.0.1";
  static final int DISCOVERY_PORT = 47500;
  private static final int COMMUNICATION_PORT = 47100;
  private static final long MIB = 1L << 20;
  private static final int WAL_SEGMENT_MIB = 32;
  private static final int WAL_SEGMENTS = 6;
  private static final int WAL_MAX_MIB = 1024;

  /** The data region of what is not kept. */
  private static final String MEMORY = "memory";

  private static final int MEMORY_MIB = 16;

  private NodeConfigs() {}

  static IgniteConfiguration of(NodeSettings s, FileIOFactory files) {
    IgniteConfiguration config =
        new IgniteConfiguration()
            .setIgniteInstanceName("ignitetasks")
            .setWorkDirectory(workDir(s).toString())
            .setLocalHost(s.localHost)
            .setGridLogger(new JavaLogger(Logger.getLogger("org.apache.ignite"), false))
            // The REST connector is on by default and asks nobody for a password.
            .setConnectorConfiguration(null)
            .setPeerClassLoadingEnabled(false)
            .setMetricsLogFrequency(0)
            .setClientMode(!s.hasData())
            .setCommunicationSpi(s.embedded() ? new NoCommunicationSpi() : communication(s))
            .setLoadBalancingSpi(new NamedNode())
            // A client that is cut off without a word loses its place as soon as its leases end;
            // one that
            // dies is seen at once, see DeadClients.
            .setClientFailureDetectionTimeout(10_000)
            // A node whose store fails must end; its tasks are then run by others.
            .setFailureHandler(new StopNodeOrHaltFailureHandler(true, 5_000))
            .setTransactionConfiguration(
                new TransactionConfiguration()
                    // A paused client must not hold locks for ever, least of all against a new
                    // node.
                    .setDefaultTxTimeout(5_000)
                    .setTxTimeoutOnPartitionMapExchange(10_000));
    pools(config);
    thinClients(config, s);
    if (s.embedded()) {
      // One node that nobody can join: no discovery port, and none for its communication.
      config.setDiscoverySpi(new LoneDiscovery());
    } else {
      config.setDiscoverySpi(discovery(s));
    }
    if (s.hasData()) {
      // Without a fixed id a restarted node may take another's store.
      config.setConsistentId(s.name).setDataStorageConfiguration(storage(s, files));
    }
    return config;
  }

  private static Path workDir(NodeSettings s) {
    return s.hasData() ? s.storeDir() : Path.of(s.instanceDir, "work");
  }

  private static void pools(IgniteConfiguration config) {
    config
        .setPublicThreadPoolSize(4)
        .setSystemThreadPoolSize(4)
        .setStripedPoolSize(4)
        .setQueryThreadPoolSize(2)
        .setDataStreamerThreadPoolSize(2)
        .setManagementThreadPoolSize(2)
        .setPeerClassLoadingThreadPoolSize(1)
        .setRebalanceThreadPoolSize(1)
        .setAsyncCallbackPoolSize(2)
        .setExecutorConfiguration(
            new ExecutorConfiguration("ignitetasks-home").setSize(8),
            new ExecutorConfiguration("ignitetasks-bring").setSize(4),
            new ExecutorConfiguration("ignitetasks-worker").setSize(4));
  }

  private static void thinClients(IgniteConfiguration config, NodeSettings s) {
    if (s.thinPort() == 0) {
      config.setClientConnectorConfiguration(null);
      return;
    }
    config.setClientConnectorConfiguration(
        new ClientConnectorConfiguration()
            // Never another address: who reaches this port needs no password.
            .setHost(LOOPBACK)
            .setPort(s.thinPort())
            .setPortRange(0)
            .setJdbcEnabled(false)
            .setOdbcEnabled(false));
  }

  private static TcpCommunicationSpi communication(NodeSettings s) {
    TcpCommunicationSpi spi = new TcpCommunicationSpi();
    spi.setLocalAddress(s.localHost);
    spi.setLocalPort(s.communicationPort > 0 ? s.communicationPort : COMMUNICATION_PORT);
    spi.setSlowClientQueueLimit(10_000);
    return spi;
  }

  private static TcpDiscoverySpi discovery(NodeSettings s) {
    TcpDiscoverySpi spi = new Discovery();
    spi.setLocalAddress(s.localHost);
    if (s.hasData()) {
      spi.setLocalPort(s.discoveryPort > 0 ? s.discoveryPort : DISCOVERY_PORT);
      spi.setLocalPortRange(0);
    }
    List<String> addresses = new ArrayList<>(s.addresses);
    TcpDiscoveryVmIpFinder finder = new TcpDiscoveryVmIpFinder();
    finder.setAddresses(addresses);
    spi.setIpFinder(finder);
    // A client that finds no data node says so instead of waiting for ever.
    spi.setJoinTimeout(s.hasData() ? 0 : 20_000);
    return spi;
  }

  private static DataStorageConfiguration storage(NodeSettings s, FileIOFactory files) {
    Path store = s.storeDir();
    DataStorageConfiguration storage =
        new DataStorageConfiguration()
            .setFileIOFactory(files)
            .setStoragePath(store.resolve("db").toString())
            .setWalPath(store.resolve("wal").toString())
            .setWalArchivePath(store.resolve("wal").resolve("archive").toString())
            // FSYNC waits for the disk at every commit; LOG_ONLY survives the death of every
            // process, and of a machine only where another one holds a copy.
            .setWalMode(s.power() ? WALMode.FSYNC : WALMode.LOG_ONLY)
            .setWalSegmentSize((int) (WAL_SEGMENT_MIB * MIB))
            .setWalSegments(WAL_SEGMENTS)
            // Ignite's 64 MB are filled up to the end of a segment at each of the start's passes
            // over the log: half a second. A larger record makes it grow.
            .setWalRecordIteratorBufferSize((int) MIB)
            // A checkpoint is forced when a quarter of this has been written since the last one.
            .setMaxWalArchiveSize(WAL_MAX_MIB * MIB)
            .setCheckpointFrequency(60_000)
            .setDefaultDataRegionConfiguration(
                new DataRegionConfiguration()
                    .setName("default")
                    .setPersistenceEnabled(true)
                    .setInitialSize(Math.min(64, s.regionMaxMb) * MIB)
                    .setMaxSize(s.regionMaxMb * MIB));
    if (s.embedded()) {
      storage.setDataRegionConfigurations(
          new DataRegionConfiguration()
              .setName(MEMORY)
              .setInitialSize(MEMORY_MIB * MIB)
              .setMaxSize(MEMORY_MIB * MIB));
    }
    return storage;
  }

  /** One record a task. */
  static final String LEDGER = "ledger";

  /** Parts of large values. */
  static final String CHUNKS = "chunks";

  /** Sizes and checksums of large values. */
  static final String SEALS = "seals";

  /** A few numbers of the cluster itself. */
  static final String META = "meta";

  /** Small values of the cluster, each with a version. */
  static final String SETTINGS = "settings";

  /** The feed of events. */
  static final String EVENTS = "events";

  /** The ledger of a lone node's {@link Rehearsal}: on no disk, or each start would replay it. */
  static final String STAGE = "stage";

  /** All caches; they are made together, which is one exchange and not one for each. */
  static List<CacheConfiguration<String, byte[]>> caches(NodeSettings s) {
    // A lone node keeps large values as files, and a cluster has transactions.
    Stream<String> kinds =
        s.embedded()
            ? Stream.of(LEDGER, META, SETTINGS, EVENTS, STAGE)
            : Stream.of(LEDGER, META, SETTINGS, EVENTS, CHUNKS, SEALS);
    return kinds.map(kind -> cache(s, kind)).toList();
  }

  private static CacheAtomicityMode atomicity(NodeSettings s, String kind) {
    // ATOMIC may apply a change twice, or answer wrongly, when a primary dies; where there is one
    // node only, nobody takes its place, and a row costs a third of what a transaction does.
    boolean atomic = s.embedded() && List.of(LEDGER, STAGE).contains(kind);
    return atomic ? CacheAtomicityMode.ATOMIC : CacheAtomicityMode.TRANSACTIONAL;
  }

  /**
   * One group, one set of partition files: they have the same placement and life. With both kinds
   * of atomicity in one group a node does not start a second time.
   */
  private static String group(NodeSettings s, String kind) {
    return s.cache(atomicity(s, kind) == CacheAtomicityMode.ATOMIC ? "atomic-group" : "group");
  }

  private static CacheConfiguration<String, byte[]> cache(NodeSettings s, String kind) {
    boolean kept = !kind.equals(STAGE);
    return new CacheConfiguration<String, byte[]>(s.cache(kind))
        .setDataRegionName(kept ? null : MEMORY)
        .setGroupName(kept ? group(s, kind) : null)
        .setCacheMode(CacheMode.PARTITIONED)
        .setAtomicityMode(atomicity(s, kind))
        // PRIMARY_SYNC would acknowledge what only one node has.
        .setWriteSynchronizationMode(CacheWriteSynchronizationMode.FULL_SYNC)
        .setBackups(s.backups)
        .setReadFromBackup(false)
        .setPartitionLossPolicy(PartitionLossPolicy.READ_WRITE_SAFE)
        .setAffinity(new LocatorAffinity())
        .setStatisticsEnabled(false)
        .setCopyOnRead(false);
  }
}
