package org.ignitetasks.home;

import java.time.InstantSource;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.ignitetasks.model.BlobRef;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.BlobStore;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionLink;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.RateLink;
import org.ignitetasks.protocol.WorkerLink;

/**
 * What the parts of one home share. Not an interface to anybody else.
 *
 * <p>{@link #lock} guards {@link #state} and {@link #watchers}; it is held for microseconds, never
 * during I/O or a call to another part of the system.
 */
final class HomeContext {
  /**
   * Opaque bytes of waiting tasks that may stay on the heap, so that they need not be read again.
   */
  static final long HOT_BYTES = 24L << 20;

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
  final Reservations reservations = new Reservations();
  final Doubts doubts = new Doubts();
  final DeadLetters dead = new DeadLetters();
  final Joins joins = new Joins();
  final RevokedAhead ahead = new RevokedAhead();

  /**
   * Held shared by all that takes tasks out of the order, or brings them in, around a write; held
   * alone by the home that gives partitions up: then no task of theirs is between ledger and order.
   */
  final ReadWriteLock moving = new ReentrantReadWriteLock();

  /** Partitions this node is the home of; replaced, never changed. */
  volatile BitSet owned = new BitSet(Locator.PARTITIONS);

  /** Set by the first task with an expiry: until then nobody looks for late ones. */
  volatile boolean someExpire;

  /** Limits and buckets of the cluster; replaced before the home starts, if at all. */
  volatile RateLink rates = new LocalRates(this::nowMillis);

  /** What is known of earlier homes; replaced before the home starts, if at all. */
  volatile PastHomes past = PastHomes.NONE;

  private final InstantSource clock;
  private final BlockingQueue<String> blobsToDrop = new LinkedBlockingQueue<>();
  private final AtomicLong hotBytes = new AtomicLong();

  HomeContext(
      HomeSettings settings,
      RecordStore store,
      BlobStore blobs,
      WorkerLink workers,
      CompletionLink gateways,
      InstantSource clock) {
    this.settings = settings;
    this.clock = clock;
    this.store = store;
    this.blobs = blobs;
    this.workers = workers;
    this.gateways = gateways;
    this.state =
        new QueueState(
            settings.leaseTtlMillis() * 1_000_000L,
            settings.unknownTaskGraceMillis() * 1_000_000L,
            this::leftOrder);
    this.watchers = new Watchers();
  }

  long nowMillis() {
    return clock.millis();
  }

  long nowNanos() {
    return System.nanoTime();
  }

  /** Refuses an id whose home this node is not. */
  void requireOwned(String id) {
    if (!owned.get(Locator.partition(id))) {
      throw new TasksException(
          TasksException.Code.NOT_HOME, "this node is not the home of task " + id);
    }
  }

  /** Refuses a member whose join another home keeps: it would not hear of the end. */
  void requireJoin(TaskRecord r) {
    if (r.joinId != null && !owned.get(Locator.partition(r.joinId))) {
      throw new TasksException(
          TasksException.Code.BAD_REQUEST,
          "task "
              + r.id
              + " is to be waited for by "
              + r.joinId
              + ", which another node keeps: give both ids with the same last four digits");
    }
  }

  /** Returns the records of these entries; for sure, where the last write was in doubt. */
  Map<String, TaskRecord> readFor(Collection<Entry> entries) {
    List<String> ids = new ArrayList<>(entries.size());
    Set<String> unsure = new HashSet<>();
    for (Entry entry : entries) {
      ids.add(entry.id);
      if (entry.unsure) {
        unsure.add(entry.id);
      }
    }
    return store.read(ids, unsure);
  }

  /** Does something during which no partition is given up. */
  <T> T unmoved(Supplier<T> action) {
    moving.readLock().lock();
    try {
      return action.get();
    } finally {
      moving.readLock().unlock();
    }
  }

  /** Notes that a waiting entry is in no order any more and will not be again. */
  void leftOrder(Entry entry) {
    unpark(entry);
    entry.record = null;
    sheets.ended(entry);
  }

  /**
   * Deletes a blob when there is time for it; its loss to a crash is made good by its own expiry.
   */
  void dropBlobLater(String blobId) {
    blobsToDrop.add(blobId);
  }

  /** Returns the next blob to delete, or null. */
  String nextBlobToDrop() {
    return blobsToDrop.poll();
  }

  /** Waits for a blob to delete and returns its id. */
  String awaitBlobToDrop() throws InterruptedException {
    return blobsToDrop.take();
  }

