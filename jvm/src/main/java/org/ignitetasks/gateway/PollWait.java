package org.ignitetasks.gateway;

import java.util.concurrent.CountDownLatch;
import org.ignitetasks.gateway.Mailbox.Letter;

/**
 * One poll between its call and its answer. No thread waits with it: who completes a task writes
 * the answer, which spares the wake-up of a thread on the way of every single result.
 */
final class PollWait implements Mailbox.Reader {
  private final Session session;
  private final long millis;
  private final Mailbox.Reader answer;
  private final CountDownLatch answered = new CountDownLatch(1);

  PollWait(Session session, long millis, Mailbox.Reader answer) {
    this.session = session;
    this.millis = millis;
    this.answer = answer;
  }

  /** Returns how long this may wait, from its call. */
  long millis() {
    return millis;
  }

  @Override
  public void take(Letter letter) {
    session.leave();
    try {
      answer.take(letter);
    } finally {
      answered.countDown();
    }
  }

  boolean isAnswered() {
    return answered.getCount() == 0;
  }

  /** Has this answered now, unless it is; returns when the answer has been written. */
  void end() {
    if (session.mailbox().end(this)) {
      return;
    }
    try {
      answered.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
