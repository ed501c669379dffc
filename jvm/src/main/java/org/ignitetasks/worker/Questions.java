package org.ignitetasks.worker;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.protocol.Question;

/**
 * Remote control of one supervisor: numbers its questions and hands each answer to whoever asked.
 * Bounded and with a time for each, since a supervisor may never answer. Thread-safe.
 */
final class Questions {
  private static final int MAX_OPEN = 1_000;

  /** A question that has not been answered. */
  private record Open(long number, Question.Answers answers, long dueNanos) {}

  private final long epoch;
  private final LaneChannel channel;
  private final Map<Long, Open> open = new LinkedHashMap<>();
  private long last;
  private boolean greeted;
  private boolean closed;

  Questions(long epoch, LaneChannel channel) {
    this.epoch = epoch;
    this.channel = channel;
  }

  /** The supervisor has had its WELCOME: from now on it may be asked. */
  synchronized void greeted() {
    greeted = true;
  }

  /**
   * Takes a question for the supervisor.
   *
   * @return the frame's payload, to be given to {@link #send}; null if it is not asked
   */
  synchronized byte[] ask(Question question, Question.Answers answers, long now) {
    if (!greeted || closed || open.size() >= MAX_OPEN) {
      return null;
    }
    long number = 0;
    if (question.number() != 0) {
      number = ++last;
      long due = now + question.patienceMillis() * 1_000_000;
      open.put(number, new Open(question.number(), answers, due));
    }
    return LaneMessages.control(number, question.command(), question.body());
  }

  /** Writes a question; the supervisor's end, if it has ended, is seen by its reader. */
  void send(byte[] frame) {
    channel.tell(FrameKind.CONTROL, frame);
  }

  /** Hands an answer on; one that comes too late goes nowhere. */
  void answered(LaneMessages.ControlReply reply) {
    Open question;
    synchronized (this) {
      question = open.remove(reply.number());
    }
    if (question != null) {
      question.answers.answered(question.number, epoch, reply.body());
    }
  }

  /** Forgets questions nobody waits for any more. */
  synchronized void expire(long now) {
    for (Iterator<Open> all = open.values().iterator(); all.hasNext(); ) {
      if (now - all.next().dueNanos >= 0) {
        all.remove();
      }
    }
  }

  /** Tells those who wait that there will be no answer. */
  void close() {
    List<Open> left;
    synchronized (this) {
      closed = true;
      left = new ArrayList<>(open.values());
      open.clear();
    }
    left.forEach(question -> question.answers.answered(question.number, epoch, null));
  }
}
