package org.ignitetasks.worker;

import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;

/** One delivery this JVM holds, in the inbox or with a child. Guarded by its session's lock. */
final class Held {
  /** Bytes of a delivery on the lane beside its opaque parts: names, numbers, ids. */
  private static final int HEADER_BYTES = 320;

  /** What makes a delivery one delivery: two leases of the same task are two. */
  record Key(String id, long fence) {}

  final TaskRecord record;
  final Key key;
  final int bytes;
  final long arrivedNanos;

  /** Its place in the order of arrival here. */
  final long number;

  /** Number within the child's connection, 0 while in the inbox. */
  long seq;

  /** Part of the child's expected time, in microseconds. */
  long expectedMicros;

  /** Whether the child may have seen it. */
  boolean sent;

  /** Signal of a revoke that asked to terminate it, or null. */
  String killSignal;

  long killSentNanos;

  /** What the task has said last of how far it is, if the home has not been told yet. */
  LaneMessages.State said;

  /** What the home is being told at the moment, or null. */
  Outcome telling;

  /** When the home was told last, 0 for never. */
  long toldNanos;

  Held(Delivery delivery, long number, long now) {
    this.record = delivery.record();
    this.key = new Key(record.id, delivery.fence());
    this.bytes = HEADER_BYTES + record.opaqueSize();
    this.arrivedNanos = now;
    this.number = number;
  }

  /** Says whether this task must never be started a second time. */
  boolean atMostOnce() {
    return record.has(TaskFlags.EARLY_ACK);
  }

  /**
   * Returns the outcome of a delivery that has not run: what is being revoked does not come back.
   */
  Outcome back() {
    return plain(killSignal == null ? Outcome.GIVE_BACK : Outcome.REVOKED);
  }

  /** Returns what the home must be told before the end; null if it knows, or nothing was said. */
  Outcome lastProgress(long now) {
    // What is on its way might come after the end: said twice it comes before.
    return said == null ? telling : takeProgress(now);
  }

  /** Returns what was said last, to be told to the home now. */
  Outcome takeProgress(long now) {
    LaneMessages.State state = said;
    said = null;
    toldNanos = now == 0 ? 1 : now;
    telling =
        new Outcome(
            key.id(),
            key.fence(),
            Outcome.PROGRESS,
            state.result(),
            false,
            0,
            state.name(),
            null,
            false);
    return telling;
  }

  /** Returns an outcome of this delivery without payload. */
  Outcome plain(int kind) {
    return Outcome.plain(key.id(), key.fence(), kind);
  }

  /** Returns a failure made by this JVM. */
  Outcome failure(String type, String message) {
    byte[] payload = LaneMessages.failure(type, message);
    return new Outcome(key.id(), key.fence(), Outcome.CUT, payload, false, 0, type, null, false);
  }
}
