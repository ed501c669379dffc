package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;

/**
 * What is done to tasks from outside their normal course: revoke, purge, forget, dead letters, and
 * inserts whose outcome is open.
 */
final class Operations {
  /** Entries one purge call takes, so that it stays short; callers repeat it until nothing is left. */
  private static final int PURGE_BATCH = 10_000;

  /** Below this many waiting tasks a revoked one is taken out of the order at once. */
  private static final int SEARCHABLE = 20_000;

  private final HomeContext home;
  private final Completer completer;

  Operations(HomeContext home, Completer completer) {
    this.home = home;
    this.completer = completer;
  }

  int forget(List<String> ids) {
    List<TaskRecord> gone = new ArrayList<>();
    for (TaskRecord r : home.store.read(ids).values()) {
      if (!r.expired && r.state.terminal()) {
        gone.add(r);
      }
    }
    delete(gone);
    return gone.size();
  }

  private void delete(List<TaskRecord> gone) {
    home.erase(gone.stream().map(r -> r.id).toList());
    for (TaskRecord r : gone) {
      home.metrics.stored(r.state, -1);
      home.dropBlobsOf(r);
    }
    home.dead.remove(gone.stream().map(r -> r.id).toList());
  }

  int[] revoke(List<String> ids, boolean terminate, String signal) {
    int[] states = new int[ids.size()];
    for (int i = 0; i < states.length; i++) {
      states[i] = revokeOne(ids.get(i), terminate, signal);
    }
    return states;
  }

  private int revokeOne(String id, boolean terminate, String signal) {
    TaskRecord found = home.store.read(List.of(id)).get(id);
    if (found == null || found.expired) {
      return -1;
    }
    if (found.state.terminal()) {
      return found.state.code();
    }
    Entry held;
    Entry waiting = null;
    WorkerSlots worker = null;
    long fence = 0;
    synchronized (home.lock) {
      held = home.state.lease(id);
      if (held != null) {
        worker = home.state.worker(held.epoch);
        fence = held.fence;
        if (terminate && home.state.completing(id, fence) == null) {
          // Its end is being written at this moment: too late to revoke.
          return found.state.code();
        }
      } else {
        waiting = takeWaiting(id);
      }
    }
    if (held == null) {
      revokeWaiting(found, waiting);
      return TaskState.REVOKED.code();
    }
    if (terminate) {
      completer.end(held, TaskState.REVOKED, Failures.REVOKED, "revoked while it ran");
    }
    if (worker != null) {
      home.workers.kill(
          worker.info.node(), worker.info.epoch(), id, fence, terminate ? signal : null);
    }
    return terminate ? TaskState.REVOKED.code() : found.state.code();
  }

  /** Takes a waiting task out of the order; returns its entry unless it was only marked. */
  private Entry takeWaiting(String id) {
    int waiting = 0;
    for (QueueState.Queue queue : home.state.queues()) {
      waiting += queue.waiting() + queue.delayed;
    }
    if (waiting <= SEARCHABLE) {
      List<Entry> taken = home.state.drain(null, 1, e -> e.id.equals(id));
      if (!taken.isEmpty()) {
        return taken.get(0);
      }
    }
    home.state.revokedWaiting(id);
    return null;
  }

  private void revokeWaiting(TaskRecord found, Entry entry) {
    TaskRecord row = found.copy();
    Outcomes.fail(row, TaskState.REVOKED, Failures.REVOKED, "revoked", null, home.nowMillis());
    try {
      home.store.write(List.of(row));
    } catch (TasksException e) {
      home.doubts.add(List.of(found));
      throw e;
    }
    if (entry != null) {
      home.sheets.ended(entry);
    }
    tell(List.of(row), entry == null || entry.origin == null ? Map.of() : Map.of(row.id, entry.origin));
  }