  /** Notes that a task in doubt turned out to wait. */
  void waitsAgain(Doubts.Doubt doubt) {
    Entry entry = doubt.entry();
    entry.ownRow = true;
    if (doubt.before() == null) {
      sheets.hold(entry.id);
    } else if (doubt.before().terminal()) {
      metrics.stored(Locator.partition(entry.id), doubt.before(), -1);
      dead.remove(List.of(entry.id));
    }
  }

  /** Says whether a worker wants to hear of an end that no child has decided. */
  boolean heard(TaskRecord end) {
    synchronized (lock) {
      return state.heard(end.queue);
    }
  }

  /**
   * Takes a task whose record is durable: into the order, or among those that wait for others. Call
   * with the lock. Returns whether it is ready.
   */
  boolean arrive(Entry entry, int joinSize, long nowMillis) {
    if (joinSize != 0 && joins.hold(entry, joinSize)) {
      return false;
    }
    park(entry);
    state.submitted(entry, nowMillis);
    return true;
  }

  /** As {@link #arrive}, for a task that had an entry; its record may be quite another one. */
  boolean succeed(Entry before, TaskRecord record, long nowMillis) {
    Entry entry = new Entry(record, before.origin);
    entry.sheet = before.sheet;
    entry.ownRow = true;
    before.sheet = null;
    unpark(before);
    if (record.joinSize == 0) {
      joins.closed(record.id);
    }
    return arrive(entry, record.joinSize, nowMillis);
  }

  /**
   * Takes out a reserved task that waits for others or for its call; null if it does so no more.
   *
   * <p>The write that made it wait may be in doubt: the ledger has it, but its old delivery has not
   * ended here. Nobody must take it for a task that runs: the caller comes again.
   */
  Entry takeWaiting(String id) {
    synchronized (lock) {
      Entry entry = joins.take(id);
      Entry lease = entry == null ? state.lease(id) : null;
      if (lease != null && lease.unsure) {
        throw new TasksException(
            TasksException.Code.BUSY, "what became of task " + id + " is not known yet: try again");
      }
      return entry;
    }
  }

  /** Brings an entry back that was taken out and not changed; call with the lock. */
  void restored(Entry entry, long nowMillis) {
    if (joins.putBack(entry)) {
      return;
    }
    if (entry.seq == 0) {
      state.submitted(entry, nowMillis);
    } else {
      state.restored(entry, nowMillis);
    }
    park(entry);
  }

  /**
   * Notes what a durable end means for joins; call with the lock, once for each end. Returns
   * whether somebody became ready by it.
   *
   * <p>Nothing of this is written: a home that is killed here is rebuilt from rows that say the
   * same. A task that was run again from the dead letters has been counted by its first end.
   */
  boolean joined(TaskRecord r, long nowMillis) {
    if (r.joinSize != 0) {
      joins.closed(r.id);
    }
    if (r.joinId == null || r.has(TaskFlags.COUNTED) || !owned.get(Locator.partition(r.joinId))) {
      return false;
    }
    Entry ready = joins.ended(r.joinId);
    if (ready == null) {
      return false;
    }
    state.submitted(ready, nowMillis);
    return true;
  }

  /** Returns the record of a promised task with the call it was promised. */
  static TaskRecord filled(TaskRecord promise, TaskRecord call) {
    TaskRecord r = call.copy();
    r.createdMillis = promise.createdMillis;
    r.replacedFence = promise.replacedFence;
    r.overFence = promise.overFence;
    // What a call before it has waited for is counted already, and would be counted for it.
    int counted = TaskRecord.PROMISED - promise.joinSize;
    r.joinSize = call.joinSize < 0 ? call.joinSize - counted : call.joinSize + counted;
    r.flag(TaskFlags.COUNTED, promise.has(TaskFlags.COUNTED));
    r.joinId = call.joinId == null ? promise.joinId : call.joinId;
    r.rootId = call.rootId == null ? promise.rootId : call.rootId;
    r.parentId = call.parentId == null ? promise.parentId : call.parentId;
    r.groupId = call.groupId == null ? promise.groupId : call.groupId;
    return r;
  }

  /** Deletes the blobs that the record named before and names no more. */
  void dropReplaced(TaskRecord before, TaskRecord now) {
    if (before == null) {
      return;
    }
    if (before.has(TaskFlags.BODY_REF) && before.body != now.body) {
      BlobRef.of(before.body).ifPresent(ref -> dropBlobLater(ref.blobId()));
    }
    if (before.has(TaskFlags.RESULT_REF) && before.payload != now.payload) {
      BlobRef.of(before.payload).ifPresent(ref -> dropBlobLater(ref.blobId()));
    }
  }

