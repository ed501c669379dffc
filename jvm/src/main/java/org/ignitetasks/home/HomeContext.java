package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.ignitetasks.model.BlobRef;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.BlobStore;
import org.ignitetasks.protocol.CompletionLink;
import org.ignitetasks.protocol.WorkerLink;

/**
 * What the parts of one home share. Not an interface to anybody else.
 *
 * <p>{@link #lock} guards {@link #state} and {@link #watchers}; it is held for microseconds, never
 * during I/O or a call to another part of the system.
 */
final class HomeContext {
  /** Opaque bytes of waiting tasks that may stay on the heap, so that they need not be read again. */
  private static final long HOT_BYTES = 24L << 20;

  /** Heap of a record beside its opaque bytes, roughly. */
  private static final int RECORD_OVERHEAD = 320;

  private static final Logger LOG = Logger.getLogger("ignitetasks.home");

  final Object lock = new Object();
  final QueueState state;
  final Watchers watchers;
  final RecordStore store;
  final BlobStore blobs;
  final WorkerLink workers;
  final CompletionLink gateways;
  final HomeMetrics metrics = new HomeMetrics();
  final HomeSettings settings;
  final DueTimes due = new DueTimes();
  final SheetUse sheets = new SheetUse();
  final Doubts doubts = new Doubts();
  final DeadLetters dead = new DeadLetters();

  /** Set by the first task with an expiry: until then nobody looks for late ones. */
  volatile boolean someExpire;

  private final Queue<String> blobsToDrop = new ConcurrentLinkedQueue<>();
  private final AtomicLong hotBytes = new AtomicLong();

  HomeContext(
      HomeSettings settings,
      RecordStore store,
      BlobStore blobs,
      WorkerLink workers,
      CompletionLink gateways) {
    this.settings = settings;
    this.store = store;
    this.blobs = blobs;
    this.workers = workers;
    this.gateways = gateways;
    this.state =
        new QueueState(
            settings.leaseTtlMillis() * 1_000_000L,
            settings.unknownTaskGraceMillis() * 1_000_000L,
            sheets::ended);
    this.watchers = new Watchers();
  }

  long nowMillis() {
    return System.currentTimeMillis();
  }

  long nowNanos() {
    return System.nanoTime();
  }

  /** Deletes a blob when there is time for it; its loss to a crash is made good by its own expiry. */
  void dropBlobLater(String blobId) {
    blobsToDrop.add(blobId);
  }

  /** Returns the next blob to delete, or null. */
  String nextBlobToDrop() {
    return blobsToDrop.poll();
  }

  /** Notes a durable end: counts it and when its record expires. */
  void ended(TaskRecord r) {
    metrics.stored(r.state, 1);
    metrics.finished.of(r.state.name()).increment();
    if (r.state == TaskState.DEAD || r.state == TaskState.REJECTED) {
      metrics.deadLetters.of(r.queue).increment();
    }
    due.note(r.id, r.dueMillis());
  }

  /** Deletes rows; a marker stays for a task whose sheet does, or it would seem to wait again. */
  void erase(List<String> ids) {
    List<String> free = new ArrayList<>();
    List<TaskRecord> markers = new ArrayList<>();
    for (String id : ids) {
      if (sheets.holds(id)) {
        markers.add(marker(id, nowMillis() + settings.maxTombstoneMillis()));
      } else {
        free.add(id);
      }
    }
    store.write(markers);
    store.delete(free);
  }

  /** Returns the marker of an expired task, to be deleted at {@code dueMillis}. */
  TaskRecord marker(String id, long dueMillis) {
    TaskRecord marker = new TaskRecord();
    marker.id = id;
    marker.expired = true;
    marker.finishedMillis = dueMillis;
    due.note(id, dueMillis);
    return marker;
  }

  /** Deletes the blobs of a record that is gone. */
  void dropBlobsOf(TaskRecord r) {
    if (r.has(TaskFlags.BODY_REF)) {
      BlobRef.of(r.body).ifPresent(ref -> dropBlobLater(ref.blobId()));
      dropBlobLater(r.id + "/a");
    }
    if (r.has(TaskFlags.RESULT_REF)) {
      BlobRef.of(r.payload).ifPresent(ref -> dropBlobLater(ref.blobId()));
    }
  }

  void log(String what, Throwable cause) {
    LOG.log(Level.WARNING, what, cause);
  }

  /** Drops the entry's record from the heap if the budget for waiting tasks is used up. */
  void park(Entry entry) {
    someExpire |= entry.expiresMillis > 0;
    int size = RECORD_OVERHEAD + entry.record.opaqueSize();
    if (hotBytes.get() + size > HOT_BYTES) {
      entry.record = null;
      return;
    }
    hotBytes.addAndGet(size);
  }

  /** Takes the entry's record out of the budget for waiting tasks: it is on its way to a worker. */
  void unpark(Entry entry) {
    hotBytes.addAndGet(-(RECORD_OVERHEAD + entry.record.opaqueSize()));
  }
}
