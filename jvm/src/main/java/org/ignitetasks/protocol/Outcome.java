package org.ignitetasks.protocol;

/**
 * How one delivery ended, as a child reported it or as the lane concluded from the child's death.
 *
 * @param id the task
 * @param fence the delivery; an outcome with a stale fence is refused
 * @param kind one of the constants below; the codes are those of the lane
 * @param payload result or failure bytes, or null
 * @param payloadIsRef whether the payload names a blob
 * @param runMicros run time of the body in microseconds
 * @param errorType class name of the error, or of a PROGRESS the name of the state, or null
 * @param retry what a RETRY writes, or null
 * @param requeue REJECT only: back into the queue instead of rejected for good
 * @param spawn what is to be written together with this outcome, or null
 */
public record Outcome(
    String id,
    long fence,
    int kind,
    byte[] payload,
    boolean payloadIsRef,
    long runMicros,
    String errorType,
    Retry retry,
    boolean requeue,
    Spawn spawn) {
  public static final int SUCCESS = 0;
  public static final int FAILURE = 1;
  public static final int RETRY = 2;
  public static final int REJECT = 3;
  public static final int IGNORE = 4;

  /** Never started, or finished without a report: back into the queue, no penalty. */
  public static final int GIVE_BACK = 5;

  /** The body began; only sent for tasks that track it. */
  public static final int STARTED = 6;

  /** The child that ran it died: counts as a lost delivery, DEAD at the cap. */
  public static final int LOST = 7;

  /** Terminated because of a revoke. */
  public static final int REVOKED = 8;

  /** Given back because this worker's code does not have the task. */
  public static final int NOT_REGISTERED = 9;

  /** The task's id goes to another call, which the spawn brings or promises. */
  public static final int REPLACED = 10;

  /** A failure that the worker's JVM has concluded: the child could not say what follows. */
  public static final int CUT = 11;

  /** It runs on and has said how far it is: payload, and as error type the name of its state. */
  public static final int PROGRESS = 12;

  /**
   * Made by a home: it could not be handed to its worker, or the word that it was is lost. Back
   * into the queue; should the worker have it, it is refused.
   */
  public static final int UNDELIVERED = 13;

  /** Returns an outcome that brings nothing with it. */
  public Outcome(
      String id,
      long fence,
      int kind,
      byte[] payload,
      boolean payloadIsRef,
      long runMicros,
      String errorType,
      Retry retry,
      boolean requeue) {
    this(id, fence, kind, payload, payloadIsRef, runMicros, errorType, retry, requeue, null);
  }

  /** The changes that a retry makes to the record; null and -1 mean "as it was". */
  public record Retry(
      long etaMillis,
      byte[] body,
      boolean bodyIsRef,
      String queue,
      int priority,
      long expires,
      byte[] options) {
    /** A retry whose options stay. */
    public Retry(
        long etaMillis, byte[] body, boolean bodyIsRef, String queue, int priority, long expires) {
      this(etaMillis, body, bodyIsRef, queue, priority, expires, null);
    }
  }

  /** Says whether the delivery goes on after this. */
  public boolean runsOn() {
    return kind == STARTED || kind == PROGRESS;
  }

  /** Returns this outcome with another spawn. */
  public Outcome with(Spawn other) {
    return new Outcome(
        id, fence, kind, payload, payloadIsRef, runMicros, errorType, retry, requeue, other);
  }

  /** Returns an outcome without payload. */
  public static Outcome plain(String id, long fence, int kind) {
    return new Outcome(id, fence, kind, null, false, 0, null, null, false);
  }
}
