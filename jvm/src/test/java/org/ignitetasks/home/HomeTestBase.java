package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.ignitetasks.ledger.Commit;
import org.ignitetasks.ledger.CommitLog;
import org.ignitetasks.ledger.Crash;
import org.ignitetasks.ledger.Ledger;
import org.ignitetasks.ledger.LoneLedger;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.node.TestNodes;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.ExtensionContext.Store.CloseableResource;

/**
 * A home on the ledger of a real node, with workers and gateways that do what a test says, a
 * storage that fails where it says, and a clock that it can set forward. One node serves all test
 * classes.
 */
abstract class HomeTestBase {
  static final Origin CLIENT = new Origin(Make.NODE, 11);
  static final HomeSettings SETTINGS = new HomeSettings(10_000, 2_000, 1_000, 20, 3_600_000);

  /** The node, until the last test class is done. */
  private static final class SharedNode implements CloseableResource {
    final Path dir;
    final Ignite ignite;

    SharedNode() throws IOException {
      dir = Files.createTempDirectory("ignitetasks-test");
      ignite = TestNodes.embedded(dir, "home-test");
    }

    @Override
    public void close() throws IOException {
      ignite.close();
      try (Stream<Path> files = Files.walk(dir)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    }
  }

  private static final Logger LOG = Logger.getLogger("ignitetasks.home");

  private static SharedNode shared;
  private static final AtomicLong EPOCHS = new AtomicLong();

  private IgniteCache<String, byte[]> ledger;
  final FakeWorkers workers = new FakeWorkers();
  final FakeGateways gateways = new FakeGateways();
  final MemoryBlobs blobs = new MemoryBlobs();
  final StorageFaults faults = new StorageFaults();
  final AtomicLong aheadMillis = new AtomicLong();
  private final long[] lastHomes = new long[Locator.PARTITIONS];
  HomeRegistry home;
  private LoneLedger rows;
  private boolean started;

  @BeforeAll
  static synchronized void startNode() throws IOException {
    // What the tests let fail on purpose is not to be read as news.
    LOG.setLevel(Level.OFF);
    if (shared == null) {
      shared = new SharedNode();
      SharedNode node = shared;
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(
                  () -> {
                    try {
                      node.close();
                    } catch (IOException e) {
                      // A temporary folder that stays behind.
                    }
                  }));
    }
  }

  @BeforeEach
  void freshHome() {
    crash();
    ledger = TestNodes.ledger(shared.ignite);
    ledger.clear();
    CommitLog log = log();
    log.close();
    log.delete();
    restart();
  }

  @AfterEach
  void endOfTest() {
    stopTimers();
    crash();
  }

  void stopTimers() {
    faults.none();
    if (started) {
      home.stop();
    }
  }

  /** Returns how many rows are stored. */
  int rowCount() {
    return allRows().size();
  }

  /** Returns all rows, when the cache has them. */
  Map<String, byte[]> allRows() {
    rows.awaitCache();
    Map<String, byte[]> all = new TreeMap<>();
    for (int partition = 0; partition < Locator.PARTITIONS; partition++) {
      try (Ledger.Walk walk = rows.walk(partition)) {
        walk.forEachRemaining(row -> all.put(row.getKey(), row.getValue()));
      }
    }
    return all;
  }

  /** Returns a row, or null, when the cache has it. */
  byte[] row(String key) {
    rows.awaitCache();
    return rows.read(new TreeSet<>(List.of(key))).get(key);
  }

  /** Returns a row as it is written, whether the cache has it by now or not; or null. */
  byte[] written(String key) {
    return rows.read(new TreeSet<>(List.of(key))).get(key);
  }

  /** The home is gone, as by kill -9: what is not in the cache is in the log. */
  private void crash() {
    if (started) {
      home.stop();
      started = false;
    }
    if (rows != null) {
      Crash.of(rows);
      rows = null;
    }
  }

  private static CommitLog log() {
    return new CommitLog(shared.dir.resolve("log"), false, 3, 1 << 20, () -> {});
  }

