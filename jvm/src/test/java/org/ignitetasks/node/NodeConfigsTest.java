package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import javax.cache.expiry.EternalExpiryPolicy;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.PartitionLossPolicy;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.configuration.WALMode;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Defaults of Ignite that lose data or open doors are all set, and bad settings are refused. */
class NodeConfigsTest {
  @TempDir Path dir;

  private NodeSettings settings(String role) {
    return TestNodes.settings(dir, "n1", role);
  }

  @Test
  void noDoorIsOpenThatNobodyAskedFor() {
    IgniteConfiguration config = NodeConfigs.of(settings("embedded"), new GroupCommit());
    assertNull(config.getConnectorConfiguration(), "REST");
    assertNull(config.getClientConnectorConfiguration(), "thin clients");
    assertFalse(config.isPeerClassLoadingEnabled());
    assertTrue(config.getDiscoverySpi() instanceof LoneDiscovery);
    assertEquals("127.0.0.1", config.getLocalHost());
    assertEquals("n1", config.getConsistentId());
  }

  @Test
  void whatIsAcknowledgedIsOnTheDiskAsThePromiseSays() {
    NodeSettings power = settings("embedded");
    power.durability = "power";
    assertEquals(
        WALMode.FSYNC,
        NodeConfigs.of(power, new GroupCommit()).getDataStorageConfiguration().getWalMode());
    IgniteConfiguration config = NodeConfigs.of(settings("data"), new GroupCommit());
    assertEquals(WALMode.LOG_ONLY, config.getDataStorageConfiguration().getWalMode());
    assertTrue(
        config
            .getDataStorageConfiguration()
            .getDefaultDataRegionConfiguration()
            .isPersistenceEnabled());
    assertTrue(config.getTransactionConfiguration().getDefaultTxTimeout() > 0);
    assertTrue(config.getTransactionConfiguration().getTxTimeoutOnPartitionMapExchange() > 0);
    assertNotNull(config.getFailureHandler());
  }

  @Test
  void aLoneNodePaysForTransactionsOnlyWhereItNeedsThem() {
    NodeSettings s = settings("embedded");
    Map<String, CacheAtomicityMode> modes = new HashMap<>();
    NodeConfigs.caches(s).forEach(c -> modes.put(c.getName(), c.getAtomicityMode()));
    assertEquals(
        Map.of(
            s.cache("ledger"), CacheAtomicityMode.ATOMIC,
            s.cache("stage"), CacheAtomicityMode.ATOMIC,
            s.cache("settings"), CacheAtomicityMode.TRANSACTIONAL,
            s.cache("events"), CacheAtomicityMode.TRANSACTIONAL,
            s.cache("meta"), CacheAtomicityMode.TRANSACTIONAL),
        modes);
    // Ignite starts such a group once, and refuses to start it a second time.
    Map<String, CacheAtomicityMode> groups = new HashMap<>();
    for (CacheConfiguration<String, byte[]> cache : NodeConfigs.caches(s)) {
      CacheAtomicityMode other = groups.put(cache.getGroupName(), cache.getAtomicityMode());
      assertTrue(other == null || other == cache.getAtomicityMode());
    }
  }

  @Test
  void everyCacheIsSafe() {
    NodeSettings s = settings("data");
    s.backups = 1;
    assertEquals(6, NodeConfigs.caches(s).size());
    for (CacheConfiguration<String, byte[]> cache : NodeConfigs.caches(s)) {
      assertEquals(CacheAtomicityMode.TRANSACTIONAL, cache.getAtomicityMode());
      assertEquals(CacheWriteSynchronizationMode.FULL_SYNC, cache.getWriteSynchronizationMode());
      assertEquals(PartitionLossPolicy.READ_WRITE_SAFE, cache.getPartitionLossPolicy());
      assertEquals(1, cache.getBackups());
      assertFalse(cache.isReadFromBackup());
      assertTrue(
          cache.getExpiryPolicyFactory().create() instanceof EternalExpiryPolicy,
          "own sweeper, no TTL");
      assertEquals(Locator.PARTITIONS, cache.getAffinity().partitions());
      assertEquals(Locator.partition("a"), cache.getAffinity().partition("a"));
      assertEquals(Locator.partition("a"), cache.getAffinity().partition("a/b1"));
    }
  }

  @Test
  void aClientHoldsNoData() {
    IgniteConfiguration config = NodeConfigs.of(settings("client"), new GroupCommit());
    assertTrue(config.isClientMode());
    assertNull(config.getDataStorageConfiguration());
  }

  private TasksException refused(String json) throws IOException {
    Path file = Files.writeString(dir.resolve("node.json"), json);
    return assertThrows(TasksException.class, () -> NodeSettings.read(file));
  }

  @Test
  void settingsThatMakeNoSenseAreRefused() throws IOException {
    for (String json :
        new String[] {
          "{}",
          "not json",
          "{\"instance_dir\": \"/x\"}",
          "{\"instance_dir\": \"/x\", \"lane\": \"/x/l\", \"role\": \"king\"}",
          "{\"instance_dir\": \"/x\", \"lane\": \"/x/l\", \"durability\": \"some\"}"
        }) {
      assertEquals(Code.BAD_REQUEST, refused(json).code(), json);
    }
    Path good =
        Files.writeString(
            dir.resolve("good.json"),
            "{\"instance_dir\": \"/x\", \"lane\": \"/x/l\", \"region_max_mb\": 77}");
    assertEquals(77, NodeSettings.read(good).regionMaxMb);
  }

  @Test
  void aStoreIsForOneNodeAndNotForAnOlderOne() throws IOException {
    NodeSettings s = settings("embedded");
    InstanceFiles first = new InstanceFiles(s);
    first.open();
    TasksException locked = assertThrows(TasksException.class, () -> new InstanceFiles(s).open());
    assertEquals(Code.DATA_DIR_LOCKED, locked.code());
    NodeSettings other = TestNodes.settings(dir, "n2", "embedded");
    new InstanceFiles(other).open();
    NodeSettings newer = TestNodes.settings(dir, "n3", "embedded");
    Files.createDirectories(newer.storeDir());
    Files.writeString(newer.storeDir().resolve("VERSION"), "99\n");
    assertEquals(
        Code.DATA_DIR_NEWER,
        assertThrows(TasksException.class, () -> new InstanceFiles(newer).open()).code());
    NodeSettings file = TestNodes.settings(dir, "n4", "embedded");
    Files.writeString(dir.resolve("n4"), "a file, no folder");
    assertEquals(
        Code.DATA_DIR_UNWRITABLE,
        assertThrows(TasksException.class, () -> new InstanceFiles(file).open()).code());
  }
}
