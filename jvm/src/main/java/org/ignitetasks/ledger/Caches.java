package org.ignitetasks.ledger;

import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import javax.cache.Cache;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;

/** What both ledgers ask of a cache: the short way where there is one row only. */
final class Caches {
  private static final int PAGE = 1024;

  private Caches() {}

  static Map<String, byte[]> read(IgniteCache<String, byte[]> cache, SortedSet<String> keys) {
    if (keys.size() == 1) {
      byte[] row = cache.get(keys.first());
      return row == null ? Map.of() : Map.of(keys.first(), row);
    }
    return keys.isEmpty() ? Map.of() : cache.getAll(keys);
  }

  static void put(IgniteCache<String, byte[]> cache, SortedMap<String, byte[]> rows) {
    if (rows.size() == 1) {
      cache.put(rows.firstKey(), rows.get(rows.firstKey()));
    } else if (!rows.isEmpty()) {
      cache.putAll(rows);
    }
  }

  /** Opens a cursor over a partition that is kept here; the caller closes it. */
  static QueryCursor<Cache.Entry<String, byte[]>> cursor(
      IgniteCache<String, byte[]> cache, int partition) {
    return cache.query(
        new ScanQuery<String, byte[]>().setPartition(partition).setLocal(true).setPageSize(PAGE));
  }
}
