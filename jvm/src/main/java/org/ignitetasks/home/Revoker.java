package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;

/**
 * Revokes tasks, wherever they are: one that waits leaves the order, one that runs is terminated or
 * at least not run again.
 *
 * <p>What is to be revoked is claimed in memory first and looked up in the ledger then: the other
 * way round, a task that ends between the two would be ended twice.
 */
final class Revoker {
  private static final int BATCH = 500;

  /** Up to so many waiting tasks the revoked ones are searched for; above, their ids are marked. */
  private static final int SEARCHABLE = 200_000;

  private static final long BUSY_NANOS = 10_000_000_000L;

  /** A delivery whose worker is to be told. */
  private record Kill(WorkerSlots worker, String id, long fence, String signal) {}

  /** What was found of the ids of one batch, and taken. */
  private static final class Taken {
    final Map<String, Entry> waiting = new HashMap<>();
    final Map<String, Entry> leased = new HashMap<>();
    final Map<String, Entry> running = new HashMap<>();
    final Set<String> marked = new HashSet<>();
    final List<Kill> kills = new ArrayList<>();

    /** Returns the ids of tasks whose last write was in doubt. */
    Set<String> unsure() {
      return Stream.of(waiting, leased, running)
          .flatMap(some -> some.values().stream())
          .filter(entry -> entry.unsure)
          .map(entry -> entry.id)
          .collect(Collectors.toCollection(HashSet::new));
    }

    void releaseAll(HomeContext home) {
      leased.values().forEach(home::release);
      running.values().forEach(home::release);
    }
  }

  private final HomeContext home;
  private final Completer completer;
  private final Operations operations;
  private final DoubtSettler doubts;

  Revoker(HomeContext home, Completer completer, Operations operations, DoubtSettler doubts) {
    this.home = home;
    this.completer = completer;
    this.operations = operations;
    this.doubts = doubts;
  }

  /** Returns the code of the state each task has afterwards, -1 if there is none. */
  int[] revoke(List<String> ids, boolean terminate, String signal) {
    List<String> different = List.copyOf(new LinkedHashSet<>(ids));
    Map<String, Integer> states = new HashMap<>();
    for (int from = 0; from < different.size(); from += BATCH) {
      List<String> part = different.subList(from, Math.min(different.size(), from + BATCH));
      home.unmoved(
          () -> {
            part.forEach(home::requireOwned);
            home.reservations.take(part);
            try {
              states.putAll(revokeReserved(part, terminate, signal));
            } finally {
              home.reservations.release(part);
            }
            return null;
          });
    }
    return ids.stream().mapToInt(states::get).toArray();
  }

  private Map<String, Integer> revokeReserved(List<String> ids, boolean terminate, String signal) {
    Taken taken;
    synchronized (home.lock) {
      taken = take(ids, terminate, signal);
    }
    Map<String, TaskRecord> found;
    try {
      found = look(ids, taken);
    } catch (RuntimeException e) {
      undo(taken);
      throw e;
    }
    Map<String, Integer> states = new HashMap<>();
    List<TaskRecord> rows = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    for (String id : ids) {
      TaskRecord r = found.get(id);
      if (r == null || r.expired) {
        states.put(id, -1);
        if (r == null || r.forgotten) {
          unknown.add(id);
        }
      } else if (r.state.terminal() || taken.running.containsKey(id)) {
        states.put(id, r.state.code());
      } else {
        states.put(id, TaskState.REVOKED.code());
        if (!taken.leased.containsKey(id)) {
          rows.add(r);
        }
      }
    }
    endWaiting(taken, rows, found);
    keepRunning(taken, found);
    endLeased(taken, found, signal);
    revokeAhead(unknown);
    return states;
  }

  /** Reads the records; of tasks whose last write was in doubt, for sure. */
  private Map<String, TaskRecord> look(List<String> ids, Taken taken) {
    Map<String, Doubts.Doubt> open = home.doubts.take(ids);
    Map<String, TaskRecord> found;
    try {
      Set<String> unsure = taken.unsure();
      unsure.addAll(open.keySet());
      found = home.store.read(ids, unsure);
    } catch (RuntimeException e) {
      home.doubts.putBack(open);
      throw e;
    }
    Map<String, Doubts.Doubt> others = new HashMap<>(open);
    for (Doubts.Doubt doubt : open.values()) {
      TaskRecord r = found.get(doubt.entry().id);
      if (r != null && !r.state.terminal()) {
        home.waitsAgain(doubt);
        taken.waiting.put(r.id, doubt.entry());
        others.remove(r.id);
      }
    }
    // Whatever else their writes came to, the timer sees to it.
    home.doubts.putBack(others);
    return found;
  }

  /** Claims leases that are to end, takes waiting entries out; call with the lock. */
  private Taken take(List<String> ids, boolean terminate, String signal) {
    long deadline = home.nowNanos() + BUSY_NANOS;
    while (ids.stream().anyMatch(this::busy)) {
      completer.awaitClaims(deadline);
    }
    Taken taken = new Taken();
    Set<String> unleased = new HashSet<>();
    for (String id : ids) {
      Entry entry = home.state.lease(id);
      if (entry == null) {
        unleased.add(id);
        continue;
      }
      WorkerSlots worker = home.state.worker(entry.epoch);
      if (entry.sent && worker != null) {
        taken.kills.add(new Kill(worker, id, entry.fence, terminate ? signal : null));
      }
      home.state.completing(id, entry.fence);
      if (ends(entry, terminate)) {
        taken.leased.put(id, entry);
      } else {
        taken.running.put(id, entry);
      }
    }
    takeWaiting(unleased, taken);
    return taken;
  }

