package org.ignitetasks.node;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.IntStream;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.ignitetasks.gateway.Gateway;
import org.ignitetasks.gateway.RehearsalClient;
import org.ignitetasks.home.HomeRegistry;
import org.ignitetasks.home.HomeSettings;
import org.ignitetasks.home.RecordStore;
import org.ignitetasks.ledger.Commit;
import org.ignitetasks.ledger.CommitLog;
import org.ignitetasks.ledger.LoneLedger;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.BlobStore;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.SharedApis;
import org.ignitetasks.protocol.WorkerApi;
import org.ignitetasks.protocol.WorkerLink;
import org.ignitetasks.worker.LaneServer;
import org.ignitetasks.worker.RehearsalChild;
import org.ignitetasks.worker.WorkerNode;

/**
 * Runs a few hundred tasks of nobody right after a lone node's start, so that the code of a task's
 * way is compiled when the first real one comes: else the first thousand take twice their time.
 *
 * <p>Everything is its own: gateway (which does not listen), home, lane and a ledger that is
 * emptied afterwards. Nothing of it shows in states, metrics or the order of queues. It makes way
 * whenever somebody calls, and gives up when it has been made to wait for long.
 */
final class Rehearsal {
  private static final Logger LOG = Logger.getLogger("ignitetasks.rehearsal");
  private static final String QUEUE = "rehearsal";
  private static final int SINGLE = 450;
  private static final int BULK = 8;
  private static final int BULK_SIZE = 512;
  private static final int SLOTS = 64;
  private static final int LOG_FILES = 3;
  private static final int LOG_BYTES = 1 << 20;
  private static final long BUSY_MILLIS = 30;
  private static final long MOST_MILLIS = 20_000;

  private final Ignite ignite;
  private final IgniteCache<String, byte[]> ledger;
  private final Commit commit;
  private final BlobStore blobs;
  private final Path lane;
  private final Path folder;
  private final LongSupplier idleMillis;
  private final Thread thread;
  private volatile boolean stopped;

  /**
   * @param lane path for a socket of its own
   * @param folder for a log of its own; gone afterwards
   * @param idleMillis says how long nobody has called this node
   */
  Rehearsal(
      Ignite ignite,
      IgniteCache<String, byte[]> ledger,
      Commit commit,
      BlobStore blobs,
      Path lane,
      Path folder,
      LongSupplier idleMillis) {
    this.ignite = ignite;
    this.ledger = ledger;
    this.commit = commit;
    this.blobs = blobs;
    this.lane = lane;
    this.folder = folder;
    this.idleMillis = idleMillis;
    this.thread = new Thread(this::run, "ignitetasks-rehearsal");
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** Ends it; returns when nothing of it uses the node any more. */
  void stop() {
    stopped = true;
    thread.interrupt();
    try {
      thread.join(2_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void run() {
    try {
      perform();
    } catch (IOException | RuntimeException e) {
      if (!stopped) {
        LOG.log(Level.INFO, "the rehearsal was cut short", e);
      }
    }
  }

  private void perform() throws IOException {
    UUID node = ignite.cluster().localNode().id();
    String token = UUID.randomUUID().toString();
    Stage stage = new Stage();
    // What it writes may get lost: its log waits for no disk.
    CommitLog log = new CommitLog(folder, false, LOG_FILES, LOG_BYTES, thread::interrupt);
    LoneLedger rows = new LoneLedger(ignite, ledger, commit, log);
    AtomicReference<Gateway> late = new AtomicReference<>();
    HomeRegistry home =
        new HomeRegistry(
            HomeSettings.defaults(),
            new RecordStore(rows),
            blobs,
            stage,
            (origin, ends) -> late.get().completed(origin.session(), ends));
    WorkerNode workers = new WorkerNode(home, node, events -> {});
    LaneServer server = new LaneServer(lane, token, workers, blobs);
    stage.workers = workers;
    try {
      Gateway gateway =
          new Gateway(home, SharedApis.none(), () -> node, () -> Map.of("name", ""), () -> {});
      late.set(gateway);
      home.own(IntStream.range(0, Locator.PARTITIONS).toArray(), 1);
      RehearsalChild child = new RehearsalChild(lane, token, QUEUE, QUEUE, SLOTS);
      try {
        play(new RehearsalClient(gateway, QUEUE, QUEUE));
      } finally {
        child.close();
        gateway.stop();
      }
    } finally {
      server.close();
      workers.close();
      rows.close();
      log.delete();
      if (!stopped) {
        ledger.clear();
      }
    }
  }

  private void play(RehearsalClient client) throws IOException {
    long end = System.nanoTime() + MOST_MILLIS * 1_000_000;
    for (int i = 0; i < SINGLE + BULK; i++) {
      if (!free(end)) {
        return;
      }
      List<String> ids = i < SINGLE ? List.of(UUID.randomUUID().toString()) : block(i);
      client.submit(ids);
      int left = ids.size();
      while (left > 0) {
        int came = client.poll();
        if (came == 0) {
          throw new IOException("a task of the rehearsal did not come back");
        }
        left -= came;
      }
    }
  }

  /** Waits while others use the node; says whether to go on. */
  private boolean free(long end) {
    while (!stopped && System.nanoTime() < end) {
      if (idleMillis.getAsLong() >= BUSY_MILLIS) {
        return true;
      }
      try {
        Thread.sleep(BUSY_MILLIS);
      } catch (InterruptedException e) {
        return false;
      }
    }
    return false;
  }

  /** Returns ids as clients count them for bulk submits. */
  private static List<String> block(int number) {
    List<String> ids = new ArrayList<>(BULK_SIZE);
    for (int i = 0; i < BULK_SIZE; i++) {
      ids.add(String.format("00000000-0000-4000-8000-0%07x%04x", number * BULK_SIZE + i, 7));
    }
    return ids;
  }

  /** The home's way to the only worker there is. */
  private static final class Stage implements WorkerLink {
    private WorkerNode workers;

    @Override
    public void push(UUID node, long epoch, List<Delivery> deliveries) {
      workers.push(epoch, deliveries);
    }

    @Override
    public void kill(UUID node, long epoch, String id, long fence, String signal) {
      throw new TasksException(TasksException.Code.INTERNAL, "nobody revokes a rehearsal");
    }

    @Override
    public List<WorkerApi.Running> running() {
      return List.of();
    }
  }
}
