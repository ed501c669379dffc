package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.BiPredicate;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * What waits in a home, queue by queue: ready now, set aside until a worker with room knows the
 * task, or delayed until its time. The part of {@link QueueState} that knows no worker; as pure as
 * it is.
 */
final class WaitingOrder {
  /** One queue of this home. */
  static final class Queue {
    final String name;
    private final ReadyOrder ready = new ReadyOrder();

    /** Tasks that no worker with a free slot knows: set aside by task, still in order. */
    private final Map<String, Parked> parked = new LinkedHashMap<>();

    int delayed;
    int running;
    long servedAt;

    private Queue(String name) {
      this.name = name;
    }

    /** Says whether nothing is ready, known to a worker or not. */
    boolean idle() {
      return ready.isEmpty() && parked.isEmpty();
    }

    /** Returns the entry whose turn it is, whether or not somebody could run it; null if none. */
    Entry first() {
      Entry first = ready.peek();
      for (Parked aside : parked.values()) {
        Entry head = aside.order.peek();
        if (head != null && (first == null || Entry.compare(head, first) < 0)) {
          first = head;
        }
      }
      return first;
    }

    /** Returns how many are ready, known to a worker or not. */
    int waiting() {
      int sum = ready.size();
      for (Parked aside : parked.values()) {
        sum += aside.order.size();
      }
      return sum;
    }
  }

  /** Entries of one task set aside, and since when no worker at all has known it. */
  private static final class Parked {
    final ReadyOrder order = new ReadyOrder();
    long unknownSinceNanos;
  }

  private final long unknownGraceNanos;
  private final Consumer<Entry> passedOver;
  private final Map<String, Queue> queues = new LinkedHashMap<>();
  private final PriorityQueue<Entry> delayed =
      new PriorityQueue<>((a, b) -> Long.compare(a.etaMillis, b.etaMillis));

  /** Ids revoked while they waited, with the last arrival that is meant: an id may come again. */
  private final Map<String, Long> revoked = new HashMap<>();

  private long nextSeq = 1;

  /**
   * @param unknownGraceNanos a task that no listening worker knows fails after this long
   * @param passedOver told of entries that were revoked while they waited, when they leave the
   *     order
   */
  WaitingOrder(long unknownGraceNanos, Consumer<Entry> passedOver) {
    this.unknownGraceNanos = unknownGraceNanos;
    this.passedOver = passedOver;
  }

  /** Gives an entry the next place of all. */
  void arrived(Entry entry) {
    entry.seq = nextSeq++;
  }

  /** Puts an entry at the place that its arrival, priority and eta give it. */
  void place(Entry entry, long nowMillis) {
    Queue queue = queue(entry.queue);
    if (entry.etaMillis > nowMillis) {
      delayed.add(entry);
      queue.delayed++;
    } else {
      queue.ready.add(entry);
    }
  }

  void wakeDelayed(long nowMillis) {
    while (!delayed.isEmpty() && delayed.peek().etaMillis <= nowMillis) {
      Entry entry = delayed.poll();
      Queue queue = queue(entry.queue);
      queue.delayed--;
      queue.ready.add(entry);
    }
  }

  /** Returns the wall-clock time at which the next delayed task is due, or Long.MAX_VALUE. */
  long nextEtaMillis() {
    return delayed.isEmpty() ? Long.MAX_VALUE : delayed.peek().etaMillis;
  }

  /** Returns the first entry whose task can run, or null; sets aside what cannot. */
  Entry next(Queue queue, Predicate<String> canRun) {
    ReadyOrder from = source(queue, canRun);
    return from == null ? null : from.peek();
  }

  private static ReadyOrder source(Queue queue, Predicate<String> canRun) {
    Entry first = queue.ready.peek();
    while (first != null && !canRun.test(first.task)) {
      queue.ready.poll();
      queue.parked.computeIfAbsent(first.task, task -> new Parked()).order.add(first);
      first = queue.ready.peek();
    }
    ReadyOrder from = first == null ? null : queue.ready;
    if (queue.parked.isEmpty()) {
      return from;
    }
    for (Map.Entry<String, Parked> aside : queue.parked.entrySet()) {
      Entry head = aside.getValue().order.peek();
      if (head != null
          && canRun.test(aside.getKey())
          && (from == null || Entry.compare(head, from.peek()) < 0)) {
        from = aside.getValue().order;
      }
    }
    return from;
  }

