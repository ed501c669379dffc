package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.SettleTask;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;

/**
 * What is done to tasks from outside their normal course: purge, expiry, forget, dead letters. See
 * {@link Revoker} for revoke.
 *
 * <p>All of it works on small batches of reserved ids, and looks at the ledger only when they are
 * reserved: then nobody else inserts, ends, revives or erases the same records.
 */
final class Operations {
  /**
   * Entries one purge call takes, so that it stays short; callers repeat it until nothing is left.
   */
  private static final int PURGE_BATCH = 10_000;

  private static final int BATCH = 500;

  private final HomeContext home;
  private final DoubtSettler doubts;

  Operations(HomeContext home, DoubtSettler doubts) {
    this.home = home;
    this.doubts = doubts;
  }

  int forget(List<String> ids) {
    return inBatches(ids, part -> delete(part, r -> r.state.terminal()));
  }

  /** Does something with reserved ids, some at a time; returns the sum of what it returns. */
  private int inBatches(List<String> ids, Function<List<String>, Integer> action) {
    int sum = 0;
    for (int from = 0; from < ids.size(); from += BATCH) {
      List<String> part = ids.subList(from, Math.min(ids.size(), from + BATCH));
      sum +=
          home.unmoved(
              () -> {
                part.forEach(home::requireOwned);
                home.reservations.take(part);
                try {
                  return action.apply(part);
                } finally {
                  home.reservations.release(part);
                }
              });
    }
    return sum;
  }

  private int delete(List<String> ids, Predicate<TaskRecord> wanted) {
    List<TaskRecord> gone = new ArrayList<>();
    for (TaskRecord r : home.store.read(ids).values()) {
      if (!r.expired && wanted.test(r)) {
        gone.add(r);
      }
    }
    List<String> goneIds = gone.stream().map(r -> r.id).toList();
    home.erase(gone);
    gone.forEach(home::forgotten);
    home.dead.remove(goneIds);
    return gone.size();
  }

  /**
   * Takes waiting entries that match out of the order and ends them, as revoked, expired or
   * unknown.
   *
   * @param name the queue, or null for all
   * @param heard says of which ends a worker is told although nothing follows them
   * @return how many were taken
   */
  int endWaiting(
      String name,
      int most,
      Predicate<Entry> wanted,
      TaskState state,
      String errorType,
      String message,
      Predicate<TaskRecord> heard) {
    return home.unmoved(
        () -> {
          List<Entry> taken;
          synchronized (home.lock) {
            taken = home.state.drain(name, most, wanted);
          }
          endWaiting(taken, state, errorType, message, heard);
          return taken.size();
        });
  }

  /** Ends waiting entries that were taken out of the order; in {@link HomeContext#unmoved} only. */
  void endWaiting(
      List<Entry> entries,
      TaskState state,
      String errorType,
      String message,
      Predicate<TaskRecord> heard) {
    entries.forEach(home::unpark);
    for (int from = 0; from < entries.size(); from += BATCH) {
      List<Entry> part = entries.subList(from, Math.min(entries.size(), from + BATCH));
      try {
        endPart(part, state, errorType, message, heard);
      } catch (RuntimeException e) {
        putBack(entries.subList(from + part.size(), entries.size()));
        throw e;
      }
    }
  }

  private void endPart(
      List<Entry> part,
      TaskState state,
      String errorType,
      String message,
      Predicate<TaskRecord> heard) {
    List<String> ids = part.stream().map(e -> e.id).toList();
    try {
      home.reservations.take(ids);
    } catch (RuntimeException e) {
      putBack(part);
      throw e;
    }
    try {
      Map<String, TaskRecord> found;
      try {
        found = home.readFor(part);
      } catch (RuntimeException e) {
        putBack(part);
        throw e;
      }
      home.doubts.take(ids);
      List<TaskRecord> rows = new ArrayList<>(part.size());
      Map<String, Entry> live = new LinkedHashMap<>();
      for (Entry entry : part) {
        TaskRecord r = found.get(entry.id);
        if (r == null || r.expired || r.state.terminal()) {
          doubts.gone(entry, r);
        } else {
          Outcomes.fail(r, state, errorType, message, null, home.nowMillis());
          rows.add(r);
          live.put(r.id, entry);
        }
      }
      writeEnds(rows, live, heard);
    } finally {
      home.reservations.release(ids);
    }
  }