  private void tell(List<TaskRecord> rows, Map<String, Origin> origins) {
    Map<Origin, List<Completion>> mail = Watchers.mail();
    synchronized (home.lock) {
      for (TaskRecord r : rows) {
        home.watchers.collect(
            new Completion(r.id, r.state.code(), r.payload, false), origins.get(r.id), mail);
      }
    }
    mail.forEach(home.gateways::completed);
    rows.forEach(home::ended);
  }

  /** Ends waiting entries that were taken out of the order, as revoked, expired or unknown. */
  void endWaiting(List<Entry> entries, TaskState state, String errorType, String message) {
    if (entries.isEmpty()) {
      return;
    }
    Map<String, TaskRecord> cold =
        home.store.read(entries.stream().filter(e -> e.record == null).map(e -> e.id).toList());
    long now = home.nowMillis();
    List<TaskRecord> rows = new ArrayList<>(entries.size());
    Map<String, Origin> origins = new HashMap<>();
    for (Entry entry : entries) {
      if (entry.record != null) {
        home.unpark(entry);
      }
      TaskRecord r = entry.record != null ? entry.record.copy() : cold.get(entry.id);
      if (r != null && !r.expired && !r.state.terminal()) {
        Outcomes.fail(r, state, errorType, message, null, now);
        rows.add(r);
        if (entry.origin != null) {
          origins.put(r.id, entry.origin);
        }
      }
    }
    try {
      home.store.write(rows);
    } catch (TasksException e) {
      home.doubts.add(rows);
      throw e;
    }
    entries.forEach(home.sheets::ended);
    tell(rows, origins);
  }

  int purge(String queue) {
    List<Entry> taken;
    synchronized (home.lock) {
      taken = home.state.drain(queue, PURGE_BATCH, e -> true);
    }
    for (int from = 0; from < taken.size(); from += 500) {
      List<Entry> part = taken.subList(from, Math.min(taken.size(), from + 500));
      endWaiting(part, TaskState.REVOKED, Failures.REVOKED, "purged from queue " + queue);
    }
    return taken.size();
  }

  List<TaskRecord> deadList(int limit) {
    List<TaskRecord> letters = new ArrayList<>(deadRecords(home.dead.first(limit)).values());
    letters.sort((a, b) -> Long.compare(a.finishedMillis, b.finishedMillis));
    return letters;
  }

  private Map<String, TaskRecord> deadRecords(List<String> ids) {
    Map<String, TaskRecord> found = new HashMap<>(home.store.read(ids));
    found
        .values()
        .removeIf(
            r -> r.expired || (r.state != TaskState.DEAD && r.state != TaskState.REJECTED));
    return found;
  }

  int deadRetry(List<String> ids) {
    List<TaskRecord> rows = new ArrayList<>();
    for (TaskRecord r : deadRecords(ids == null ? allDead() : ids).values()) {
      home.metrics.stored(r.state, -1);
      r.state = TaskState.PENDING;
      r.deliveries = 0;
      r.workerLosses = 0;
      r.attempt = 0;
      r.fence = 0;
      r.etaMillis = 0;
      r.expiresMillis = 0;
      r.finishedMillis = 0;
      r.startedMillis = 0;
      r.errorType = null;
      r.payload = null;
      r.flag(TaskFlags.RESULT_REF, false);
      rows.add(r);
    }
    home.store.write(rows);
    home.dead.remove(rows.stream().map(r -> r.id).toList());
    long now = home.nowMillis();
    synchronized (home.lock) {
      for (TaskRecord r : rows) {
        Entry entry = new Entry(r, null);
        home.park(entry);
        home.state.submitted(entry, now);
      }
    }
    return rows.size();
  }

  int deadDrop(List<String> ids) {
    List<TaskRecord> rows =
        new ArrayList<>(deadRecords(ids == null ? allDead() : ids).values());
    delete(rows);
    return rows.size();
  }

  private List<String> allDead() {
    return home.dead.first(Integer.MAX_VALUE);
  }
}