  /** Takes that entry; null if it was revoked meanwhile and is passed over. */
  Entry take(Queue queue, Predicate<String> canRun) {
    ReadyOrder from = source(queue, canRun);
    Entry entry = from.poll();
    if (from.isEmpty() && from != queue.ready) {
      queue.parked.remove(entry.task);
    }
    return passOver(entry) ? null : entry;
  }

  private boolean passOver(Entry entry) {
    if (revoked.isEmpty()) {
      return false;
    }
    Long last = revoked.get(entry.id);
    if (last == null || entry.seq > last) {
      return false;
    }
    revoked.remove(entry.id);
    passedOver.accept(entry);
    return true;
  }

  /** Marks a waiting task whose record says REVOKED, so that it is passed over in its turn. */
  void revoked(String id) {
    revoked.put(id, nextSeq - 1);
  }

  /** Takes such a mark back. */
  void notRevoked(String id) {
    revoked.remove(id);
  }

  int revokedCount() {
    return revoked.size();
  }

  /** Forgets marks that can meet nothing any more. */
  void forgetMarks() {
    if (!revoked.isEmpty() && size() == 0) {
      revoked.clear();
    }
  }

  /**
   * Takes out entries whose task none of the listening workers has known for the time of grace.
   *
   * @param known says whether there is a worker that knows a task of a queue, or none that listens
   */
  List<Entry> unregistered(long nowNanos, BiPredicate<String, String> known) {
    List<Entry> gone = new ArrayList<>();
    for (Queue queue : queues.values()) {
      Iterator<Map.Entry<String, Parked>> all = queue.parked.entrySet().iterator();
      while (all.hasNext()) {
        Map.Entry<String, Parked> aside = all.next();
        Parked parked = aside.getValue();
        if (known.test(queue.name, aside.getKey())) {
          parked.unknownSinceNanos = 0;
        } else if (parked.unknownSinceNanos == 0) {
          parked.unknownSinceNanos = nowNanos;
        } else if (nowNanos - parked.unknownSinceNanos > unknownGraceNanos) {
          parked.order.drain(Integer.MAX_VALUE, e -> true, gone);
          all.remove();
        }
      }
    }
    gone.removeIf(this::passOver);
    return gone;
  }

  /**
   * Removes up to {@code most} entries that match, and returns them; null for a queue means all
   * queues.
   */
  List<Entry> drain(String name, int most, Predicate<Entry> wanted) {
    List<Entry> out = new ArrayList<>();
    for (Queue queue : queues.values()) {
      if (name == null || name.equals(queue.name)) {
        queue.ready.drain(most, wanted, out);
        queue.parked.values().forEach(aside -> aside.order.drain(most, wanted, out));
        queue.parked.values().removeIf(aside -> aside.order.isEmpty());
      }
    }
    if (out.size() < most) {
      int before = out.size();
      delayed.removeIf(
          e ->
              out.size() < most
                  && (name == null || name.equals(e.queue))
                  && wanted.test(e)
                  && out.add(e));
      out.subList(before, out.size()).forEach(e -> queue(e.queue).delayed--);
    }
    out.removeIf(this::passOver);
    return out;
  }

  /** Returns how many entries wait, in all queues, delayed ones included. */
  int size() {
    int sum = delayed.size();
    for (Queue queue : queues.values()) {
      sum += queue.waiting();
    }
    return sum;
  }

  Collection<Queue> queues() {
    return queues.values();
  }

  Queue queue(String name) {
    return queues.computeIfAbsent(name, Queue::new);
  }

  /** Forgets queues in which there is nothing: names may be made up at run time. */
  void forgetEmpty(Predicate<String> listenedTo) {
    queues
        .values()
        .removeIf(q -> q.idle() && q.delayed == 0 && q.running == 0 && !listenedTo.test(q.name));
  }
}
