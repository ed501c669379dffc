package org.ignitetasks.ledger;

import java.util.Collection;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.function.Supplier;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteCheckedException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.internal.IgniteEx;
import org.apache.ignite.internal.IgniteInternalFuture;
import org.apache.ignite.internal.processors.affinity.AffinityTopologyVersion;
import org.apache.ignite.internal.processors.cache.GridCacheContext;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.ignitetasks.model.TasksException;

/**
 * The ledger of several data nodes: each call is a transaction of Ignite's.
 *
 * <p>Which home may write a row is decided by Ignite's primary for its partition. A decision made
 * in memory could be old by the time it is written (the partition moved while this thread slept),
 * so the check is repeated inside the transaction, after its locks pin the topology: a home that
 * lost a partition can then not overwrite what the new home has written.
 */
public final class ClusterLedger implements Ledger {
  /** Longest wait for partitions that are being exchanged. */
  private static final long EXCHANGE_MILLIS = 5_000;

  private final Ignite ignite;
  private final IgniteCache<String, byte[]> cache;
  private final Affinity<String> affinity;
  private final ClusterNode local;
  private final Commit commit;

  /**
   * @param cache a transactional one
   * @param commit makes changes as durable as was promised
   */
  public ClusterLedger(Ignite ignite, IgniteCache<String, byte[]> cache, Commit commit) {
    this.ignite = ignite;
    this.cache = cache;
    this.commit = commit;
    this.affinity = ignite.affinity(cache.getName());
    this.local = ignite.cluster().localNode();
  }

  @Override
  public Map<String, byte[]> read(SortedSet<String> keys) {
    return Caches.read(cache, keys);
  }

  @Override
  public Map<String, byte[]> readSettled(SortedSet<String> keys) {
    return inTransaction(TransactionIsolation.REPEATABLE_READ, () -> cache.getAll(keys));
  }

  @Override
  public void write(SortedMap<String, byte[]> rows) {
    guarded(rows.keySet(), () -> Caches.put(cache, rows));
  }

  @Override
  public void delete(SortedSet<String> keys) {
    guarded(keys, () -> cache.removeAll(keys));
  }

  private void guarded(Collection<String> keys, Runnable change) {
    commit.write(
        () ->
            inTransaction(
                TransactionIsolation.READ_COMMITTED,
                () -> {
                  change.run();
                  keys.forEach(this::requirePrimary);
                  return null;
                }));
  }

  private void requirePrimary(String key) {
    if (!affinity.isPrimary(local, key)) {
      throw new TasksException(
          TasksException.Code.NOT_HOME, "the home of task " + key + " has moved");
    }
  }

  private <T> T inTransaction(TransactionIsolation isolation, Supplier<T> work) {
    try (Transaction tx =
        ignite.transactions().txStart(TransactionConcurrency.PESSIMISTIC, isolation)) {
      T made = work.get();
      tx.commit();
      return made;
    }
  }

  @Override
  public void awaitDurable() {
    commit.await();
  }

  @Override
  public Walk walk(int partition) {
    QueryCursor<Cache.Entry<String, byte[]>> cursor = Caches.cursor(cache, partition);
    return Ledger.walk(
        cursor.iterator(), row -> Map.entry(row.getKey(), row.getValue()), cursor::close);
  }

  /**
   * A placement is known before its partitions have been exchanged, that is before what their old
   * home was committing when it died is settled here: this waits for that, and fails where it takes
   * long, so that who follows the topology can look at the rest of it and ask again.
   */
  @Override
  public int[] primaryPartitions() {
    GridCacheContext<?, ?> context = ((IgniteEx) ignite).cachex(cache.getName()).context();
    AffinityTopologyVersion version = context.affinity().affinityTopologyVersion();
    try {
      IgniteInternalFuture<?> exchanged = context.shared().exchange().affinityReadyFuture(version);
      if (exchanged != null) {
        exchanged.get(EXCHANGE_MILLIS);
      }
    } catch (IgniteCheckedException e) {
      throw new IgniteException("the partitions are being exchanged", e);
    }
    return context.affinity().primaryPartitions(local.id(), version).stream()
        .mapToInt(Integer::intValue)
        .sorted()
        .toArray();
  }
}
