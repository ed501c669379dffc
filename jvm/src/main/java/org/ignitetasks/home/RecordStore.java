package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Predicate;
import javax.cache.Cache;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.internal.mem.IgniteOutOfMemoryException;
import org.apache.ignite.internal.util.typedef.X;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;

/**
 * The only class that touches the ledger. One call, one commit.
 *
 * <p>On a cluster the ledger is TRANSACTIONAL and all rows of a call are written or none. On a lone
 * node it is ATOMIC, which costs a third of that: each row is written whole or not at all, a crash
 * may leave a call with the first of its rows, and what must not come apart goes through {@link
 * Together}.
 *
 * <p>Which home may write a record is decided by Ignite's primary for its partition. A decision
 * made in memory could be old by the time it is written (the partition moved while this thread
 * slept), so on a cluster the check is repeated inside the transaction, after its locks pin the
 * topology: a home that lost a partition can then not overwrite what the new home has written.
 */
public final class RecordStore {
  private static final int RECENT_SHEETS = 8;

  private final Ignite ignite;
  private final IgniteCache<String, byte[]> ledger;
  private final Affinity<String> affinity;
  private final ClusterNode local;
  private final BooleanSupplier alone;
  private final Commit commit;

  /** Null where the ledger is transactional. */
  private final Together together;

  /** Told of each step, by name, before and after it is taken: where tests let the storage fail. */
  private final Consumer<String> failpoint;