  /** Returns what waiting sessions are told of a terminal record. */
  Completion completion(TaskRecord r) {
    return new Completion(r.id, r.state.code(), r.payload, r.has(TaskFlags.RESULT_REF));
  }

  /** Tells sessions; a gateway that fails must not undo what is durable. */
  void tell(Map<Origin, List<Completion>> mail) {
    mail.forEach(
        (origin, ends) -> {
          try {
            gateways.completed(origin, ends);
          } catch (RuntimeException e) {
            log("a gateway could not be told of ends: its client asks again", e);
          }
        });
  }

  /** Notes a durable end: counts it and when its record expires. */
  void ended(TaskRecord r) {
    metrics.stored(Locator.partition(r.id), r.state, 1);
    metrics.finished.of(r.state.name()).increment();
    due.note(r.id, r.dueMillis());
    if (r.state == TaskState.DEAD || r.state == TaskState.REJECTED) {
      dead.add(r.id);
      metrics.deadLetters.of(r.queue).increment();
    }
  }

  /** Notes that the record of an ended task is no more. */
  void forgotten(TaskRecord r) {
    metrics.stored(Locator.partition(r.id), r.state, -1);
    dropBlobsOf(r);
  }

  /**
   * Deletes rows; a marker stays for a task whose sheet does, or it would seem to wait again, and
   * for a member whose join is open, or a rebuild would miss its end.
   */
  void erase(Collection<TaskRecord> records) {
    List<String> free = new ArrayList<>();
    List<TaskRecord> markers = new ArrayList<>();
    synchronized (lock) {
      for (TaskRecord r : records) {
        boolean member = r.joinId != null && joins.open(r.joinId);
        if (member || sheets.holds(r.id)) {
          TaskRecord marker = marker(r, nowMillis() + settings.maxTombstoneMillis());
          marker.forgotten = true;
          markers.add(marker);
        } else {
          free.add(r.id);
        }
      }
    }
    store.write(markers);
    store.delete(free);
    synchronized (lock) {
      for (TaskRecord r : records) {
        if (r.joinId != null) {
          joins.memberGone(r.joinId);
        }
      }
    }
  }

  /** Returns the marker of an expired task, to be deleted at {@code dueMillis}. */
  TaskRecord marker(TaskRecord of, long dueMillis) {
    TaskRecord marker = new TaskRecord();
    marker.id = of.id;
    marker.joinId = of.joinId;
    marker.expired = true;
    marker.finishedMillis = dueMillis;
    due.note(of.id, dueMillis);
    return marker;
  }

  private void dropBlobsOf(TaskRecord r) {
    if (r.has(TaskFlags.BODY_REF)) {
      BlobRef.of(r.body).ifPresent(ref -> dropBlobLater(ref.blobId()));
    }
    if (r.has(TaskFlags.RESULT_REF)) {
      BlobRef.of(r.payload).ifPresent(ref -> dropBlobLater(ref.blobId()));
    }
  }

  void log(String what, Throwable cause) {
    LOG.log(Level.WARNING, what, cause);
  }

  /** Gives a claim back; a delivery that was never sent goes back into the order. With the lock. */
  void release(Entry entry) {
    state.released(entry, nowMillis());
    if (!entry.leased()) {
      park(entry);
    }
  }

  /** Wakes those that wait for a claim to end; call with the lock. */
  void claimsReleased() {
    lock.notifyAll();
  }

  /** Keeps a waiting entry's record on the heap while the budget for that lasts, else drops it. */
  void park(Entry entry) {
    someExpire |= entry.expiresMillis > 0;
    unpark(entry);
    if (entry.record == null) {
      return;
    }
    int size = heapSize(entry.record);
    if (hotBytes.get() + size > HOT_BYTES) {
      entry.record = null;
      return;
    }
    entry.hotBytes = size;
    hotBytes.addAndGet(size);
  }

  /** Takes the entry's record out of the budget for waiting tasks: it waits no more. */
  void unpark(Entry entry) {
    hotBytes.addAndGet(-entry.hotBytes);
    entry.hotBytes = 0;
  }

  static int heapSize(TaskRecord record) {
    return RECORD_OVERHEAD + record.opaqueSize();
  }

  /** Returns how much of the budget is used, in bytes. */
  long hotBytes() {
    return hotBytes.get();
  }
}
