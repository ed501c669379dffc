package org.ignitetasks.node;

import java.nio.file.Path;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cluster.ClusterState;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.failure.StopNodeFailureHandler;

/** Real nodes inside the test's JVM, configured as the product's, but for sizes and a name. */
public final class TestNodes {
  private static final int MIB = 1 << 20;

  /** Loggers are weakly held by the JDK: without this the level would be lost. */
  private static final Logger IGNITE = Logger.getLogger("org.apache.ignite");

  private TestNodes() {}

  /** Starts a node that nobody can join, LOG_ONLY, with its caches. */
  public static Ignite embedded(Path dir, String name) {
    NodeSettings settings = settings(dir, name, "embedded");
    Ignite ignite = start(settings);
    ignite.cluster().state(ClusterState.ACTIVE);
    ignite.getOrCreateCaches(List.copyOf(NodeConfigs.caches(settings)));
    return ignite;
  }

  /** Returns the ledger of a node started here. */
  public static IgniteCache<String, byte[]> ledger(Ignite ignite) {
    return ignite.cache("ignitetasks-default-" + NodeConfigs.LEDGER);
  }

  static NodeSettings settings(Path dir, String name, String role) {
    NodeSettings settings = new NodeSettings();
    settings.role = role;
    settings.instanceDir = dir.resolve(name).toString();
    settings.name = name;
    settings.durability = "process";
    settings.regionMaxMb = 128;
    settings.lane = dir.resolve(name + ".sock").toString();
    return settings;
  }

  static Ignite start(NodeSettings settings) {
    return Ignition.start(config(settings));
  }

  static IgniteConfiguration config(NodeSettings settings) {
    IGNITE.setLevel(Level.OFF);
    System.setProperty("IGNITE_QUIET", "false");
    System.setProperty("IGNITE_NO_ASCII", "true");
    System.setProperty("IGNITE_NO_SHUTDOWN_HOOK", "true");
    System.setProperty("IGNITE_PERFORMANCE_SUGGESTIONS_DISABLED", "true");
    IgniteConfiguration config =
        NodeConfigs.of(settings, new GroupCommit())
            .setIgniteInstanceName(settings.name)
            // A halt would take the test's JVM with it.
            .setFailureHandler(new StopNodeFailureHandler());
    if (config.getDataStorageConfiguration() != null) {
      config
          .getDataStorageConfiguration()
          .setWalSegmentSize(4 * MIB)
          .setWalSegments(3)
          .setMaxWalArchiveSize(64L * MIB);
    }
    return config;
  }
}
