package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.ignitetasks.ledger.Ledger;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.HomeApi.ScanPage;

/** Looks at a home without changing it: status, live details of a task, pages of all records. */
final class Inspector {
  private static final long CURSOR_TTL_NANOS = 60_000_000_000L;

  private static final class OpenScan {
    int[] partitions;
    int next;
    Ledger.Walk rows;
    long usedNanos;
  }

  private final HomeContext home;
  private final Map<String, OpenScan> scans = new LinkedHashMap<>();

  Inspector(HomeContext home) {
    this.home = home;
  }

  /** Adds to a record what only memory knows: who runs it now. Call with the lock. */
  TaskRecord live(TaskRecord record) {
    if (record == null || record.expired || record.state.terminal()) {
      return record;
    }
    Entry held = home.state.lease(record.id);
    if (held != null) {
      WorkerSlots worker = home.state.worker(held.epoch);
      record.worker = worker == null ? record.worker : worker.info.name();
      record.fence = held.fence;
    }
    return record;
  }

  Map<String, Object> status() {
    List<Object> queues = new ArrayList<>();
    List<Object> workers = new ArrayList<>();
    Map<String, Object> states = new LinkedHashMap<>();
    long waiting = 0;
    long delayed = 0;
    long running = 0;
    synchronized (home.lock) {
      long now = home.nowMillis();
      for (WaitingOrder.Queue queue : home.state.queues()) {
        waiting += queue.waiting();
        delayed += queue.delayed;
        running += queue.running;
        queues.add(queue(queue, now));
      }
      for (WorkerSlots worker : home.state.workers()) {
        workers.add(worker(worker));
      }
      waiting += home.joins.waiting() - home.state.revokedWaitingCount();
    }
    states.put("PENDING", Math.max(0, waiting));
    states.put("DELAYED", delayed);
    states.put("RUNNING", running);
    for (TaskState state : TaskState.values()) {
      if (state.terminal()) {
        states.put(state.name(), home.metrics.stored(state));
      }
    }
    Map<String, Object> status = new LinkedHashMap<>();
    status.put("queues", queues);
    status.put("workers", workers);
    status.put("states", states);
    return status;
  }

  private Map<String, Object> queue(WaitingOrder.Queue queue, long now) {
    Entry oldest = queue.first();
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("name", queue.name);
    map.put("pending", queue.waiting());
    map.put("delayed", queue.delayed);
    map.put("running", queue.running);
    map.put("oldest_ms", oldest == null ? 0 : Math.max(0, now - oldest.createdMillis));
    int free = 0;
    for (WorkerSlots worker : home.state.workers()) {
      if (worker.info.queues().contains(queue.name)) {
        free += worker.freeSlots();
      }
    }
    map.put("workers", home.state.listeners(queue.name));
    map.put("free_slots", free);
    return map;
  }

  private static Map<String, Object> worker(WorkerSlots worker) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("name", worker.info.name());
    map.put("host", worker.info.host());
    map.put("pid", worker.info.pid());
    map.put("epoch", worker.info.epoch());
    map.put("queues", worker.info.queues());
    map.put("concurrency", worker.info.concurrency());
    map.put("pool", worker.info.pool());
    map.put("free", worker.freeSlots());
    map.put("running", worker.leased);
    map.put("done", worker.done);
    map.put("failed", worker.failed);
    map.put("lost", worker.lost);
    map.put("started_ms", worker.info.startedMillis());
    // The application's own; what every worker brings along does not count.
    map.put(
        "tasks", worker.info.tasks().stream().filter(n -> !n.startsWith("ignitetasks.")).count());
    return map;
  }

  /** Returns the next page of all records of this home; pages are not a snapshot. */
  ScanPage scan(String token, int limit) {
    synchronized (scans) {
      closeIdle();
      OpenScan scan = token == null ? open() : scans.get(token);
      if (scan == null) {
        throw new TasksException(
            TasksException.Code.BAD_REQUEST, "the scan's cursor has expired: start again");
      }
      List<TaskRecord> rows = new ArrayList<>();
      boolean more;
      try {
        more = page(scan, limit, rows);
      } catch (RuntimeException e) {
        scans.remove(token);
        close(scan);
        throw Ledger.translated(e);
      }
      String next = more ? (token == null ? UUID.randomUUID().toString() : token) : null;
      if (more) {
        scan.usedNanos = home.nowNanos();
        scans.put(next, scan);
      } else if (token != null) {
        scans.remove(token);
      }
      return new ScanPage(next, rows);
    }
  }

  private boolean page(OpenScan scan, int limit, List<TaskRecord> rows) {
    while (rows.size() < limit && advance(scan)) {
      Map.Entry<String, byte[]> row = scan.rows.next();
      if (Sheet.is(row.getValue())) {
        addWaiting(Sheet.decode(row.getKey(), row.getValue()), rows);
      } else {
        add(RecordCodec.decode(row.getKey(), row.getValue()), rows);
      }
    }
    return advance(scan);
  }

  private static void close(OpenScan scan) {
    if (scan.rows != null) {
      scan.rows.close();
      scan.rows = null;
    }
  }

  private void addWaiting(List<TaskRecord> sheet, List<TaskRecord> rows) {
    Set<String> known = home.store.rows(sheet.stream().map(r -> r.id).toList());
    for (TaskRecord record : sheet) {
      if (!known.contains(record.id)) {
        add(record, rows);
      }
    }
  }

  private static void add(TaskRecord record, List<TaskRecord> rows) {
    if (!record.expired) {
      record.body = null;
      record.payload = null;
      record.options = null;
      rows.add(record);
    }
  }

  private OpenScan open() {
    OpenScan scan = new OpenScan();
    scan.partitions = home.store.primaryPartitions();
    return scan;
  }

  private boolean advance(OpenScan scan) {
    while (scan.rows == null || !scan.rows.hasNext()) {
      close(scan);
      if (scan.next == scan.partitions.length) {
        return false;
      }
      scan.rows = home.store.walk(scan.partitions[scan.next++]);
    }
    return true;
  }

  private void closeIdle() {
    long now = home.nowNanos();
    scans
        .values()
        .removeIf(
            scan -> {
              boolean idle = now - scan.usedNanos > CURSOR_TTL_NANOS;
              if (idle) {
                close(scan);
              }
              return idle;
            });
  }
}
