package org.ignitetasks.home;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
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
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;

/**
 * The only class that touches the ledger. One call, one transaction.
 *
 * <p>Which home may write a record is decided by Ignite's primary for its partition. A decision made
 * in memory could be old by the time it is written (the partition moved while this thread slept), so
 * on a cluster the check is repeated inside the transaction, after its locks pin the topology: a home
 * that lost a partition can then not overwrite what the new home has written.
 */
public final class RecordStore {
  private final Ignite ignite;
  private final IgniteCache<String, byte[]> ledger;
  private final Affinity<String> affinity;
  private final ClusterNode local;
  private final BooleanSupplier alone;

  /**
   * @param alone says whether this is the only data node, in which case nothing can move
   */
  public RecordStore(
      Ignite ignite, IgniteCache<String, byte[]> ledger, BooleanSupplier alone) {
    this.ignite = ignite;
    this.ledger = ledger;
    this.affinity = ignite.affinity(ledger.getName());
    this.local = ignite.cluster().localNode();
    this.alone = alone;
  }

  /** Returns the records that exist, by id (expired markers included). */
  public Map<String, TaskRecord> read(Collection<String> ids) {
    Map<String, byte[]> stored = readStored(ids);
    Map<String, TaskRecord> records = new HashMap<>(stored.size() * 2);
    stored.forEach((id, bytes) -> records.put(id, RecordCodec.decode(id, bytes)));
    return records;
  }

  private Map<String, byte[]> readStored(Collection<String> ids) {
    try {
      if (ids.size() == 1) {
        String id = ids.iterator().next();
        byte[] one = ledger.get(id);
        return one == null ? Map.of() : Map.of(id, one);
      }
      return ledger.getAll(new TreeSet<>(ids));
    } catch (CacheException | IgniteException e) {
      throw translated(e);
    }
  }

  /** Writes all of these records or none. */
  public void write(List<TaskRecord> records) {
    if (records.isEmpty()) {
      return;
    }
    if (records.size() == 1 && alone.getAsBoolean()) {
      TaskRecord one = records.get(0);
      inStorage(() -> ledger.put(one.id, RecordCodec.encode(one)));
      return;
    }
    // Sorted keys: two batches with common ids cannot deadlock.
    TreeMap<String, byte[]> rows = new TreeMap<>();
    for (TaskRecord record : records) {
      rows.put(record.id, RecordCodec.encode(record));
    }
    if (alone.getAsBoolean()) {
      inStorage(() -> ledger.putAll(rows));
    } else {
      guarded(rows.keySet(), () -> ledger.putAll(rows));
    }
  }

  /** Deletes these records. */
  public void delete(Collection<String> ids) {
    if (ids.isEmpty()) {
      return;
    }
    TreeSet<String> keys = new TreeSet<>(ids);
    if (alone.getAsBoolean()) {
      inStorage(() -> ledger.removeAll(keys));
    } else {
      guarded(keys, () -> ledger.removeAll(keys));
    }
  }

  private void guarded(Collection<String> keys, Runnable change) {
    inStorage(
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
        });
  }

  /** Calls {@code row} for each stored record of a partition whose stored form is wanted. */
  public void scan(int partition, Predicate<byte[]> wanted, BiConsumer<String, byte[]> row) {
    try (QueryCursor<Cache.Entry<String, byte[]>> cursor = cursor(partition)) {
      for (Cache.Entry<String, byte[]> entry : cursor) {
        if (wanted.test(entry.getValue())) {
          row.accept(entry.getKey(), entry.getValue());
        }
      }
    } catch (CacheException | IgniteException e) {
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

  private static void inStorage(Runnable change) {
    try {
      change.run();
    } catch (CacheException | IgniteException e) {
      throw translated(e);
    }
  }

  private static TasksException translated(RuntimeException e) {
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
