package org.ignitetasks.gateway;

/**
 * One client process as the gateway knows it: a number, who it is, and its mailbox. Thread-safe.
 *
 * <p>A session is not bound to a connection: a client may have many, and lose all of them.
 */
final class Session {
  private final long id;
  private final String kind;
  private final String host;
  private final int pid;
  private final Mailbox mailbox;
  private long lastUsedNanos = System.nanoTime();
  private int callsInside;
  private boolean expired;

  Session(long id, String kind, String host, int pid, Mailbox mailbox) {
    this.id = id;
    this.kind = kind;
    this.host = host;
    this.pid = pid;
    this.mailbox = mailbox;
  }

  long id() {
    return id;
  }

  String kind() {
    return kind;
  }

  String host() {
    return host;
  }

  int pid() {
    return pid;
  }

  Mailbox mailbox() {
    return mailbox;
  }

  /** Marks the start of a call; false if the session has expired in this very moment. */
  synchronized boolean enter() {
    if (expired) {
      return false;
    }
    callsInside++;
    return true;
  }

  /** Marks the end of a call. */
  synchronized void leave() {
    callsInside--;
    lastUsedNanos = System.nanoTime();
  }

  /** Expires the session if no call is inside and none was for this long; says whether it did. */
  synchronized boolean expireIfIdle(long nanos) {
    expired = callsInside == 0 && System.nanoTime() - lastUsedNanos >= nanos;
    return expired;
  }
}
