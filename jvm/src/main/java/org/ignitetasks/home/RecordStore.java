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
import java.util.function.Consumer;
import java.util.function.Predicate;
import javax.cache.CacheException;
import org.apache.ignite.IgniteException;
import org.ignitetasks.ledger.Ledger;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskRecord;

/**
 * The records of tasks on the {@link Ledger}'s rows: one row a record, or many new ones on a sheet.
 * One call, one commit: all rows of it or none.
 */
public final class RecordStore {
  private static final int RECENT_SHEETS = 8;

  private final Ledger ledger;

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

  public RecordStore(Ledger ledger) {
    this(ledger, point -> {});
  }

  RecordStore(Ledger ledger, Consumer<String> failpoint) {
    this.ledger = ledger;
    this.failpoint = failpoint;
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

  /** As {@link #read}, but as {@link #readSettled} for those whose last write was in doubt. */
  Map<String, TaskRecord> read(Collection<String> ids, Set<String> unsure) {
    if (unsure.isEmpty()) {
      return read(ids);
    }
    Map<String, TaskRecord> records = readSettled(unsure);
    records.putAll(read(ids.stream().filter(id -> !unsure.contains(id)).toList()));
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
    TreeSet<String> keys = new TreeSet<>(ids);
    ids.stream().map(Sheet::keyOf).filter(Objects::nonNull).forEach(keys::add);
    Map<String, TaskRecord> records = new HashMap<>();
    inStorage(
        "settle",
        () -> {
          Map<String, byte[]> stored = ledger.readSettled(keys);
          for (String id : ids) {
            TaskRecord record = settled(id, stored);
            if (record != null) {
              records.put(id, record);
            }
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
   * Writes new records; those that can share a sheet do. A crash may still take them back, and
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
      inStorage("write", () -> ledger.write(rows));
    }
    return runs;
  }

  private Map<String, byte[]> readStored(Collection<String> ids) {
    if (ids.isEmpty()) {
      return Map.of();
    }
    try {
      failpoint.accept("read");
      return ledger.read(new TreeSet<>(ids));
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw Ledger.translated(e);
    }
  }

  /** Writes all of these records or none, whatever happens meanwhile. */
  public void write(List<TaskRecord> records) {
    write(records, Set.of());
  }

  /**
   * As {@link #write(List)}.
   *
   * @param absent ids of records that have had no row of their own yet, for certain
   */
  void write(List<TaskRecord> records, Set<String> absent) {
    TreeMap<String, byte[]> rows = new TreeMap<>();
    for (TaskRecord record : records) {
      rows.put(record.id, RecordCodec.encode(record));
    }
    if (!rows.isEmpty()) {
      commit("write", () -> ledger.write(rows, absent));
    }
  }

  /** Returns when all that was written before stays. */
  void awaitDurable() {
    ledger.awaitDurable();
  }

  /** Deletes these records. */
  public void delete(Collection<String> ids) {
    if (ids.isEmpty()) {
      return;
    }
    TreeSet<String> keys = new TreeSet<>(ids);
    commit("delete", () -> ledger.delete(keys));
  }

  /** Calls {@code row} for each stored record of a partition whose stored form is wanted. */
  public void scan(int partition, Predicate<byte[]> wanted, BiConsumer<String, byte[]> row) {
    try (Ledger.Walk rows = walk(partition)) {
      while (rows.hasNext()) {
        Map.Entry<String, byte[]> entry = rows.next();
        if (wanted.test(entry.getValue())) {
          row.accept(entry.getKey(), entry.getValue());
        }
      }
    } catch (CacheException | IgniteException | IllegalStateException e) {
      throw Ledger.translated(e);
    }
  }

  /** Opens a walk over a local partition; the caller closes it. */
  Ledger.Walk walk(int partition) {
    return ledger.walk(partition);
  }

  /** Returns the partitions whose home is this node. */
  public int[] primaryPartitions() {
    return ledger.primaryPartitions();
  }

  /** Makes a change; when this returns, it has happened and stays. */
  private void commit(String step, Runnable change) {
    inStorage(
        step,
        () -> {
          try {
            change.run();
          } finally {
            // After a failure too: what was written of it must not be less safe than what others
            // conclude from reading it.
            ledger.awaitDurable();
          }
        });
  }

  private void inStorage(String step, Runnable change) {
    try {
      failpoint.accept(step);
      change.run();
      failpoint.accept(step + " done");
    } catch (CacheException | IgniteException | IllegalStateException e) {
      // The last is how a node that stops refuses.
      throw Ledger.translated(e);
    }
  }
}
