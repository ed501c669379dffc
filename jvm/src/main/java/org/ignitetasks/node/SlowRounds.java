package org.ignitetasks.node;

/**
 * Notices that a thread which goes round and round does not come to the end of a round, and says
 * where it stands: nothing else would tell what a node waits for that never becomes a home.
 */
final class SlowRounds {
  private static final int FRAMES = 40;

  private final long slowNanos;
  private Thread thread;
  private long sinceNanos;
  private long saidNanos;

  /**
   * @param slowNanos a round that takes longer is told of, and again after as long
   */
  SlowRounds(long slowNanos) {
    this.slowNanos = slowNanos;
  }

  /** Takes note that the calling thread begins a round. */
  synchronized void begin(long nowNanos) {
    thread = Thread.currentThread();
    sinceNanos = nowNanos;
    saidNanos = nowNanos;
  }

  /** Takes note that the round is over. */
  synchronized void end() {
    thread = null;
  }

  /** Returns what there is to say of the round under way, or null. */
  synchronized String look(long nowNanos) {
    if (thread == null || nowNanos - saidNanos < slowNanos) {
      return null;
    }
    saidNanos = nowNanos;
    StringBuilder said = new StringBuilder();
    said.append(thread.getName()).append(" has waited for ");
    said.append((nowNanos - sinceNanos) / 1_000_000_000).append(" s at:");
    StackTraceElement[] stack = thread.getStackTrace();
    for (int i = 0; i < Math.min(FRAMES, stack.length); i++) {
      said.append("\n\tat ").append(stack[i]);
    }
    return said.toString();
  }
}
