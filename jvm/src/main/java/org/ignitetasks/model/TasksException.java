package org.ignitetasks.model;

/**
 * The one exception of this code base; its {@link Code} is what the Python side maps to a class.
 *
 * <p>The message is one sentence that says what is wrong and what to do; it never contains
 * arguments, results or tokens.
 */
public final class TasksException extends RuntimeException {
  /** What went wrong, as Python's error tree knows it. */
  public enum Code {
    BAD_REQUEST(false),
    TOO_LARGE(false),
    BUSY(true),
    NOT_HOME(true),
    UNAVAILABLE(true),
    UNKNOWN_SESSION(false),
    STORAGE_FULL(false),
    NOT_FOUND(false),
    UNSUPPORTED_VERSION(false),
    INTERNAL(false),
    DATA_DIR_NEWER(false),
    DATA_DIR_LOCKED(false),
    DATA_DIR_UNWRITABLE(false),
    DISK_FULL(false),
    PORT_TAKEN(false),
    CLUSTER_UNREACHABLE(false);

    private final boolean retryable;

    Code(boolean retryable) {
      this.retryable = retryable;
    }

    /** Says whether the same call may succeed when it is repeated. */
    public boolean retryable() {
      return retryable;
    }
  }

  private final Code code;

  public TasksException(Code code, String message) {
    super(message);
    this.code = code;
  }

  public TasksException(Code code, String message, Throwable cause) {
    super(message, cause);
    this.code = code;
  }

  public Code code() {
    return code;
  }
}
