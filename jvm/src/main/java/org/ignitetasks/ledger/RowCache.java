package org.ignitetasks.ledger;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import javax.cache.Cache;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.query.QueryCursor;

/**
 * The rows of a lone node in Ignite's cache, where many small ones of neighbouring keys share a
 * {@link RowPack}: a put costs far more than the bytes it brings.
 *
 * <p>A key is in one place, in a pack or alone. One that is alone stays so; a pack takes keys that
 * are nowhere, several at once. Read by anybody, changed by one thread: it looks where a key is
 * before it puts it, unless it is told that it is nowhere.
 */
final class RowCache {
  /** Fewer new rows of a block do not make or enlarge a pack. */
  static final int FEWEST = 8;

  /** Larger rows stay alone: whoever wants one row reads its whole pack. */
  static final int LARGEST = 1024;

  /** Keys of one call of the cache, which locks all of them. */
  private static final int CALL = 512;

  private final IgniteCache<String, byte[]> cache;
  private final Commit commit;

  /**
   * @param cache an atomic one
   * @param commit how its changes become durable
   */
  RowCache(IgniteCache<String, byte[]> cache, Commit commit) {
    this.cache = cache;
    this.commit = commit;
  }

  /** Returns the rows that are there. */
  Map<String, byte[]> read(SortedSet<String> keys) {
    Map<String, List<String>> blocks = new HashMap<>();
    TreeSet<String> alone = new TreeSet<>();
    for (String key : keys) {
      String packKey = RowPack.keyOf(key);
      if (packKey == null) {
        alone.add(key);
      } else {
        blocks.computeIfAbsent(packKey, k -> new ArrayList<>()).add(key);
      }
    }
    Map<String, byte[]> found = new HashMap<>();
    Map<String, byte[]> packs = Caches.read(cache, new TreeSet<>(blocks.keySet()));
    blocks.forEach(
        (packKey, block) -> {
          byte[] stored = packs.get(packKey);
          RowPack pack = stored == null ? null : RowPack.decode(packKey, stored);
          for (String key : block) {
            byte[] row = pack == null ? null : pack.get(RowPack.place(key));
            if (row == null) {
              alone.add(key);
            } else {
              found.put(key, row);
            }
          }
        });
    // Packs first: a row that leaves its pack is there alone before.
    found.putAll(Caches.read(cache, alone));
    return found;
  }

  /** What one call of {@link #store} changes. */
  private static final class Changes {
    final TreeMap<String, byte[]> alone = new TreeMap<>();
    final TreeMap<String, byte[]> packs = new TreeMap<>();
    final TreeSet<String> gone = new TreeSet<>();
    private final boolean again;

    Changes(boolean again) {
      this.again = again;
    }

    /** A row stays in its pack; an earlier try may have left it alone, too. */
    void stays(String key) {
      if (again) {
        gone.add(key);
      }
    }

    void alone(String key, byte[] row) {
      if (row == null) {
        gone.add(key);
      } else {
        alone.put(key, row);
      }
    }
  }

  /**
   * Makes or replaces rows, each whole or not at all; null takes one away. By one thread only.
   *
   * @param absent keys among them that are known to be nowhere
   */
  void store(Map<String, byte[]> rows, Set<String> absent) {
    store(rows, absent, false);
  }

  /**
   * As {@link #store}, for rows of a call that may have ended half-way, by an error or with the
   * process: one that was leaving its pack can be in it and alone.
   */
  void storeAgain(Map<String, byte[]> rows) {
    store(rows, Set.of(), true);
  }

  private void store(Map<String, byte[]> rows, Set<String> absent, boolean again) {
    Changes changes = new Changes(again);
    Map<String, Map<String, byte[]>> blocks = new HashMap<>();
    rows.forEach(
        (key, row) -> {
          String packKey = RowPack.keyOf(key);
          if (packKey == null) {
            changes.alone(key, row);
          } else {
            blocks.computeIfAbsent(packKey, k -> new LinkedHashMap<>()).put(key, row);
          }
        });
    Map<String, byte[]> packs = Caches.read(cache, new TreeSet<>(blocks.keySet()));
    blocks.forEach((packKey, block) -> change(packKey, packs.get(packKey), block, absent, changes));
    commit.write(() -> perform(changes));
  }

  private void change(
      String packKey,
      byte[] stored,
      Map<String, byte[]> block,
      Set<String> absent,
      Changes changes) {
    RowPack pack = stored == null ? new RowPack() : RowPack.decode(packKey, stored);
    Set<String> joining = joining(pack, block, absent);
    boolean changed = false;
    for (Map.Entry<String, byte[]> entry : block.entrySet()) {
      int place = RowPack.place(entry.getKey());
      boolean inside = pack.get(place) != null;
      if (small(entry.getValue()) && (inside || joining.contains(entry.getKey()))) {
        pack.set(place, entry.getValue());
        changed = true;
        if (inside) {
          changes.stays(entry.getKey());
        }
      } else {
        changes.alone(entry.getKey(), entry.getValue());
        if (inside) {
          pack.set(place, null);
          changed = true;
        }
      }
    }
    if (changed && pack.isEmpty()) {
      changes.gone.add(packKey);
    } else if (changed) {
      changes.packs.put(packKey, pack.encode());
    }
  }

  /** Returns which rows that are not in the pack it is to take. */
  private Set<String> joining(RowPack pack, Map<String, byte[]> block, Set<String> absent) {
    Set<String> joining = new HashSet<>();
    TreeSet<String> unknown = new TreeSet<>();
    block.forEach(
        (key, row) -> {
          if (small(row) && pack.get(RowPack.place(key)) == null) {
            (absent.contains(key) ? joining : unknown).add(key);
          }
        });
    if (!unknown.isEmpty() && joining.size() + unknown.size() >= FEWEST) {
      joining.addAll(unknown);
      joining.removeAll(Caches.read(cache, unknown).keySet());
    }
    return joining.size() < FEWEST ? Set.of() : joining;
  }

  private static boolean small(byte[] row) {
    return row != null && row.length <= LARGEST;
  }

  private void perform(Changes changes) {
    put(changes.alone);
    put(changes.packs);
    if (!changes.gone.isEmpty()) {
      cache.removeAll(changes.gone);
    }
  }

  private void put(SortedMap<String, byte[]> rows) {
    TreeMap<String, byte[]> part = new TreeMap<>();
    rows.forEach(
        (key, row) -> {
          part.put(key, row);
          if (part.size() == CALL) {
            Caches.put(cache, part);
            part.clear();
          }
        });
    Caches.put(cache, part);
  }

  /** Opens a walk over the rows of a partition; the caller closes it. */
  Ledger.Walk walk(int partition) {
    QueryCursor<Cache.Entry<String, byte[]>> cursor = Caches.cursor(cache, partition);
    Iterator<Map.Entry<String, byte[]>> rows =
        StreamSupport.stream(cursor.spliterator(), false).flatMap(RowCache::rows).iterator();
    return Ledger.walk(rows, row -> row, cursor::close);
  }

  private static Stream<Map.Entry<String, byte[]>> rows(Cache.Entry<String, byte[]> stored) {
    String key = stored.getKey();
    if (!RowPack.is(stored.getValue())) {
      return Stream.of(Map.entry(key, stored.getValue()));
    }
    RowPack pack = RowPack.decode(key, stored.getValue());
    return IntStream.range(0, RowPack.ROWS)
        .filter(place -> pack.get(place) != null)
        .mapToObj(place -> Map.entry(RowPack.keyAt(key, place), pack.get(place)));
  }
}
