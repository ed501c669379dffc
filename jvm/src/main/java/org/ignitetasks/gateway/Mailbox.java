package org.ignitetasks.gateway;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.ignitetasks.model.Progress;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Completion;

/**
 * The ends of tasks that one session has not yet confirmed, numbered in order of arrival.
 *
 * <p>What an answer carries stays here until a later poll confirms its number: an answer that is
 * lost on the way is given again. Bounded; the oldest go first, and the session is told. One poll
 * waits at a time: a newer one ends the older. Thread-safe; nothing here waits.
 */
final class Mailbox {
  /** Upper bound of the payload bytes in one answer, give or take one completion. */
  static final int ANSWER_BYTES = 1 << 20;

  /** A letter up to this size fits an empty socket, so whoever brings it may write it. */
  private static final int AT_ONCE_BYTES = 8 << 10;

  private static final int ITEM_OVERHEAD = 160;

  private final int maxItems;
  private final long maxBytes;
  private final long allMaxBytes;
  private final AtomicLong allBytes;
  private final Executor carriers;
  private final ReentrantLock lock = new ReentrantLock();
  private final ArrayDeque<Item> items = new ArrayDeque<>();
  private long bytes;
  private long lastSeq;
  private long confirmed;
  private long lostThrough;
  private long pollTicket;
  private Waiting waiting;
  private boolean closed;

  /**
   * Takes its share of the budget over all mailboxes.
   *
   * @param limits the budget
   * @param allBytes what all mailboxes hold together
   * @param carriers brings letters that are too long for the thread that completes tasks
   */
  Mailbox(GatewayLimits limits, AtomicLong allBytes, Executor carriers) {
    this.maxItems = limits.mailboxItems();
    this.maxBytes = limits.mailboxBytes();
    this.allMaxBytes = limits.allMailboxesBytes();
    this.allBytes = allBytes;
    this.carriers = carriers;
  }

  /** Takes the letter of one poll; called once, without the mailbox's lock. */
  interface Reader {
    void take(Letter letter);
  }

  private record Waiting(Reader reader, int max, long ticket) {}

  /**
   * One answer: number to confirm next, whether completions may be missing, completions.
   *
   * @param seq all items up to this number are in this or an earlier, confirmed answer
   * @param dropped whether something may be missing before or among these
   * @param completions in order of arrival
   */
  record Letter(long seq, boolean dropped, List<Completion> completions) {}

  /** A completion, or null for "something may have been missed here". */
  private record Item(long seq, Completion completion, int size) {}

  /** Puts completions at the end; does nothing after close. */
  void add(List<Completion> completions) {
    Waiting served;
    boolean atOnce;
    lock.lock();
    try {
      if (closed) {
        return;
      }
      for (Completion completion : completions) {
        if (completion.state() != Progress.CODE || roomForProgress()) {
          put(completion);
        }
      }
      dropOverflow();
      served = somethingToSay() ? taken() : null;
      // A thread that was woken up for a single end would cost more than the end itself. Of many
      // ends, more will have come until it runs, and one letter carries them all.
      atOnce = items.size() == 1 && bytes <= AT_ONCE_BYTES;
    } finally {
      lock.unlock();
    }
    serve(served, atOnce);
  }

  /** Tells the session, in its turn, that completions may have been missed. */
  void mayHaveMissed() {
    Waiting served;
    lock.lock();
    try {
      boolean said = !items.isEmpty() && items.peekLast().completion() == null;
      if (closed || said) {
        return;
      }
      put(null);
      served = taken();
    } finally {
      lock.unlock();
    }
    serve(served, false);
  }

  /**
   * Forgets what is confirmed and gives the reader what is there: now, or as soon as there is
   * something, or when {@link #end} is called.
   *
   * @param ack number from the last answer that arrived, 0 at first
   * @param max most completions to give
   * @param wait whether to wait while nothing is there
   * @param reader takes the letter, on this thread or another
   * @throws TasksException BAD_REQUEST if ack is a number that was never given
   */
  void poll(long ack, int max, boolean wait, Reader reader) {
    Waiting older;
    Letter nothing;
    Letter letter = null;
    lock.lock();
    try {
      confirm(ack);
      nothing = nothing();
      // Two polls must not both carry an item: the older one came from a call given up by its
      // caller.
      older = taken();
      pollTicket++;
      if (wait && !closed && !somethingToSay()) {
        waiting = new Waiting(reader, max, pollTicket);
      } else {
        letter = letter(max);
      }
    } finally {
      lock.unlock();
    }
    if (older != null) {
      older.reader().take(nothing);
    }
    if (letter != null) {
      reader.take(letter);
    }
  }