  /** Sheets read lately: a backlog is read a few tasks at a time. */
  private final Map<String, List<TaskRecord>> recentSheets =
      new LinkedHashMap<>(32, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, List<TaskRecord>> eldest) {
          return size() > RECENT_SHEETS;
        }
      };

  private long sheetDeletions;

  /**
   * @param alone says whether this is the only data node, in which case nothing can move
   */
  public RecordStore(Ignite ignite, IgniteCache<String, byte[]> ledger, BooleanSupplier alone) {
    this(ignite, ledger, alone, Commit.PLAIN, null, point -> {});
  }

  /**
   * @param alone says whether this is the only data node, in which case nothing can move
   * @param commit makes changes as durable as was promised
   * @param journal where an atomic ledger keeps what must not come apart; null if the ledger is
   *     transactional
   */
  public RecordStore(
      Ignite ignite,
      IgniteCache<String, byte[]> ledger,
      BooleanSupplier alone,
      Commit commit,
      IgniteCache<String, byte[]> journal) {
    this(ignite, ledger, alone, commit, journal, point -> {});
  }

  RecordStore(
      Ignite ignite,
      IgniteCache<String, byte[]> ledger,
      BooleanSupplier alone,
      Commit commit,
      IgniteCache<String, byte[]> journal,
      Consumer<String> failpoint) {
    this.ignite = ignite;
    this.failpoint = failpoint;
    this.ledger = ledger;
    this.commit = commit;
    this.together = journal == null ? null : new Together(journal, ledger);
    if (together != null) {
      commit.run(together::recover);
    }
    this.affinity = ignite.affinity(ledger.getName());
    this.local = ignite.cluster().localNode();
    this.alone = alone;
  }

  /** Returns the records that exist, by id (expired markers included). */
  public Map<String, TaskRecord> read(Collection<String> ids) {
    Map<String, TaskRecord> records = readRows(ids);
    if (records.size() < ids.size() && addFromSheets(ids, records)) {
      // A sheet was not there: its last task may have got its row, and the sheet gone, meanwhile.
      List<String> missing = ids.stream().filter(id -> !records.containsKey(id)).toList();
      records.putAll(readRows(missing));
    }
    return records;
  }

  private Map<String, TaskRecord> readRows(Collection<String> ids) {
    Map<String, byte[]> stored = readStored(ids);
    Map<String, TaskRecord> records = new HashMap<>(ids.size() * 2);
    stored.forEach((id, bytes) -> records.put(id, RecordCodec.decode(id, bytes)));
    return records;
  }

  /**
   * As {@link #read}, but waits for changes of these records that are under way, even such as were
   * reported to have failed: what it returns is settled.
   */
  Map<String, TaskRecord> readSettled(Collection<String> ids) {
    if (together != null) {
      // A call to an atomic ledger on a lone node has ended, one way or the other, when it returns.
      Map<String, TaskRecord> found = new HashMap<>();
      inStorage("settle", () -> found.putAll(read(ids)));
      return found;
    }
    TreeSet<String> keys = new TreeSet<>(ids);
    ids.stream().map(Sheet::keyOf).filter(Objects::nonNull).forEach(keys::add);
    Map<String, TaskRecord> records = new HashMap<>();
    inStorage(
        "settle",
        () -> {
          try (Transaction tx =
              ignite
                  .transactions()
                  .txStart(
                      TransactionConcurrency.PESSIMISTIC, TransactionIsolation.REPEATABLE_READ)) {
            Map<String, byte[]> stored = ledger.getAll(keys);
            for (String id : ids) {
              TaskRecord record = settled(id, stored);
              if (record != null) {
                records.put(id, record);
              }
            }
            tx.commit();
          }
        });
    return records;
  }

  private static TaskRecord settled(String id, Map<String, byte[]> stored) {
    byte[] row = stored.get(id);
    if (row != null) {
      return RecordCodec.decode(id, row);
    }
    String key = Sheet.keyOf(id);
    byte[] sheet = key == null ? null : stored.get(key);
    return sheet == null ? null : onSheet(Sheet.decode(key, sheet), id);
  }

  /** Returns which of these ids have a row of their own. */
  Set<String> rows(Collection<String> ids) {
    return readStored(ids).keySet();
  }

  /** Returns records that have no row of their own yet, from their sheets. */
  Map<String, TaskRecord> readFromSheets(Collection<String> ids) {
    Map<String, TaskRecord> records = new HashMap<>(ids.size() * 2);
    addFromSheets(ids, records);
    return records;
  }

  /** Adds what sheets hold of the ids that are missing; says whether there was none for some. */
  private boolean addFromSheets(Collection<String> ids, Map<String, TaskRecord> records) {
    Map<String, List<TaskRecord>> sheets = new HashMap<>();
    boolean absent = false;
    for (String id : ids) {
      String key = records.containsKey(id) ? null : Sheet.keyOf(id);
      if (key == null) {
        continue;
      }
      TaskRecord record = onSheet(sheets.computeIfAbsent(key, this::sheet), id);
      if (record == null) {
        absent = true;
      } else {
        records.put(id, record);
      }
    }
    return absent;
  }

  private static TaskRecord onSheet(List<TaskRecord> sheet, String id) {
    int place = Sheet.place(id);
    // A copy: the sheet may be kept for the next reader, and callers change what they get.
    return place < sheet.size() ? sheet.get(place).copy() : null;
  }

  /** Returns the records on a sheet as they were submitted; shared, not to be changed. */
  List<TaskRecord> sheet(String key) {
    long deletions;
    synchronized (recentSheets) {
      List<TaskRecord> known = recentSheets.get(key);
      if (known != null) {
        return known;
      }
      deletions = sheetDeletions;
    }
    byte[] stored = readStored(List.of(key)).get(key);
    if (stored == null) {
      return List.of();
    }
    List<TaskRecord> sheet = Sheet.decode(key, stored);
    synchronized (recentSheets) {
      // One deleted between the read and now must not come to life again.
      if (deletions == sheetDeletions) {
        recentSheets.put(key, sheet);
      }
    }
    return sheet;
  }

  /** Deletes sheets of which every task has a row of its own, or had one. */
  void deleteSheets(List<String> keys) {
    delete(keys);
    synchronized (recentSheets) {
      sheetDeletions++;
      recentSheets.keySet().removeAll(keys);
    }
  }

  /** Forgets what was read: another home may have changed it since. */
  void forgetSheets() {
    synchronized (recentSheets) {
      sheetDeletions++;
      recentSheets.clear();
    }
  }

  /** A run of inserted records that share a sheet. */
  record Run(int from, int to, String key) {}

  /**
   * Writes new records; those that can share a sheet do. A crash may leave some of the rows, and
   * nobody is to hear of them before {@link #awaitDurable}: a worker may have them sooner, since
   * its answer is written behind them.
   *
   * @return which do
   */
  List<Run> insert(List<TaskRecord> records) {
    List<Run> runs = new ArrayList<>();
    TreeMap<String, byte[]> rows = new TreeMap<>();
    int at = 0;
    while (at < records.size()) {
      int length = Sheet.run(records, at);
      TaskRecord first = records.get(at);
      if (length == 0) {
        rows.put(first.id, RecordCodec.encode(first));
        at++;
      } else {
        Run run = new Run(at, at + length, Sheet.keyOf(first.id));
        rows.put(run.key(), Sheet.encode(records.subList(at, at + length)));
        runs.add(run);
        at += length;
      }
    }
    if (!rows.isEmpty()) {
      change("write", rows.keySet(), putting(rows, false), commit::write);
    }
    return runs;
  }

  private Map<String, byte[]> readStored(Collection<String> ids) {
    if (ids.isEmpty()) {
      return Map.of();
    }
    try {
      failpoint.accept("read");
      if (ids.size() == 1) {
        String id = ids.iterator().next();
        byte[] one = ledger.get(id);
        return one == null ? Map.of() : Map.of(id, one);
      }
      return ledger.getAll(new TreeSet<>(ids));
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw translated(e);
    }
  }

  /** Writes records that have nothing to do with each other: a crash may leave some of them. */
  public void write(List<TaskRecord> records) {
    put(rows(records), false);
  }

  /** Writes all of these records or none, whatever happens meanwhile. */
  void writeTogether(List<TaskRecord> records) {
    put(rows(records), true);
  }

  private static TreeMap<String, byte[]> rows(List<TaskRecord> records) {
    // Sorted keys: two batches with common ids cannot deadlock.
    TreeMap<String, byte[]> rows = new TreeMap<>();
    for (TaskRecord record : records) {
      rows.put(record.id, RecordCodec.encode(record));
    }
    return rows;
  }

  private void put(TreeMap<String, byte[]> rows, boolean asOne) {
    if (!rows.isEmpty()) {
      change("write", rows.keySet(), putting(rows, asOne), commit::run);
    }
  }

  private Runnable putting(TreeMap<String, byte[]> rows, boolean asOne) {
    if (rows.size() == 1) {
      return () -> ledger.put(rows.firstKey(), rows.firstEntry().getValue());
    }
    return asOne && together != null ? () -> together.put(rows) : () -> ledger.putAll(rows);
  }

  /** Returns when all that was written before is as durable as was promised. */
  void awaitDurable() {
    commit.await();
  }

  private void change(
      String step, Set<String> keys, Runnable change, Consumer<Runnable> committing) {
    if (alone.getAsBoolean()) {
      inStorage(step, change, committing);
    } else {
      guarded(step, keys, change, committing);
    }
  }

  /** Deletes these records. */
  public void delete(Collection<String> ids) {
    if (ids.isEmpty()) {
      return;
    }
    TreeSet<String> keys = new TreeSet<>(ids);
    change("delete", keys, () -> ledger.removeAll(keys), commit::run);
  }

  private void guarded(
      String step, Collection<String> keys, Runnable change, Consumer<Runnable> committing) {
    inStorage(
        step,
        () -> {
          try (Transaction tx =
              ignite
                  .transactions()
                  .txStart(
                      TransactionConcurrency.PESSIMISTIC, TransactionIsolation.READ_COMMITTED)) {
            change.run();
            for (String key : keys) {
              if (!affinity.isPrimary(local, key)) {
                throw new TasksException(
                    TasksException.Code.NOT_HOME, "the home of task " + key + " has moved");
              }
            }
            tx.commit();
          }
        },
        committing);
  }

  /** Calls {@code row} for each stored record of a partition whose stored form is wanted. */
  public void scan(int partition, Predicate<byte[]> wanted, BiConsumer<String, byte[]> row) {
    try (QueryCursor<Cache.Entry<String, byte[]>> cursor = cursor(partition)) {
      for (Cache.Entry<String, byte[]> entry : cursor) {
        if (wanted.test(entry.getValue())) {
          row.accept(entry.getKey(), entry.getValue());
        }
      }
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw translated(e);
    }
  }

  /** Opens a cursor over a local partition; the caller closes it. */
  QueryCursor<Cache.Entry<String, byte[]>> cursor(int partition) {
    return ledger.query(
        new ScanQuery<String, byte[]>().setPartition(partition).setLocal(true).setPageSize(1024));
  }

  /** Returns the partitions whose home is this node. */
  public int[] primaryPartitions() {
    return affinity.primaryPartitions(local);
  }

  private void inStorage(String step, Runnable change) {
    inStorage(step, change, commit::run);
  }

  private void inStorage(String step, Runnable change, Consumer<Runnable> committing) {
    try {
      failpoint.accept(step);
      committing.accept(change);
      failpoint.accept(step + " done");
    } catch (CacheException | IgniteException | IllegalStateException e) {
      // The last is how a node that stops refuses.
      throw translated(e);
    }
  }

  /** Returns what an exception of a cache, or of one of its cursors, means. */
  static TasksException translated(RuntimeException e) {
    if (X.hasCause(e, IgniteOutOfMemoryException.class)) {
      return new TasksException(
          TasksException.Code.STORAGE_FULL,
          "the data region is full: give the node more memory (region_max_mb) or drain the queues",
          e);
    }
    return new TasksException(
        TasksException.Code.UNAVAILABLE,
        "the ledger did not take the change (" + e.getClass().getSimpleName() + "): try again",
        e);
  }
}