  /** Writes the ends of tasks that were taken out of the order, and tells of them. */
  void writeEnds(List<TaskRecord> rows, Map<String, Entry> entries, Predicate<TaskRecord> heard) {
    List<TaskRecord> settling = SettleTask.after(rows, heard, home.nowMillis());
    List<Entry> settlers = settling.stream().map(r -> new Entry(r, null)).toList();
    try {
      home.store.write(Stream.concat(rows.stream(), settling.stream()).toList());
    } catch (RuntimeException e) {
      home.doubts.add(entries.values(), TaskState.PENDING);
      home.doubts.add(settlers, null);
      throw e;
    }
    Map<Origin, List<Completion>> mail = Watchers.mail();
    long now = home.nowMillis();
    synchronized (home.lock) {
      for (TaskRecord r : rows) {
        home.watchers.collect(home.completion(r), entries.get(r.id).origin, mail);
        home.joined(r, now);
      }
      settlers.forEach(entry -> home.arrive(entry, 0, now));
    }
    home.metrics.submitted(settling);
    entries.values().forEach(home::leftOrder);
    rows.forEach(home::ended);
    home.tell(mail);
  }

  /** Brings entries back that were taken out of the order and not changed. */
  void putBack(Collection<Entry> entries) {
    long now = home.nowMillis();
    synchronized (home.lock) {
      entries.forEach(entry -> home.restored(entry, now));
    }
  }

  int purge(String queue) {
    String where = queue == null ? "with all queues" : "from queue " + queue;
    return endWaiting(
        queue,
        PURGE_BATCH,
        Operations::purged,
        TaskState.REVOKED,
        Failures.REVOKED,
        "purged " + where,
        end -> false);
  }

  /** What purged tasks leave behind is still to be settled. */
  private static boolean purged(Entry entry) {
    return !entry.task.equals(SettleTask.NAME);
  }

  List<TaskRecord> deadList(int limit) {
    List<TaskRecord> letters = new ArrayList<>(deadRecords(home.dead.first(limit)).values());
    letters.sort((a, b) -> Long.compare(a.finishedMillis, b.finishedMillis));
    return letters;
  }

  private static boolean dead(TaskRecord r) {
    return !r.expired && (r.state == TaskState.DEAD || r.state == TaskState.REJECTED);
  }

  private Map<String, TaskRecord> deadRecords(List<String> ids) {
    Map<String, TaskRecord> found = new HashMap<>(home.store.read(ids));
    found.values().removeIf(r -> !dead(r));
    return found;
  }

  int deadRetry(List<String> ids) {
    return inBatches(ids == null ? allDead() : ids, this::revive);
  }

  private int revive(List<String> ids) {
    Map<TaskState, List<Entry>> before = new HashMap<>();
    List<TaskRecord> rows = new ArrayList<>();
    for (TaskRecord r : deadRecords(ids).values()) {
      TaskState was = r.state;
      reopen(r);
      rows.add(r);
      before.computeIfAbsent(was, key -> new ArrayList<>()).add(new Entry(r, null));
    }
    try {
      home.store.write(rows);
    } catch (RuntimeException e) {
      before.forEach((was, entries) -> home.doubts.add(entries, was));
      throw e;
    }
    home.dead.remove(rows.stream().map(r -> r.id).toList());
    long now = home.nowMillis();
    synchronized (home.lock) {
      before.forEach(
          (was, entries) -> {
            for (Entry entry : entries) {
              home.metrics.stored(Locator.partition(entry.id), was, -1);
              entry.ownRow = true;
              home.arrive(entry, 0, now);
            }
          });
    }
    return rows.size();
  }

  private static void reopen(TaskRecord r) {
    r.state = TaskState.PENDING;
    // It waits for nothing any more, and its own end has been counted.
    r.joinSize = 0;
    r.flag(TaskFlags.COUNTED, r.joinId != null);
    r.flag(TaskFlags.REVOKE_ASKED, false);
    r.note = null;
    r.deliveries = 0;
    r.workerLosses = 0;
    r.attempt = 0;
    r.fence = 0;
    r.etaMillis = 0;
    r.expiresMillis = 0;
    r.finishedMillis = 0;
    r.startedMillis = 0;
    r.runMicros = 0;
    r.worker = null;
    r.errorType = null;
    r.payload = null;
    r.flag(TaskFlags.RESULT_REF, false);
  }

  int deadDrop(List<String> ids) {
    return inBatches(ids == null ? allDead() : ids, part -> delete(part, Operations::dead));
  }

  private List<String> allDead() {
    return home.dead.first(Integer.MAX_VALUE);
  }
}