  /** Gives a reader that still waits an empty letter; says whether it did. */
  boolean end(Reader reader) {
    Letter letter;
    lock.lock();
    try {
      if (waiting == null || waiting.reader() != reader) {
        return false;
      }
      waiting = null;
      letter = nothing();
    } finally {
      lock.unlock();
    }
    reader.take(letter);
    return true;
  }

  /** Ends a waiting poll and frees everything; later completions are dropped. */
  void close() {
    Waiting last;
    lock.lock();
    try {
      closed = true;
      items.clear();
      allBytes.addAndGet(-bytes);
      bytes = 0;
      last = taken();
    } finally {
      lock.unlock();
    }
    serve(last, true);
  }

  private Waiting taken() {
    Waiting one = waiting;
    waiting = null;
    return one;
  }

  private void serve(Waiting served, boolean atOnce) {
    if (served == null) {
      return;
    }
    if (atOnce) {
      bring(served);
    } else {
      carriers.execute(() -> bring(served));
    }
  }

  private void bring(Waiting served) {
    Letter letter;
    lock.lock();
    try {
      boolean newest = served.ticket() == pollTicket;
      letter = newest ? letter(served.max()) : nothing();
    } finally {
      lock.unlock();
    }
    served.reader().take(letter);
  }

  private boolean somethingToSay() {
    return !items.isEmpty() || lostThrough > confirmed;
  }

  private void confirm(long ack) {
    if (ack > lastSeq) {
      throw new TasksException(
          Code.BAD_REQUEST,
          "ack_seq is "
              + ack
              + ", but this session was given no number above "
              + lastSeq
              + "; confirm the number of the last answer.");
    }
    confirmed = Math.max(confirmed, ack);
    while (!items.isEmpty() && items.peekFirst().seq() <= confirmed) {
      removeFirst();
    }
  }

  private Letter nothing() {
    return new Letter(confirmed, false, List.of());
  }

  private Letter letter(int max) {
    List<Completion> completions = new ArrayList<>(Math.min(max, items.size()));
    // Lost items are numbered like the others and come before all that is left: their number is
    // confirmed with this letter's, and until then every letter repeats that they are lost.
    boolean dropped = lostThrough > confirmed;
    long seq = Math.max(confirmed, lostThrough);
    long size = 0;
    for (Item item : items) {
      if (completions.size() >= max || size >= ANSWER_BYTES) {
        break;
      }
      if (item.completion() == null) {
        dropped = true;
      } else {
        completions.add(item.completion());
      }
      size += item.size();
      seq = item.seq();
    }
    return new Letter(seq, dropped, completions);
  }

  private void put(Completion completion) {
    int size = completion == null ? ITEM_OVERHEAD : sizeOf(completion);
    items.addLast(new Item(++lastSeq, completion, size));
    bytes += size;
    allBytes.addAndGet(size);
  }

  private void dropOverflow() {
    while (items.size() > maxItems || bytes > share()) {
      lostThrough = removeFirst().seq();
    }
  }

  /** Sessions that are never polled must not fill the heap together. */
  private long share() {
    return allBytes.get() > allMaxBytes ? maxBytes / 16 : maxBytes;
  }

  /** Ends come first: nobody is told how far tasks are who does not even ask for their ends. */
  private boolean roomForProgress() {
    return items.size() < maxItems / 2 && bytes < share() / 2;
  }

  private Item removeFirst() {
    Item item = items.removeFirst();
    bytes -= item.size();
    allBytes.addAndGet(-item.size());
    return item;
  }

  static int sizeOf(Completion completion) {
    int payload = completion.payload() == null ? 0 : completion.payload().length;
    return ITEM_OVERHEAD + completion.id().length() + payload;
  }
}
