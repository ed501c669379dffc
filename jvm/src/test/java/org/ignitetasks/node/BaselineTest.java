package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.apache.ignite.cluster.BaselineNode;
import org.apache.ignite.cluster.ClusterState;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.internal.IgniteEx;
import org.apache.ignite.internal.processors.cache.persistence.GridCacheDatabaseSharedManager;
import org.apache.ignite.internal.processors.cache.persistence.IgniteCacheDatabaseSharedManager;
import org.apache.ignite.internal.processors.metastorage.DistributedMetaStorage;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two data nodes that come and go: who holds data, and who is let in again. */
class BaselineTest {
  private static final int PORT = 18_960;
  private static final Logger QUIET = Logger.getLogger("ignitetasks");

  @TempDir Path dir;

  @BeforeAll
  static void quiet() {
    QUIET.setLevel(Level.OFF);
  }

  @AfterEach
  void stopAll() {
    Ignition.stopAll(true);
  }

  private NodeSettings settings(int i) {
    NodeSettings settings = TestNodes.settings(dir, "baseline-" + i, "data");
    settings.addresses = List.of("127.0.0.1:" + PORT, "127.0.0.1:" + (PORT + 1));
    settings.discoveryPort = PORT + i;
    settings.communicationPort = PORT + 20 + i;
    settings.backups = 1;
    settings.regionMaxMb = 64;
    return settings;
  }

  private Ignite start(int i) {
    NodeSettings settings = settings(i);
    Ignite ignite = TestNodes.start(settings);
    Joining.join(ignite, settings);
    Joining.makeCaches(ignite, settings);
    return ignite;
  }

  private static void awaitCopies(Ignite... nodes) throws InterruptedException {
    String ledger = "ignitetasks-default-" + NodeConfigs.LEDGER;
    for (Ignite node : nodes) {
      while (node.affinity(ledger).primaryPartitions(node.cluster().localNode()).length < 5) {
        Thread.sleep(20);
      }
    }
  }

  private static void stop(Ignite ignite) {
    // Not cancelled: then Ignite drops what it has not written of its settings yet.
    Ignition.stop(ignite.name(), false);
  }

  private static Set<String> names(Ignite ignite) {
    Collection<BaselineNode> nodes = ignite.cluster().currentBaselineTopology();
    Set<String> names = new TreeSet<>();
    nodes.forEach(node -> names.add(node.consistentId().toString()));
    return names;
  }

  private static DistributedMetaStorage copyOf(Ignite ignite) {
    return ((IgniteEx) ignite).context().distributedMetastorage();
  }

  @Test
  void aNodeThatStaysAwayIsTakenOutAndEntersAgain() throws InterruptedException {
    Ignite first = start(0);
    Ignite second = start(1);
    assertEquals(Set.of("baseline-0", "baseline-1"), names(first));
    AtomicLong clock = new AtomicLong();
    Baseline ofSecond = baseline(second, clock);
    awaitCopies(first, second);
    stop(first);

    ofSecond.look();
    clock.set(90);
    ofSecond.look();
    assertEquals(2, names(second).size(), "it may be restarting");
    clock.set(1_000_000_000);
    ofSecond.look();
    assertEquals(Set.of("baseline-1"), names(second));

    first = start(0);
    assertEquals(2, names(second).size());
    clock.set(2_000_000_000);
    Baseline ofFirst = baseline(first, clock);
    awaitCopies(first, second);
    stop(second);
    ofFirst.look();
    second = start(1);
    clock.set(3_000_000_000L);
    ofFirst.look();
    assertEquals(2, names(first).size(), "it was back in time");
  }

  private static Baseline baseline(Ignite ignite, AtomicLong clock) {
    return new Baseline(ignite, "ignitetasks-default-" + NodeConfigs.LEDGER, 100, clock::get);
  }

  @Test
  void nodesThatComeAndGoWriteNothingToTheClustersSettings() throws InterruptedException {
    Ignite first = start(0);
    long updates = copyOf(first).getUpdatesCount();
    Ignite second = start(1);
    assertEquals(updates, copyOf(second).getUpdatesCount());
    awaitCopies(first, second);
    stop(first);
    first = start(0);
    awaitCopies(first, second);
    stop(second);
    second = start(1);
    assertEquals(updates, copyOf(first).getUpdatesCount());
    assertEquals(updates, copyOf(second).getUpdatesCount());
    stop(first);
    stop(second);
  }

