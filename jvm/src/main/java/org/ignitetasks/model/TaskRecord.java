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
  public byte[] fingerprint;
  public byte[] options;
  public byte[] body;
  public byte[] payload;

  /** True for the marker that stays for a while where the record of a finished task expired. */
  public boolean expired;

  /** True for a marker whose task was to be forgotten: nobody is to hear of it any more. */
  public boolean forgotten;

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
