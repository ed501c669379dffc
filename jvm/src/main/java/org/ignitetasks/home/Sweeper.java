package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import org.ignitetasks.model.Failures;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.Sheet;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;

/**
 * Deletes what has expired, in small batches and with a bounded share of the machine. Ignite's own
 * TTL is not used: with persistence it has corrupted stores, and it cannot tell "expired" from
 * "unknown".
 *
 * <p>A record past its time becomes a marker of a few bytes; the marker goes as much later again.
 */
final class Sweeper {
  private static final int BATCH = 500;

  /** After a look at a partition that took t, none follows for this many times t. */
  private static final int REST = 20;

  private static final long BLOB_SWEEP_NANOS = 60_000_000_000L;

  private final HomeContext home;
  private final Operations operations;

  /** A marker stays at least so long, or nobody would ever see it. */
  private static final long LEAST_STAY_MILLIS = 60_000;

  private long restUntilNanos = Long.MIN_VALUE;
  private long blobsSweptNanos = System.nanoTime();

  Sweeper(HomeContext home, Operations operations) {
    this.home = home;
    this.operations = operations;
  }

  void run() {
    sweepBlobs();
    endExpiredWaiting();
    if (home.nowNanos() < restUntilNanos) {
      return;
    }
    long start = home.nowNanos();
    BitSet owned = home.owned;
    for (int at = owned.nextSetBit(0); at >= 0; at = owned.nextSetBit(at + 1)) {
      if (home.due.mayHave(at, home.nowMillis())) {
        look(at);
      }
    }
    restUntilNanos = home.nowNanos() + REST * (home.nowNanos() - start);
  }

  private void sweepBlobs() {
    if (home.nowNanos() - blobsSweptNanos > BLOB_SWEEP_NANOS) {
      blobsSweptNanos = home.nowNanos();
      home.blobs.sweep(home.nowMillis());
    }
  }

  private void endExpiredWaiting() {
    if (!home.someExpire) {
      return;
    }
    long now = home.nowMillis();
    int late;
    do {
      late =
          operations.endWaiting(
              null,
              BATCH,
              e -> e.expiresMillis > 0 && e.expiresMillis <= now,
              TaskState.REVOKED,
              Failures.EXPIRED,
              "expired before it was started",
              home::heard);
    } while (late == BATCH);
  }

  private void look(int partition) {
    home.due.reset(partition);
    try {
      sweep(partition);
    } catch (RuntimeException e) {
      home.due.lookAgain(partition);
      throw e;
    }
  }

  private void sweep(int partition) {
    long now = home.nowMillis();
    List<TaskRecord> expired = new ArrayList<>();
    List<TaskRecord> markers = new ArrayList<>();
    home.store.scan(
        partition,
        stored -> {
          TaskState state = Sheet.is(stored) ? TaskState.PENDING : RecordCodec.peekState(stored);
          return state == null || state.terminal();
        },
        (id, stored) -> {
          TaskRecord record = RecordCodec.decode(id, stored);
          long due = record.expired ? record.finishedMillis : record.dueMillis();
          if (due > now) {
            home.due.note(partition, due);
          } else if (waitedFor(record)) {
            home.due.note(partition, now + LEAST_STAY_MILLIS);
          } else if (record.expired) {
            markers.add(record);
          } else {
            expired.add(record);
          }
          if (expired.size() == BATCH) {
            reserved(expired, () -> expire(expired, now));
          }
          if (markers.size() == BATCH) {
            reserved(markers, () -> erase(markers, now));
          }
        });
    reserved(expired, () -> expire(expired, now));
    reserved(markers, () -> erase(markers, now));
  }

  /** A join that has not ended reads its members, and a rebuild counts them. */
  private boolean waitedFor(TaskRecord record) {
    if (record.joinId == null) {
      return false;
    }
    synchronized (home.lock) {
      return home.joins.open(record.joinId);
    }
  }

  private void reserved(List<TaskRecord> batch, Runnable action) {
    if (batch.isEmpty()) {
      return;
    }
    List<String> ids = batch.stream().map(r -> r.id).toList();
    home.unmoved(
        () -> {
          ids.forEach(home::requireOwned);
          home.reservations.take(ids);
          try {
            action.run();
          } finally {
            home.reservations.release(ids);
          }
          return null;
        });
    batch.clear();
  }

  /**
   * Returns the records as they are now: since the scan some may have been forgotten or revived.
   */
  private Collection<TaskRecord> now(List<TaskRecord> scanned) {
    return home.store.read(scanned.stream().map(r -> r.id).toList()).values();
  }

  private void expire(List<TaskRecord> scanned, long now) {
    List<TaskRecord> expired = new ArrayList<>(scanned.size());
    List<TaskRecord> markers = new ArrayList<>(scanned.size());
    for (TaskRecord record : now(scanned)) {
      if (!record.expired && record.state.terminal() && record.dueMillis() <= now) {
        long stay = Math.min(home.settings.maxTombstoneMillis(), record.resultTtlMillis);
        expired.add(record);
        markers.add(home.marker(record, now + Math.max(LEAST_STAY_MILLIS, stay)));
      }
    }
    home.store.write(markers);
    expired.forEach(home::forgotten);
    home.dead.remove(expired.stream().map(r -> r.id).toList());
    home.metrics.recordsExpired.add(expired.size());
  }

  private void erase(List<TaskRecord> scanned, long now) {
    List<TaskRecord> gone = new ArrayList<>(scanned.size());
    for (TaskRecord record : now(scanned)) {
      if (record.expired && record.finishedMillis <= now) {
        gone.add(record);
      }
    }
    home.erase(gone);
  }
}
