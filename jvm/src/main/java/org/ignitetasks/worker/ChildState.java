package org.ignitetasks.worker;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What one child holds and how much more it takes. Pure: no I/O, time comes as an argument.
 *
 * <p>The rule: a free slot always takes one more. Beyond its slots a child takes deliveries ahead
 * only while all it holds is expected to be done within {@link #WINDOW_MICROS}, so that no child
 * hoards, and only so many bytes as fit into the socket's buffer, so that writing to a child that
 * is busy running never blocks. Guarded by its session's lock.
 */
final class ChildState {
  /** Work ahead per slot, in microseconds: hides the way back and forth, delays nobody visibly. */
  static final long WINDOW_MICROS = 4_000;

  /** Deliveries with a child of one slot. */
  static final int MAX_HELD = 128;

  /** Bytes with a child per slot; half of what the kernel buffers for a Unix socket by default. */
  static final int MAX_BYTES = 96 << 10;

  /** A child without an answer for so long runs something long, whatever was expected. */
  static final long BUSY_NANOS = 20_000_000;

  final int child;
  final int pid;
  final int slots;
  final Map<Long, Held> held = new LinkedHashMap<>();
  private final int mostHeld;
  private final ArrayDeque<Held> outbox = new ArrayDeque<>();
  private long nextSeq = 1;
  private long expectedMicros;
  private long bytes;
  private long progressNanos;
  private boolean stopping;
  private boolean noticeDue;

  /** What the supervisor said of its end, or null. */
  Death death;

  long deathNanos;

  ChildState(int child, int pid, int slots) {
    this(child, pid, slots, 0);
  }

  /**
   * @param prefetch most deliveries a slot, running one included; 0 for as many as fit the rule
   */
  ChildState(int child, int pid, int slots, int prefetch) {
    this.child = child;
    this.pid = pid;
    this.slots = slots;
    int most = Math.max(MAX_HELD, 2 * slots);
    this.mostHeld = prefetch == 0 ? most : (int) Math.min(most, (long) slots * prefetch);
  }

  /** Takes no more from now on. */
  void stop() {
    stopping = true;
  }

  /** Says whether a delivery of this expected time and size may go to this child now. */
  boolean accepts(long micros, int size, long now) {
    if (stopping || death != null) {
      return false;
    }
    if (held.isEmpty()) {
      return true;
    }
    if (bytes + size > (long) MAX_BYTES * slots) {
      return false;
    }
    if (held.size() < slots) {
      return true;
    }
    return held.size() < mostHeld && !busy(now) && expectedMicros + micros <= WINDOW_MICROS * slots;
  }

  /** Returns how many more deliveries of this mean time and size this child takes now. */
  int room(long meanMicros, long meanBytes, long now) {
    if (stopping || death != null) {
      return 0;
    }
    int free = Math.max(0, slots - held.size());
    if (busy(now)) {
      return free;
    }
    long byTime = (WINDOW_MICROS * slots - expectedMicros) / meanMicros;
    long byBytes = ((long) MAX_BYTES * slots - bytes) / meanBytes;
    long ahead = Math.min(Math.min(byTime, byBytes), mostHeld - held.size());
    return (int) Math.max(free, ahead);
  }

  /** Returns the expected time until a new delivery would begin, in microseconds. */
  long backlogMicros() {
    return expectedMicros / slots;
  }

  /** Gives a delivery the next number and puts it into the outbox. */
  void assign(Held delivery, long micros, long now) {
    if (held.isEmpty()) {
      progressNanos = now;
    }
    delivery.seq = nextSeq++;
    delivery.expectedMicros = micros;
    held.put(delivery.seq, delivery);
    outbox.add(delivery);
    expectedMicros += micros;
    bytes += delivery.bytes;
  }

  /** Takes out what is to be written next, in order, up to about {@code limit} bytes. */
  List<Held> takeOutbox(int limit) {
    List<Held> batch = new ArrayList<>();
    int size = 0;
    while (!outbox.isEmpty() && (batch.isEmpty() || size + outbox.peek().bytes <= limit)) {
      Held next = outbox.poll();
      next.sent = true;
      size += next.bytes;
      batch.add(next);
    }
    return batch;
  }

  /**
   * Takes back what the child will not run: it has given back all from this number on, what is on
   * its way included. {@link #takeNotice} says when it must be told.
   */
  List<Held> takeBack(long from) {
    List<Held> back = new ArrayList<>();
    for (Iterator<Held> all = held.values().iterator(); all.hasNext(); ) {
      Held next = all.next();
      if (next.seq >= from) {
        all.remove();
        discount(next);
        next.seq = 0;
        next.sent = false;
        back.add(next);
      }
    }
    outbox.clear();
    noticeDue = true;
    return back;
  }

  /** Returns, once, whether the child must be told that all written before is taken back. */
  boolean takeNotice() {
    boolean due = noticeDue;
    noticeDue = false;
    return due;
  }

  /** Removes a delivery that has ended, or that the child has not seen yet. */
  Held remove(long seq, long now) {
    Held gone = held.remove(seq);
    if (gone != null) {
      discount(gone);
      progressNanos = now;
      if (!gone.sent) {
        outbox.remove(gone);
      }
    }
    return gone;
  }

  private void discount(Held gone) {
    expectedMicros -= gone.expectedMicros;
    bytes -= gone.bytes;
  }

  /** Learns that the child is stuck in its oldest delivery; returns that one, or null. */
  Held slow(long micros) {
    if (held.isEmpty()) {
      return null;
    }
    Held oldest = held.values().iterator().next();
    long more = Math.max(0, micros - oldest.expectedMicros);
    oldest.expectedMicros += more;
    expectedMicros += more;
    return oldest;
  }

  private boolean busy(long now) {
    return !held.isEmpty() && now - progressNanos > BUSY_NANOS;
  }
}
