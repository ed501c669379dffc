package org.ignitetasks.ledger;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cluster.ClusterNode;
import org.ignitetasks.model.TasksException;

/**
 * The ledger of a lone node: a change is a frame of the {@link CommitLog}, and its rows follow into
 * the cache a moment later, many at a time, each only in its newest form.
 *
 * <p>Until a row is in the cache it is read from memory. A start puts what it finds in the log into
 * the cache before anybody reads. That cannot undo a later change, since all later ones are in the
 * log too; and nothing goes into the cache that is not safe in the log, so a change is never seen
 * in part.
 */
public final class LoneLedger implements Ledger {
  private static final Logger LOG = Logger.getLogger("ignitetasks.ledger");

  /** How long a row waits for company: most tasks end, and change their row again, within it. */
  private static final long LAG_MILLIS = 40;

  /** So many that neighbours which end together are met together. */
  private static final int BATCH_ROWS = 4096;

  private static final long BATCH_BYTES = 2 << 20;

  private static final long EAGER_BYTES = 1 << 20;
  private static final long MOST_BYTES = 24 << 20;
  private static final long ROOM_MILLIS = 10_000;
  private static final long AGAIN_MILLIS = 500;
  private static final long CLOSE_MILLIS = 10_000;

  /** A row that may not be in the cache yet; value null: it is gone. */
  private static final class Row {
    final long seq;
    final byte[] value;

    /** Where it belongs, once somebody has asked: a walk over all partitions asks for each. */
    int partition = -1;

    Row(long seq, byte[] value) {
      this.seq = seq;
      this.value = value;
    }
  }

  private record Change(long seq, SortedMap<String, byte[]> rows, Set<String> absent, int bytes) {}

  private final RowCache cache;
  private final Affinity<String> affinity;
  private final ClusterNode local;
  private final CommitLog log;
  private final Thread follower = new Thread(this::follow, "ignitetasks-ledger");
  private final ConcurrentHashMap<String, Row> fresh = new ConcurrentHashMap<>();

  /** Guards what follows, and keeps the order of frames and of rows in memory the same. */
  private final Object order = new Object();

  private final ArrayDeque<Change> waiting = new ArrayDeque<>();
  private boolean asleep;
  private boolean closing;
  private boolean abandoned;
  private RuntimeException failure;
  private volatile long waitingBytes;

  /**
   * Puts what an earlier run has left in the log into the cache.
   *
   * @param cache an atomic one
   * @param base how the cache's own changes become as safe as the log's
   * @param log which this ledger closes
   */
  public LoneLedger(Ignite ignite, IgniteCache<String, byte[]> cache, Commit base, CommitLog log) {
    this.cache = new RowCache(cache, base);
    this.log = log;
    this.affinity = ignite.affinity(cache.getName());
    this.local = ignite.cluster().localNode();
    recover(base);
    follower.setDaemon(true);
    follower.start();
  }

  private void recover(Commit base) {
    Map<String, byte[]> rows = new TreeMap<>();
    log.recover((ByteBuffer frame) -> LogRows.decode(frame, rows), base::await);
    TreeMap<String, byte[]> batch = new TreeMap<>();
    for (Map.Entry<String, byte[]> row : rows.entrySet()) {
      batch.put(row.getKey(), row.getValue());
      if (batch.size() == BATCH_ROWS) {
        cache.storeAgain(batch);
        batch.clear();
      }
    }
    cache.storeAgain(batch);
    log.kept(log.durable());
  }

  @Override
  public Map<String, byte[]> read(SortedSet<String> keys) {
    Map<String, byte[]> found = new HashMap<>();
    TreeSet<String> stored = new TreeSet<>();
    for (String key : keys) {
      Row row = fresh.get(key);
      if (row == null) {
        // One that was there a moment ago is in the cache by now.
        stored.add(key);
      } else if (row.value != null) {
        found.put(key, row.value);
      }
    }
    found.putAll(cache.read(stored));
    return found;
  }

  @Override
  public Map<String, byte[]> readSettled(SortedSet<String> keys) {
    // A call has ended, one way or the other, when it returns.
    return read(keys);
  }

  @Override
  public void write(SortedMap<String, byte[]> rows) {
    change(rows, Set.of());
  }

  @Override
  public void write(SortedMap<String, byte[]> rows, Set<String> absent) {
    change(rows, absent);
  }

  @Override
  public void delete(SortedSet<String> keys) {
    TreeMap<String, byte[]> gone = new TreeMap<>();
    keys.forEach(key -> gone.put(key, null));
    change(gone, Set.of());
  }

  private void change(SortedMap<String, byte[]> rows, Set<String> absent) {
    byte[] frame = LogRows.encode(rows);
    awaitRoom();
    synchronized (order) {
      if (closing) {
        throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping");
      }
      long seq = log.append(frame);
      rows.forEach((key, value) -> fresh.put(key, new Row(seq, value)));
      waiting.add(new Change(seq, rows, absent, frame.length));
      waitingBytes += frame.length;
      if (asleep || waitingBytes >= EAGER_BYTES) {
        order.notifyAll();
      }
    }
  }

