package org.ignitetasks.gateway;

import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionSink;

/** All sessions of this gateway. Thread-safe; nothing here waits. */
final class Sessions implements CompletionSink {
  private final GatewayLimits limits;
  private final Executor carriers;
  private final SecureRandom random = new SecureRandom();
  private final Map<Long, Session> sessions = new ConcurrentHashMap<>();
  private final AtomicLong allBytes = new AtomicLong();

  /** Makes none yet; carriers bring the letters that may take long to write. */
  Sessions(GatewayLimits limits, Executor carriers) {
    this.limits = limits;
    this.carriers = carriers;
  }

  /** Makes a session with a number nobody can guess and none has had. */
  Session open(String kind, String host, int pid) {
    if (sessions.size() >= limits.maxSessions()) {
      throw new TasksException(
          Code.BUSY, "The gateway has too many sessions; try again when some have ended.");
    }
    while (true) {
      long id = random.nextLong() & Long.MAX_VALUE;
      Session session = new Session(id, kind, host, pid, new Mailbox(limits, allBytes, carriers));
      if (id != 0 && sessions.putIfAbsent(id, session) == null) {
        return session;
      }
    }
  }

  /** Returns the session with a call marked as begun; the caller must {@link Session#leave}. */
  Session enter(long id) {
    Session session = sessions.get(id);
    if (session != null && session.enter()) {
      return session;
    }
    throw new TasksException(
        Code.UNKNOWN_SESSION,
        "The gateway does not know this session (it restarted, or nobody called for long);"
            + " say hello again.");
  }

  @Override
  public void completed(long session, List<Completion> completions) {
    Session found = sessions.get(session);
    if (found != null) {
      found.mailbox().add(completions);
    }
  }

  @Override
  public void mayHaveMissed() {
    sessions.values().forEach(session -> session.mailbox().mayHaveMissed());
  }

  /** Removes the sessions nobody has used for long and returns them. */
  List<Session> expire() {
    long idleNanos = TimeUnit.MILLISECONDS.toNanos(limits.sessionIdleMillis());
    List<Session> expired = new ArrayList<>();
    for (Session session : sessions.values()) {
      if (session.expireIfIdle(idleNanos)) {
        sessions.remove(session.id());
        session.mailbox().close();
        expired.add(session);
      }
    }
    return expired;
  }

  /** Ends all waiting polls and drops everything. */
  void close() {
    sessions.values().forEach(session -> session.mailbox().close());
    sessions.clear();
  }

  int count() {
    return sessions.size();
  }

  long mailboxBytes() {
    return allBytes.get();
  }
}
