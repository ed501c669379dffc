package org.ignitetasks.home;

import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Origin;

/**
 * What a home keeps on the heap for each task that has not ended. A million of them must fit into a
 * small heap: ids and keys only, the record itself only while there is room ("hot").
 *
 * <p>Changed under the home's lock only, except {@link #record}, which belongs to the thread that
 * leased or completes the entry.
 */
final class Entry {
  final String id;
  final String task;
  String queue;
  Origin origin;
  TaskRecord record;
  final long createdMillis;
  long seq;
  long etaMillis;
  long expiresMillis;
  private int priority;
  final int flags;

  /** The lease; fence 0 means that there is none. */
  long fence;

  long epoch;
  long leasedNanos;

  /** Somebody writes what becomes of this delivery, or prepares it: others wait. */
  boolean completing;

  /** The delivery was handed to the worker, or is about to be: it may have started. */
  boolean sent;

  /** The worker that holds this delivery has left: whoever has claimed it may still end it. */
  boolean workerGone;

  /** The last write for this task failed with its outcome open: look before writing again. */
  boolean unsure;

  /** Revoked while it ran, without being terminated: it is not to run another time. */
  boolean revokeAsked;

  /** What this entry takes of the budget for records on the heap, in bytes. */
  int hotBytes;

  /** The open delivery is on record, so that a start survives the death of the whole machine. */
  boolean leaseOnRecord;

  /**
   * The sheet this task was submitted on, until it ends; null if it has had a row from the start.
   */
  SheetUse.Use sheet;

  /** The ledger has a row for this task alone; until then its record is on the sheet. */
  boolean ownRow;

  Entry(TaskRecord record, Origin origin) {
    this.id = record.id;
    this.task = record.task;
    this.queue = record.queue;
    this.createdMillis = record.createdMillis;
    priority(record.priority);
    this.etaMillis = record.etaMillis;
    this.expiresMillis = record.expiresMillis;
    this.flags = record.flags;
    this.origin = origin;
    this.record = record;
  }

  int priority() {
    return priority;
  }

  /** Sets the priority; one that is out of range must not make its queue unusable. */
  void priority(int wanted) {
    priority = Math.max(0, Math.min(ReadyOrder.PRIORITIES - 1, wanted));
  }

  boolean onSheetOnly() {
    return sheet != null && !ownRow && !unsure;
  }

  boolean earlyAck() {
    return (flags & TaskFlags.EARLY_ACK) != 0;
  }

  boolean leased() {
    return fence != 0;
  }

  /** Orders by priority (higher first), then by arrival. */
  static int compare(Entry a, Entry b) {
    return a.priority != b.priority
        ? Integer.compare(b.priority, a.priority)
        : Long.compare(a.seq, b.seq);
  }
}
