package org.ignitetasks.shared;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.apache.ignite.lang.IgniteBiPredicate;
import org.apache.ignite.lang.IgniteClosure;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.ignitetasks.model.Locator;
import org.ignitetasks.protocol.Repeats;
import org.ignitetasks.protocol.SettingsApi;

/**
 * Settings as rows of one transactional cache under "bucket/key", so that a bucket lies in one
 * partition and its list is one scan. A row is version, due time (0 for ever), token and value.
 *
 * <p>Thread-safe. What is past its time counts as absent at once and is deleted by {@link #sweep}.
 */
public final class SettingsStore implements SettingsApi {
  /** Values in one answer of a list, in bytes, about. */
  private static final long LIST_BYTES = 4 << 20;

  private static final int HEADER = 2 * Long.BYTES + 1;
  private static final int READ_BATCH = 64;

  private final Ignite ignite;
  private final Supplier<IgniteCache<String, byte[]>> cache;
  private final Repeats repeats;

  /**
   * @param cache asked anew for each call: a client node that was cut off opens its caches again
   */
  public SettingsStore(
      Ignite ignite, Supplier<IgniteCache<String, byte[]>> cache, Repeats repeats) {
    this.ignite = ignite;
    this.cache = cache;
    this.repeats = repeats;
  }

  private static String row(String bucket, String key) {
    return bucket + '/' + key;
  }

  @Override
  public Setting get(String bucket, String key) {
    return repeats.of(() -> setting(key, cache.get().get(row(bucket, key))));
  }

  private static Setting setting(String key, byte[] row) {
    if (row == null || past(row, System.currentTimeMillis())) {
      return null;
    }
    return new Setting(
        key, version(row), Arrays.copyOfRange(row, HEADER + row[HEADER - 1], row.length));
  }

  @Override
  public Put put(
      String bucket, String key, byte[] value, long expected, long ttlMillis, byte[] token) {
    String id = row(bucket, key);
    return repeats.of(
        () -> {
          IgniteCache<String, byte[]> rows = cache.get();
          try (Transaction tx =
              ignite
                  .transactions()
                  .txStart(
                      TransactionConcurrency.PESSIMISTIC, TransactionIsolation.REPEATABLE_READ)) {
            Put answer = change(rows, id, value, expected, ttlMillis, token);
            if (answer.done()) {
              tx.commit();
            }
            return answer;
          }
        });
  }

  private static Put change(
      IgniteCache<String, byte[]> rows,
      String id,
      byte[] value,
      long expected,
      long ttlMillis,
      byte[] token) {
    long now = System.currentTimeMillis();
    byte[] old = rows.get(id);
    long there = old == null || past(old, now) ? 0 : version(old);
    if (value != null && there > 0 && token != null && Arrays.equals(token, token(old))) {
      return new Put(true, there);
    }
    if (expected != ANY && expected != there) {
      return new Put(false, there);
    }
    if (value == null) {
      rows.remove(id);
      return new Put(true, 0);
    }
    // Of the clock, so that a key that was deleted and made again never shows an old version.
    long version = Math.max(now * 1000, old == null ? 0 : version(old) + 1);
    rows.put(id, encode(version, ttlMillis == 0 ? 0 : now + ttlMillis, token, value));
    return new Put(true, version);
  }

  private static byte[] encode(long version, long due, byte[] token, byte[] value) {
    int tokenLength = token == null ? 0 : token.length;
    ByteBuffer row = ByteBuffer.allocate(HEADER + tokenLength + value.length);
    row.putLong(version).putLong(due).put((byte) tokenLength);
    if (token != null) {
      row.put(token);
    }
    return row.put(value).array();
  }

  private static long version(byte[] row) {
    return ByteBuffer.wrap(row).getLong();
  }

  private static byte[] token(byte[] row) {
    return Arrays.copyOfRange(row, HEADER, HEADER + row[HEADER - 1]);
  }