  private static boolean ends(Entry entry, boolean terminate) {
    return terminate || !entry.sent;
  }

  private boolean busy(String id) {
    Entry entry = home.state.lease(id);
    return entry != null && entry.completing;
  }

  private void takeWaiting(Set<String> ids, Taken taken) {
    for (String id : List.copyOf(ids)) {
      Entry entry = home.joins.take(id);
      if (entry != null) {
        taken.waiting.put(id, entry);
        ids.remove(id);
      }
    }
    if (ids.isEmpty()) {
      return;
    }
    if (home.state.waiting() <= SEARCHABLE) {
      for (Entry entry : home.state.drain(null, ids.size(), e -> ids.contains(e.id))) {
        home.unpark(entry);
        taken.waiting.put(entry.id, entry);
      }
      return;
    }
    ids.forEach(home.state::revokedWaiting);
    taken.marked.addAll(ids);
  }

  private void undo(Taken taken) {
    synchronized (home.lock) {
      taken.releaseAll(home);
      taken.marked.forEach(home.state::notRevoked);
      home.claimsReleased();
    }
    operations.putBack(List.copyOf(taken.waiting.values()));
  }

  private void endWaiting(Taken taken, List<TaskRecord> live, Map<String, TaskRecord> found) {
    Map<String, Entry> entries = new LinkedHashMap<>();
    List<TaskRecord> rows = new ArrayList<>();
    long now = home.nowMillis();
    for (TaskRecord r : live) {
      Entry entry = taken.waiting.remove(r.id);
      entries.put(r.id, entry == null ? new Entry(r, null) : entry);
      taken.marked.remove(r.id);
      TaskRecord row = r.copy();
      Outcomes.fail(row, TaskState.REVOKED, Failures.REVOKED, "revoked", null, now);
      rows.add(row);
    }
    synchronized (home.lock) {
      // What is left of these has no record that waits.
      taken.marked.forEach(home.state::notRevoked);
    }
    taken.waiting.values().forEach(entry -> doubts.gone(entry, found.get(entry.id)));
    try {
      operations.writeEnds(rows, entries, home::heard);
    } catch (RuntimeException e) {
      synchronized (home.lock) {
        taken.releaseAll(home);
        home.claimsReleased();
      }
      throw e;
    }
  }

  /** Puts on record that what runs must not run again, for a home that is rebuilt meanwhile. */
  private void keepRunning(Taken taken, Map<String, TaskRecord> found) {
    List<TaskRecord> rows = new ArrayList<>();
    List<Entry> kept = new ArrayList<>();
    boolean done = false;
    try {
      for (Entry entry : taken.running.values()) {
        TaskRecord r = entry.record == null ? found.get(entry.id) : entry.record;
        if (entry.unsure) {
          r = home.store.readSettled(List.of(entry.id)).get(entry.id);
        }
        if (r != null && !r.state.terminal()) {
          rows.add(askedToEnd(r, entry));
          kept.add(entry);
        }
      }
      home.store.write(rows);
      done = true;
    } finally {
      synchronized (home.lock) {
        for (int i = 0; i < kept.size(); i++) {
          kept(kept.get(i), rows.get(i), done);
        }
        taken.running.values().forEach(entry -> entry.revokeAsked = true);
        taken.running.values().forEach(home::release);
        if (!done) {
          taken.leased.values().forEach(home::release);
        }
        home.claimsReleased();
      }
    }
  }

  private static TaskRecord askedToEnd(TaskRecord r, Entry entry) {
    TaskRecord row = r.copy();
    row.flag(TaskFlags.REVOKE_ASKED, true);
    row.fence = entry.fence;
    return row;
  }

  private static void kept(Entry entry, TaskRecord row, boolean done) {
    entry.unsure = !done;
    if (done) {
      entry.ownRow = true;
      entry.leaseOnRecord = true;
      entry.record = row;
    }
  }

  /** Marks ids that nobody has submitted: should they come, they are refused. */
  private void revokeAhead(List<String> unknown) {
    List<TaskRecord> markers = new ArrayList<>();
    long now = home.nowMillis();
    long due = now + RevokedAhead.STAY_MILLIS;
    for (String id : unknown) {
      if (home.ahead.has(id, now)) {
        continue;
      }
      if (home.ahead.full()) {
        home.log("too many ids are revoked before they were submitted: " + id + " is not", null);
        break;
      }
      TaskRecord of = new TaskRecord();
      of.id = id;
      TaskRecord marker = home.marker(of, due);
      marker.forgotten = true;
      marker.state = TaskState.REVOKED;
      markers.add(marker);
    }
    home.store.write(markers);
    markers.forEach(marker -> home.ahead.add(marker.id, due));
  }

  private void endLeased(Taken taken, Map<String, TaskRecord> found, String signal) {
    List<Entry> leased = new ArrayList<>();
    for (Entry entry : taken.leased.values()) {
      TaskRecord r = entry.record == null ? found.get(entry.id) : entry.record;
      if (r == null || r.state.terminal()) {
        doubts.gone(entry, r);
      } else {
        leased.add(entry);
      }
    }
    if (!leased.isEmpty()) {
      completer.revoked(leased, found, signal);
    }
    for (Kill kill : taken.kills) {
      try {
        home.workers.kill(
            kill.worker.info.node(), kill.worker.info.epoch(), kill.id, kill.fence, kill.signal);
      } catch (RuntimeException e) {
        // Its result will be refused all the same.
        home.log("task " + kill.id + " could not be terminated", e);
      }
    }
  }
}
