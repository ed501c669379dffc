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

  /** Number within the child's connection, 0 while in the inbox. */
  long seq;

  /** Part of the child's expected time, in microseconds. */
  long expectedMicros;

  /** Whether the child may have seen it. */
  boolean sent;

  /** Signal of a revoke that asked to terminate it, or null. */
  String killSignal;

  long killSentNanos;

  Held(Delivery delivery, long now) {
    this.record = delivery.record();
    this.key = new Key(record.id, delivery.fence());
    this.bytes = HEADER_BYTES + record.opaqueSize();
    this.arrivedNanos = now;
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