  private static boolean past(byte[] row, long now) {
    long due = ByteBuffer.wrap(row).getLong(Long.BYTES);
    return due > 0 && due <= now;
  }

  @Override
  public List<Setting> list(String bucket, String prefix, String after, int limit) {
    String from = row(bucket, prefix);
    String last = after == null ? "" : row(bucket, after);
    return repeats.of(
        () -> {
          TreeSet<String> keys = firstKeys(Locator.partition(from), from, last, limit);
          return read(new ArrayList<>(keys), bucket.length() + 1);
        });
  }

  /** Returns the lowest keys of a bucket; no more of them are ever on the heap than asked for. */
  private TreeSet<String> firstKeys(int partition, String prefix, String after, int limit) {
    TreeSet<String> keys = new TreeSet<>();
    ScanQuery<String, byte[]> scan = new ScanQuery<>(new Live(prefix, after));
    scan.setPartition(partition);
    try (QueryCursor<String> cursor = cache.get().query(scan, new KeyOf())) {
      for (String key : cursor) {
        keys.add(key);
        if (keys.size() > limit) {
          keys.pollLast();
        }
      }
    }
    return keys;
  }

  private List<Setting> read(List<String> ids, int keyAt) {
    List<Setting> settings = new ArrayList<>();
    long size = 0;
    for (int from = 0; from < ids.size() && size < LIST_BYTES; from += READ_BATCH) {
      Collection<String> part = ids.subList(from, Math.min(ids.size(), from + READ_BATCH));
      Map<String, byte[]> found = cache.get().getAll(new TreeSet<>(part));
      for (String id : part) {
        Setting setting = size < LIST_BYTES ? setting(id.substring(keyAt), found.get(id)) : null;
        if (setting != null) {
          settings.add(setting);
          size += setting.value().length + 2L * id.length();
        }
      }
    }
    return settings;
  }

  /** Deletes what is past its time in the partitions that are this node's; returns how many. */
  public int sweep(int[] partitions) {
    int gone = 0;
    for (int partition : partitions) {
      ScanQuery<String, byte[]> scan = new ScanQuery<>(new Past());
      scan.setPartition(partition).setLocal(true);
      List<String> past = new ArrayList<>();
      try (QueryCursor<String> cursor = cache.get().query(scan, new KeyOf())) {
        cursor.forEach(past::add);
      }
      for (String id : past) {
        gone += deleteIfPast(id);
      }
    }
    return gone;
  }

  private int deleteIfPast(String id) {
    IgniteCache<String, byte[]> rows = cache.get();
    try (Transaction tx =
        ignite
            .transactions()
            .txStart(TransactionConcurrency.PESSIMISTIC, TransactionIsolation.REPEATABLE_READ)) {
      byte[] row = rows.get(id);
      if (row == null || !past(row, System.currentTimeMillis())) {
        return 0;
      }
      rows.remove(id);
      tx.commit();
      return 1;
    }
  }

  /** Accepts rows of a prefix, after a key, that are not past; runs where the partition is. */
  private static final class Live implements IgniteBiPredicate<String, byte[]> {
    private static final long serialVersionUID = 1L;
    private final String prefix;
    private final String after;

    Live(String prefix, String after) {
      this.prefix = prefix;
      this.after = after;
    }

    @Override
    public boolean apply(String id, byte[] row) {
      return id.startsWith(prefix)
          && id.compareTo(after) > 0
          && !past(row, System.currentTimeMillis());
    }
  }

  /** Accepts rows that are past; runs where the partition is. */
  private static final class Past implements IgniteBiPredicate<String, byte[]> {
    private static final long serialVersionUID = 1L;

    @Override
    public boolean apply(String id, byte[] row) {
      return past(row, System.currentTimeMillis());
    }
  }

  /** Leaves the value where it is. */
  private static final class KeyOf implements IgniteClosure<Cache.Entry<String, byte[]>, String> {
    private static final long serialVersionUID = 1L;

    @Override
    public String apply(Cache.Entry<String, byte[]> row) {
      return row.getKey();
    }
  }
}
