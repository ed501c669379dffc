package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.List;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.logger.NullLogger;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Blobs in real caches of one node that keeps them in memory. */
class IgniteBlobStoreTest {
  @TempDir static Path work;
  private static Ignite ignite;
  private IgniteCache<String, byte[]> chunks;
  private IgniteCache<String, byte[]> seals;
  private IgniteBlobStore store;

  @BeforeAll
  static void startNode() {
    TcpDiscoverySpi discovery = new TcpDiscoverySpi();
    discovery.setLocalAddress("127.0.0.1").setLocalPort(48_710).setLocalPortRange(80);
    discovery.setIpFinder(new TcpDiscoveryVmIpFinder(true));
    TcpCommunicationSpi communication = new TcpCommunicationSpi();
    communication.setLocalAddress("127.0.0.1").setLocalPort(48_810).setLocalPortRange(80);
    ignite =
        Ignition.start(
            new IgniteConfiguration()
                .setIgniteInstanceName("blob-test")
                .setLocalHost("127.0.0.1")
                .setWorkDirectory(work.toString())
                .setGridLogger(new NullLogger())
                .setConnectorConfiguration(null)
                .setClientConnectorConfiguration(null)
                .setMetricsLogFrequency(0)
                .setDiscoverySpi(discovery)
                .setCommunicationSpi(communication));
  }

  @AfterAll
  static void stopNode() {
    ignite.close();
  }

  @BeforeEach
  void open() {
    chunks = ignite.getOrCreateCache("chunks");
    seals = ignite.getOrCreateCache("seals");
    chunks.clear();
    seals.clear();
    store = new IgniteBlobStore(chunks, seals);
  }

  private void put(String id, int count, long ttl) {
    for (int i = 0; i < count; i++) {
      byte[] chunk = new byte[BlobStore.CHUNK];
      chunk[0] = (byte) i;
      store.putChunk(id, i, chunk);
    }
    store.seal(id, (long) count * BlobStore.CHUNK, 7, ttl);
  }

  @Test
  void aValueIsVisibleOnlyWhenSealed() {
    store.putChunk("t/a", 0, new byte[] {1, 2});
    assertNull(store.find("t/a"));
    store.seal("t/a", 2, 99, 0);
    assertEquals(new BlobStore.Seal(2, 99, 0), store.find("t/a"));
    assertArrayEquals(new byte[] {1, 2}, store.chunk("t/a", 0));
    assertNull(store.chunk("t/a", 1));
    assertNull(store.find("t/b"));
  }

  @Test
  void manyChunksAreAllThereAndAllDropped() {
    put("many/a", 9, 0);
    for (int i = 0; i < 9; i++) {
      assertEquals(i, store.chunk("many/a", i)[0]);
    }
    store.drop("many/a");
    store.drop("many/a");
    assertEquals(0, chunks.size() + seals.size());
  }

  @Test
  void aRepeatedPutReplacesAndLeavesNoRest() {
    put("r/a", 5, 0);
    store.putChunk("r/a", 0, new byte[] {5});
    assertNotNull(store.find("r/a"));
    store.seal("r/a", 1, 1, 0);
    assertEquals(1, chunks.size());
    put("r/a", 2, 0);
    assertEquals(2, chunks.size());
  }

  @Test
  void theSweeperDeletesWhatIsDueAndWhatWasAbandoned() {
    put("due/a", 2, 1_000);
    put("kept/a", 1, 0);
    put("later/a", 1, 10 * IgniteBlobStore.OPEN_MILLIS);
    for (int i = 0; i < 6; i++) {
      store.putChunk("open/a", i, new byte[] {1});
    }
    long now = System.currentTimeMillis();
    assertEquals(0, store.sweep(now));
    assertEquals(1, store.sweep(now + 5_000));
    assertEquals(1, store.sweep(now + IgniteBlobStore.OPEN_MILLIS + 60_000));
    assertEquals(2, chunks.size());
    assertEquals(2, seals.size());
    for (String id : List.of("kept/a", "later/a")) {
      assertNotNull(store.find(id));
    }
  }

  @Test
  void failuresOfTheCacheAreTranslated() {
    IgniteCache<String, byte[]> gone = ignite.getOrCreateCache("gone");
    gone.destroy();
    IgniteBlobStore broken = new IgniteBlobStore(gone, gone);
    TasksException error = assertThrows(TasksException.class, () -> broken.find("x"));
    assertEquals(Code.UNAVAILABLE, error.code());
    assertThrows(TasksException.class, () -> broken.putChunk("x", 0, new byte[1]));
    assertThrows(TasksException.class, () -> broken.drop("x"));
  }
}
