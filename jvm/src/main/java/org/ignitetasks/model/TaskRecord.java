package org.ignitetasks.model;

/**
 * The durable row of one task; {@link RecordCodec} turns it into bytes and back.
 *
 * <p>Fields are open because the home, which alone changes records, holds its lock while it does
 * so. Times are wall-clock milliseconds since 1970, 0 meaning "not set". Body, options and payload
 * are opaque bytes: Java never looks into arguments or results.
 *
 * <p>{@code deliveries} counts starts that ended with the death of the child that ran the task,
 * {@code workerLosses} those that ended because a whole worker or node went away: the first hint at
 * a poisonous task and are capped by the task's own limit, the second hardly ever do.
 */
public final class TaskRecord implements Cloneable {
  /** A join size: the task is known by its id only, a later submit or spawn brings its call. */
  public static final int PROMISED = -1;

  public String id;
  public String task;
  public String queue;
  public TaskState state = TaskState.PENDING;
  public int priority;
  public int flags;
  public int maxDeliveries;
  public int deliveries;
  public int workerLosses;
  public int attempt;
  public long fence;
  public long createdMillis;
  public long etaMillis;
  public long expiresMillis;
  public long startedMillis;
  public long finishedMillis;
  public long runMicros;
  public int softLimitMillis;
  public int hardLimitMillis;
  public long resultTtlMillis;
  public String worker;
  public String errorType;
  public String rootId;
  public String parentId;
  public String groupId;

  /** The task that waits for this one to end, or null. */
  public String joinId;

  /**
   * Above 0: so many tasks with this one's id as their join must have ended before it is ready.
   * Below: it has no call yet; {@link #PROMISED} less the join size of a call that it had before,
   * whose members have been counted.
   */
  public int joinSize;

  /** Fence of the last delivery after which the id went to another call, 0 if there was none. */
  public long replacedFence;

  /**
   * Fence of the last delivery that is known to be over, 0 if there was none: whatever it, or one
   * before it, says from now on comes too late.
   */
  public long overFence;

  /** Name of a custom state while the task runs, or null; its data is the payload. */
  public String note;

  public byte[] fingerprint;
  public byte[] options;
  public byte[] body;
  public byte[] payload;

  /** True for the marker that stays for a while where the record of a finished task expired. */
  public boolean expired;

  /** True for a marker whose task was to be forgotten: nobody is to hear of it any more. */
  public boolean forgotten;

  /** Says whether this is the marker of an id that was revoked before it was submitted. */
  public boolean revokedAhead() {
    return forgotten && state == TaskState.REVOKED;
  }

  /**
   * Returns a copy that shares the opaque bytes: changes are made to copies until they are durable.
   */
  public TaskRecord copy() {
    try {
      return (TaskRecord) clone();
    } catch (CloneNotSupportedException e) {
      throw new AssertionError(e);
    }
  }

  /** Says whether all bits of {@code mask} (see {@link TaskFlags}) are set. */
  public boolean has(int mask) {
    return (flags & mask) == mask;
  }

  /** Says whether the task has no call yet: it waits to be filled in, or to be ended. */
  public boolean promised() {
    return joinSize < 0 && !state.terminal();
  }

  /** Sets or clears the bits of {@code mask}. */
  public void flag(int mask, boolean on) {
    flags = on ? flags | mask : flags & ~mask;
  }

  /** Returns when the sweeper may delete this record, or 0 while the task is not finished. */
  public long dueMillis() {
    return state.terminal() ? finishedMillis + resultTtlMillis : 0;
  }

  /** Returns the heap the opaque parts take, in bytes, for budgets. */
  public int opaqueSize() {
    return (body == null ? 0 : body.length)
        + (options == null ? 0 : options.length)
        + (payload == null ? 0 : payload.length);
  }
}
