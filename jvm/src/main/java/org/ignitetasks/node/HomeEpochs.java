package org.ignitetasks.node;

import java.nio.ByteBuffer;
import java.nio.LongBuffer;
import java.util.BitSet;
import java.util.function.UnaryOperator;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.ignitetasks.home.PastHomes;
import org.ignitetasks.model.Locator;

/** The epochs of a cluster's homes: a counter, and for each partition that of its last home. */
final class HomeEpochs implements PastHomes {
  private static final String NEXT = "home-epoch";
  private static final String BY_PARTITION = "home-epochs";

  private final Ignite ignite;
  private final IgniteCache<String, byte[]> meta;

  /**
   * @param meta a transactional cache
   */
  HomeEpochs(Ignite ignite, IgniteCache<String, byte[]> meta) {
    this.ignite = ignite;
    this.meta = meta;
  }

  /** Returns a number that no home of this cluster has had. */
  long next() {
    return update(
        NEXT,
        1,
        last -> {
          last[0]++;
          return last;
        })[0];
  }

  @Override
  public long[] last() {
    try {
      return longs(meta.get(BY_PARTITION), Locator.PARTITIONS);
    } catch (CacheException | IgniteException e) {
      throw new IllegalStateException("the epochs of earlier homes could not be read", e);
    }
  }

  @Override
  public void taken(BitSet partitions, long epoch) {
    update(
        BY_PARTITION,
        Locator.PARTITIONS,
        epochs -> {
          partitions.stream().forEach(partition -> epochs[partition] = epoch);
          return epochs;
        });
  }

  private long[] update(String row, int length, UnaryOperator<long[]> change) {
    try (Transaction tx =
        ignite
            .transactions()
            .txStart(TransactionConcurrency.PESSIMISTIC, TransactionIsolation.REPEATABLE_READ)) {
      long[] changed = change.apply(longs(meta.get(row), length));
      ByteBuffer bytes = ByteBuffer.allocate(changed.length * Long.BYTES);
      bytes.asLongBuffer().put(changed);
      meta.put(row, bytes.array());
      tx.commit();
      return changed;
    } catch (CacheException | IgniteException e) {
      throw new IllegalStateException("the home's epoch could not be written", e);
    }
  }

  private static long[] longs(byte[] stored, int length) {
    long[] values = new long[length];
    if (stored != null) {
      LongBuffer found = ByteBuffer.wrap(stored).asLongBuffer();
      found.get(values, 0, Math.min(length, found.remaining()));
    }
    return values;
  }
}