  /** Replaces the home by one that knows only the ledger. */
  void restart() {
    crash();
    rows = new LoneLedger(shared.ignite, ledger, Commit.PLAIN, log());
    home = newHome();
    ownAll();
  }

  static Ignite ignite() {
    return shared.ignite;
  }

  private HomeRegistry newHome() {
    RecordStore store = new RecordStore(rows, faults);
    InstantSource clock =
        () -> Instant.ofEpochMilli(System.currentTimeMillis() + aheadMillis.get());
    HomeRegistry made = new HomeRegistry(SETTINGS, store, blobs, workers, gateways, clock);
    made.past(
        new PastHomes() {
          @Override
          public long[] last() {
            return lastHomes.clone();
          }

          @Override
          public void taken(BitSet partitions, long epoch) {
            partitions.stream().forEach(partition -> lastHomes[partition] = epoch);
          }
        });
    return made;
  }

  void ownAll() {
    home.own(IntStream.range(0, Locator.PARTITIONS).toArray(), EPOCHS.incrementAndGet());
  }

  void start() {
    started = true;
    home.start();
  }

  void submit(TaskRecord... records) {
    assertEquals(records.length, home.submit(List.of(records), CLIENT, false).created(), "created");
  }

  void worker(long epoch, int free) {
    home.workerJoined(Make.worker(epoch, List.of("default"), List.of("add")));
    home.credits(epoch, free);
  }

  static Outcome success(Delivery d) {
    byte[] result = ("r-" + d.record().id).getBytes();
    return new Outcome(
        d.record().id, d.fence(), Outcome.SUCCESS, result, false, 5, null, null, false);
  }

  static Outcome plain(Delivery d, int kind) {
    return Outcome.plain(d.record().id, d.fence(), kind);
  }

  void complete(long epoch, Outcome... outcomes) {
    home.complete(epoch, List.of(outcomes));
  }

  /** Lets a worker run all that it gets, until nothing more comes; returns the ids in order. */
  List<String> runAll(long epoch) {
    List<String> ran = new ArrayList<>();
    while (true) {
      home.credits(epoch, 100);
      List<Delivery> batch = workers.take(epoch);
      if (batch.isEmpty()) {
        return ran;
      }
      ran.addAll(FakeWorkers.ids(batch));
      home.complete(epoch, batch.stream().map(HomeTestBase::success).toList());
    }
  }

  TaskRecord info(String id) {
    return home.info(List.of(id)).get(0);
  }

  TaskState state(String id) {
    TaskRecord record = info(id);
    return record == null || record.expired ? null : record.state;
  }

  @SuppressWarnings("unchecked")
  long number(String state) {
    var states = (java.util.Map<String, Object>) home.status().get("states");
    return ((Number) states.get(state)).longValue();
  }

  /** Returns how many tasks wait or run, seen at one moment: they go back and forth. */
  @SuppressWarnings("unchecked")
  long open() {
    var states = (java.util.Map<String, Number>) home.status().get("states");
    return java.util.stream.Stream.of("PENDING", "DELAYED", "RUNNING")
        .mapToLong(state -> states.get(state).longValue())
        .sum();
  }

  void waitFor(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + 20_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, "waited in vain: " + what);
      try {
        Thread.sleep(5);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  /** The heap budget is what waiting entries take, and the order keeps its invariants. */
  void checkMemory() {
    HomeContext context = home.home;
    synchronized (context.lock) {
      List<Entry> waiting = Make.waiting(context.state);
      long hot = waiting.stream().mapToLong(e -> e.hotBytes).sum();
      assertEquals(hot, context.hotBytes(), "budget for records on the heap");
      List<String> ids = new ArrayList<>(waiting.stream().map(e -> e.id).toList());
      context.state.leases().forEach(e -> ids.add(e.id));
      Make.checkInvariants(context.state, new java.util.HashSet<>(ids));
      assertEquals(ids.size(), ids.stream().distinct().count(), "entries twice: " + ids);
    }
  }
}