  /** Waits while the cache is far behind, so that the heap stays bounded. */
  private void awaitRoom() {
    if (waitingBytes < MOST_BYTES) {
      return;
    }
    long end = System.nanoTime() + ROOM_MILLIS * 1_000_000;
    synchronized (order) {
      while (waitingBytes >= MOST_BYTES && !closing) {
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          throw failure != null
              ? Ledger.translated(failure)
              : new TasksException(
                  TasksException.Code.BUSY, "the disk is slower than the tasks come: try again");
        }
        pause(left);
      }
    }
  }

  @Override
  public void awaitDurable() {
    log.await();
  }

  @Override
  public Walk walk(int partition) {
    // Rows in memory first, then those of the cache that were not among them: one that moves from
    // here to there meanwhile is met once.
    Map<String, Row> here = new HashMap<>();
    fresh.forEach(
        (key, row) -> {
          if (partitionOf(key, row) == partition) {
            here.put(key, row);
          }
        });
    Walk stored = cache.walk(partition);
    if (here.isEmpty()) {
      return stored;
    }
    Stream<Map.Entry<String, byte[]>> mine =
        here.entrySet().stream()
            .filter(row -> row.getValue().value != null)
            .map(row -> Map.entry(row.getKey(), row.getValue().value));
    Stream<Map.Entry<String, byte[]>> theirs =
        Stream.generate(() -> stored.hasNext() ? stored.next() : null)
            .takeWhile(row -> row != null)
            .filter(row -> !here.containsKey(row.getKey()));
    return Ledger.walk(Stream.concat(mine, theirs).iterator(), row -> row, stored::close);
  }

  private int partitionOf(String key, Row row) {
    if (row.partition < 0) {
      row.partition = affinity.partition(key);
    }
    return row.partition;
  }

  @Override
  public int[] primaryPartitions() {
    return affinity.primaryPartitions(local);
  }

  private void follow() {
    while (true) {
      List<Change> batch = next();
      if (batch.isEmpty()) {
        return;
      }
      try {
        put(batch);
      } catch (RuntimeException e) {
        if (!giveUp(e)) {
          continue;
        }
        return;
      }
      done(batch);
    }
  }

  /** Waits for changes and returns the oldest; nothing when this ledger is closed. */
  private List<Change> next() {
    synchronized (order) {
      while (waiting.isEmpty() && !closing) {
        asleep = true;
        pause(0);
      }
      asleep = false;
      long end = System.nanoTime() + LAG_MILLIS * 1_000_000;
      long left = LAG_MILLIS;
      while (left > 0 && waitingBytes < EAGER_BYTES && !closing) {
        pause(left);
        left = (end - System.nanoTime()) / 1_000_000;
      }
      // Nothing may be in the cache that a crash would take out of the log.
      long safe = log.durable();
      List<Change> batch = new ArrayList<>();
      int rows = 0;
      long bytes = 0;
      for (Change change : waiting) {
        boolean full =
            rows > 0
                && (rows + change.rows.size() > BATCH_ROWS || bytes + change.bytes > BATCH_BYTES);
        if (abandoned || full || (rows > 0 && change.seq > safe)) {
          break;
        }
        batch.add(change);
        rows += change.rows.size();
        bytes += change.bytes;
      }
      return batch;
    }
  }

  private void put(List<Change> batch) {
    // Only the oldest of all can be waiting for the disk here: what it may need room of is kept.
    log.await(batch.get(batch.size() - 1).seq);
    long safe = log.durable();
    Map<String, byte[]> rows = new LinkedHashMap<>();
    Set<String> absent = new HashSet<>();
    Map<String, Row> taken = new HashMap<>();
    for (Change change : batch) {
      absent.addAll(change.absent);
      change.rows.forEach(
          (key, value) -> {
            Row newest = fresh.get(key);
            if (newest != null && newest.seq <= safe) {
              rows.put(key, newest.value);
              taken.put(key, newest);
            } else if (newest != null) {
              // The newest is not safe yet, and this one's frame will be forgotten.
              rows.put(key, value);
            }
          });
    }
    if (failure == null) {
      cache.store(rows, absent);
    } else {
      cache.storeAgain(rows);
    }
    taken.forEach(fresh::remove);
    log.kept(batch.get(batch.size() - 1).seq);
  }

  /** Says whether to stop following; the log has all that is missing. */
  private boolean giveUp(RuntimeException e) {
    LOG.log(Level.WARNING, "the cache did not take rows that the log has: trying again", e);
    synchronized (order) {
      failure = e;
      if (!closing) {
        pause(AGAIN_MILLIS);
      }
      return closing;
    }
  }

  private void done(List<Change> batch) {
    synchronized (order) {
      failure = null;
      for (Change change : batch) {
        waiting.removeFirst();
        waitingBytes -= change.bytes;
      }
      order.notifyAll();
    }
  }

  private void pause(long millis) {
    try {
      order.wait(millis);
    } catch (InterruptedException e) {
      // Its threads are not interrupted; a caller who is will notice at its next wait.
      Thread.currentThread().interrupt();
      throw new TasksException(TasksException.Code.UNAVAILABLE, "the node is stopping", e);
    }
  }

  /** Waits until all rows are in the cache: for those who read it on another way. */
  public void awaitCache() {
    synchronized (order) {
      while (!waiting.isEmpty() && !closing) {
        pause(LAG_MILLIS);
      }
    }
  }

  /** Brings all rows into the cache and closes the log; later changes are refused. */
  @Override
  public void close() {
    synchronized (order) {
      closing = true;
      order.notifyAll();
    }
    join();
    boolean all;
    synchronized (order) {
      all = waiting.isEmpty();
    }
    if (all) {
      log.leaveClean();
    }
    log.close();
  }

  /** Ends as a crash would: what is not in the cache is found in the log. */
  void abandon() {
    synchronized (order) {
      abandoned = true;
      closing = true;
      order.notifyAll();
    }
    join();
    log.close();
  }

  private void join() {
    try {
      follower.join(CLOSE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
