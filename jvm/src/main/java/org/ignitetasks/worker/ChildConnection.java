package org.ignitetasks.worker;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Lock;
import java.util.function.Consumer;

/**
 * The connection of one Python child: reads its answers on a thread of its own, writes RUN frames
 * on the thread of whoever has work for it.
 */
final class ChildConnection {
  private static final Logger LOG = System.getLogger(ChildConnection.class.getName());

  /** Bytes of deliveries in one RUN frame, at the most about. */
  private static final int RUN_BYTES = 1 << 20;

  final ChildState state;
  final LaneChannel channel;
  private final WorkerSession session;
  private final Consumer<List<byte[]>> events;

  ChildConnection(
      ChildState state, LaneChannel channel, WorkerSession session, Consumer<List<byte[]>> events) {
    this.events = events;
    this.state = state;
    this.channel = channel;
    this.session = session;
  }

  /**
   * Handles frames until the child says goodbye, dies or breaks the rules; then settles what it
   * held, which may take a second.
   */
  void serve() throws IOException {
    boolean bye = false;
    try {
      List<Frame> frames = channel.read();
      while (frames != null && !bye) {
        bye = handle(frames);
        frames = bye ? null : channel.read();
      }
    } catch (LaneException e) {
      // Told before the session waits for the supervisor's report of the child's death.
      LOG.log(Level.WARNING, "child_refused child={0} error={1}", state.child, e.getMessage());
      channel.write(FrameKind.ERROR, LaneMessages.error(e.code(), e.getMessage()));
    } finally {
      channel.close();
      session.childGone(this, bye);
    }
  }

  /** Handles what one read brought; all its answers become one completion. */
  private boolean handle(List<Frame> frames) throws LaneException {
    List<LaneMessages.Answer> answers = new ArrayList<>();
    List<LaneMessages.State> words = new ArrayList<>();
    boolean bye = false;
    LaneException broken = null;
    for (Frame frame : frames) {
      try {
        if (frame.kind() == FrameKind.DONE) {
          answers.addAll(LaneMessages.done(frame.payload()));
        } else if (frame.kind() == FrameKind.STATE) {
          words.add(LaneMessages.state(frame.payload()));
        } else if (frame.kind() == FrameKind.EVENTS) {
          events.accept(LaneMessages.events(frame.payload()));
        } else if (frame.kind() == FrameKind.BYE) {
          bye = true;
        } else {
          throw LaneMessages.malformed("kind " + frame.kind() + " from a child", null);
        }
      } catch (LaneException e) {
        // What came before the broken frame is good and counts.
        broken = e;
        break;
      }
    }
    if (!words.isEmpty()) {
      // Before the answers: an end that came with them takes the last word with it.
      session.said(this, words);
    }
    if (!answers.isEmpty()) {
      session.answered(this, answers);
    }
    if (broken != null) {
      throw broken;
    }
    return bye;
  }

  /**
   * Writes what the outbox holds. The write lock is taken before the session's lock, so that two
   * threads cannot write batches in another order than that of their numbers.
   */
  void flush(Lock sessionLock) {
    channel.lockWrites();
    try {
      boolean more = true;
      while (more) {
        more = writeNext(sessionLock);
      }
    } catch (IOException e) {
      // The reader sees the end and settles what this child holds.
      LOG.log(Level.DEBUG, "child_write_failed child={0} error={1}", state.child, e.toString());
      channel.close();
    } finally {
      channel.unlockWrites();
    }
  }

  private boolean writeNext(Lock sessionLock) throws IOException {
    boolean notice;
    List<Held> batch;
    sessionLock.lock();
    try {
      notice = state.takeNotice();
      batch = state.takeOutbox(RUN_BYTES);
    } finally {
      sessionLock.unlock();
    }
    if (notice) {
      // Between what the child drops and what it is to run.
      channel.write(FrameKind.TAKEN_BACK, LaneMessages.empty());
    }
    if (!batch.isEmpty()) {
      channel.write(LaneMessages.run(batch));
    }
    return !batch.isEmpty();
  }

  /** Tells the child to finish what runs and to leave. */
  void stop() {
    try {
      channel.write(FrameKind.STOP, LaneMessages.empty());
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "child_stop_failed child={0} error={1}", state.child, e.toString());
      channel.close();
    }
  }
}
