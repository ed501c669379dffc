package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
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
  private long restUntilNanos = Long.MIN_VALUE;
  private long blobsSweptNanos = System.nanoTime();

  Sweeper(HomeContext home, Operations operations) {
    this.home = home;
    this.operations = operations;
  }

  void run() {
    dropBlobs();
    endExpiredWaiting();
    if (home.nowNanos() < restUntilNanos) {
      return;
    }
    long start = home.nowNanos();
    for (int partition : home.store.primaryPartitions()) {
      if (home.due.mayHave(partition, home.nowMillis())) {
        sweep(partition);
      }
    }
    restUntilNanos = home.nowNanos() + REST * (home.nowNanos() - start);
  }

  private void dropBlobs() {
    for (String id = home.nextBlobToDrop(); id != null; id = home.nextBlobToDrop()) {
      home.blobs.drop(id);
    }
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
    List<Entry> late;
    do {
      synchronized (home.lock) {
        late = home.state.drain(null, BATCH, e -> e.expiresMillis > 0 && e.expiresMillis <= now);
      }
      operations.endWaiting(
          late, TaskState.REVOKED, Failures.EXPIRED, "expired before it was started");
    } while (late.size() == BATCH);
  }

  private void sweep(int partition) {
    long now = home.nowMillis();
    home.due.reset(partition);
    List<TaskRecord> markers = new ArrayList<>();
    List<String> gone = new ArrayList<>();
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
          } else if (record.expired) {
            gone.add(id);
          } else {
            markers.add(record);
          }
          flush(markers, gone, false, now);
        });
    flush(markers, gone, true, now);
  }

  private void flush(List<TaskRecord> expired, List<String> gone, boolean all, long now) {
    if (expired.size() >= BATCH || (all && !expired.isEmpty())) {
      List<TaskRecord> markers = new ArrayList<>(expired.size());
      Set<String> ids = new HashSet<>();
      for (TaskRecord record : expired) {
        long stay = Math.min(home.settings.maxTombstoneMillis(), record.resultTtlMillis);
        markers.add(home.marker(record.id, now + Math.max(60_000, stay)));
        ids.add(record.id);
      }
      home.store.write(markers);
      for (TaskRecord record : expired) {
        home.metrics.stored(record.state, -1);
        home.dropBlobsOf(record);
      }
      home.dead.remove(ids);
      home.metrics.recordsExpired.add(expired.size());
      expired.clear();
    }
    if (gone.size() >= BATCH || (all && !gone.isEmpty())) {
      home.erase(gone);
      gone.clear();
    }
  }
}