  @Test
  void aNodeWhoseCopyIsAheadOfAnActiveClusterTakesTheClusters() throws Exception {
    Ignite first = start(0);
    Ignite second = start(1);
    NodeSettings ahead = settings(1);
    awaitCopies(first, second);
    second.cache(ahead.cache(NodeConfigs.LEDGER)).put("k", new byte[] {1});
    stop(first);
    // What the other node had no time to write.
    copyOf(second).write("ahead", 1);
    long updates = copyOf(second).getUpdatesCount();
    stop(second);
    first = TestNodes.start(settings(0));
    first.cluster().state(ClusterState.ACTIVE);

    IgniteConfiguration refused = TestNodes.config(ahead);
    IgniteException refusal = assertThrows(IgniteException.class, () -> Ignition.start(refused));
    assertTrue(MetastorageCopy.isRefused(refusal), refusal.toString());
    TcpDiscoverySpi discovery = (TcpDiscoverySpi) refused.getDiscoverySpi();
    assertEquals(1, discovery.getNetworkTimeout(), "nobody answers its goodbye");
    second = Ignition.start(MetastorageCopy.forgotten(TestNodes.config(ahead)));
    Joining.join(second, ahead);

    assertEquals(updates - 1, copyOf(second).getUpdatesCount());
    assertEquals(2, names(second).size());
    assertEquals(copyOf(first).read("ahead"), (Object) copyOf(second).read("ahead"));
    awaitCopies(first, second);
    stop(first);
    Ignite last = second;
    last.cluster().state(ClusterState.ACTIVE);
    assertEquals(1, ((byte[]) last.cache(ahead.cache(NodeConfigs.LEDGER)).get("k"))[0]);
    stop(last);
    // What it took is on its disk, too.
    second = TestNodes.start(ahead);
    assertEquals(updates - 1, copyOf(second).getUpdatesCount());
  }

  /** Takes an item out of a node's history, as a join in the middle of a change leaves it. */
  private static void tear(Ignite ignite) throws IgniteCheckedException {
    IgniteCacheDatabaseSharedManager store =
        ((IgniteEx) ignite).context().cache().context().database();
    store.checkpointReadLock();
    try {
      ((GridCacheDatabaseSharedManager) store).metaStorage().remove("bltHist-0");
    } finally {
      store.checkpointReadUnlock();
    }
  }

  @Test
  void aNodeWhoseHistoryHasGapsTakesTheClusters() throws Exception {
    Ignite first = start(0);
    Ignite second = start(1);
    NodeSettings torn = settings(1);
    awaitCopies(first, second);
    second.cache(torn.cache(NodeConfigs.LEDGER)).put("k", new byte[] {1});
    tear(second);
    stop(second);
    IgniteException refusal =
        assertThrows(IgniteException.class, () -> TestNodes.start(settings(1)));
    assertTrue(BaselineHistory.isTorn(refusal), refusal.toString());
    assertTrue(BaselineHistory.awaitOthers(TestNodes.config(torn)));

    second = BaselineHistory.startWithout(TestNodes.config(torn));
    Joining.join(second, torn);
    assertEquals(2, names(second).size());
    awaitCopies(first, second);
    stop(first);
    assertEquals(1, ((byte[]) second.cache(torn.cache(NodeConfigs.LEDGER)).get("k"))[0]);
    stop(second);
    // What it was given is on its disk, too: both start as ever.
    first = TestNodes.start(settings(0));
    second = TestNodes.start(settings(1));
    Joining.awaitActive(second);
    assertEquals(2, names(first).size());
  }

  @Test
  void aNodeWhoseHistoryHasGapsBeginsNoClusterOfItsOwn() throws Exception {
    Ignite first = start(0);
    Ignite second = start(1);
    awaitCopies(first, second);
    tear(second);
    stop(second);
    stop(first);
    assertFalse(BaselineHistory.awaitOthers(TestNodes.config(settings(1)), 1));
    assertThrows(
        IgniteException.class, () -> BaselineHistory.startWithout(TestNodes.config(settings(1))));

    IgniteException still = assertThrows(IgniteException.class, () -> TestNodes.start(settings(1)));
    assertTrue(BaselineHistory.isTorn(still), "on its disk nothing has changed");

    first = TestNodes.start(settings(0));
    second = BaselineHistory.startWithout(TestNodes.config(settings(1)));
    Joining.awaitActive(second);
    assertEquals(2, names(first).size());
  }

  @Test
  void aNodeOfAnotherClusterIsRefusedForItsDataNotForItsCopy() throws Exception {
    Ignite first = start(0);
    stop(first);
    // Its own data and its own cluster, before it hears of the other.
    Ignite second = start(1);
    copyOf(second).write("ahead", 1);
    stop(second);
    start(0);
    IgniteException refusal =
        assertThrows(IgniteException.class, () -> TestNodes.start(settings(1)));
    assertFalse(MetastorageCopy.isRefused(refusal), refusal.toString());
    IgniteException again =
        assertThrows(
            IgniteException.class,
            () -> Ignition.start(MetastorageCopy.forgotten(TestNodes.config(settings(1)))));
    assertFalse(MetastorageCopy.isRefused(again), again.toString());
  }
}
