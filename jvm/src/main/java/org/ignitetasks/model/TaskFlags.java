package org.ignitetasks.model;

/** Bits of a task's flags, equal on the wire, in the record and in deliveries. */
public final class TaskFlags {
  /** No result is kept and nobody is told of the end. */
  public static final int IGNORE_RESULT = 1;

  /** The task is acknowledged before it runs: at most one start, WorkerLost if that is cut. */
  public static final int EARLY_ACK = 2;

  /** The state STARTED is written when a child begins. */
  public static final int TRACK_STARTED = 4;

  /** The id was chosen by the caller or comes from a key: look it up before inserting. */
  public static final int CHECK_EXISTS = 8;

  /** The body is a reference to a blob. */
  public static final int BODY_REF = 16;

  /**
   * Something follows the task: an end that no child decided is told to Python by a settle task.
   */
  public static final int CONTINUES = 32;

  /** The arguments are kept for as long as the result ({@code result_extended}). */
  public static final int KEEP_BODY = 512;

  /** The bits that are on the wire; the others are the record's own. */
  public static final int WIRE = 63 | KEEP_BODY;

  /** The result is a reference to a blob (record only). */
  public static final int RESULT_REF = 64;

  /** The task has ended before and was counted by its join then (record only). */
  public static final int COUNTED = 128;

  /** Revoked while it ran: it may end by itself, but does not run another time (record only). */
  public static final int REVOKE_ASKED = 256;

  private TaskFlags() {}
}
