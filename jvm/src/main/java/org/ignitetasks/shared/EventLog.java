package org.ignitetasks.shared;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterGroup;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.EventsApi;
import org.ignitetasks.protocol.Repeats;
import org.ignitetasks.shared.EventPages.Head;

/**
 * The event feed of one node: one thread, which lives only while there is something to write,
 * commits together what came meanwhile, then wakes the readers here and tells the other nodes.
 *
 * <p>A reader that waits also looks by itself once a second: a word from another node may be lost.
 * Thread-safe.
 */
public final class EventLog implements EventsApi, AutoCloseable {
  /** A key that lies where all rows of the feed do. */
  public static final String PLACE = EventPages.HEAD;

  private static final Logger LOG = Logger.getLogger("ignitetasks.events");
  private static final String TOPIC = "ignitetasks.events";
  private static final long WAITING_BYTES = 16L << 20;
  private static final int BATCH_EVENTS = 2_048;
  private static final long BATCH_BYTES = 2L << 20;
  private static final int OVERHEAD = 64;
  private static final long LOOK_NANOS = 1_000_000_000L;
  private static final long HALF_SEEN_NANOS = 2_000_000L;

  /** Time between two words to the other nodes. */
  private static final long TELL_NANOS = 20_000_000L;

  /** The writer's thread ends after so long without work. */
  private static final long LINGER_NANOS = 5_000_000_000L;

  private record Waiting(
      List<byte[]> events, boolean repeated, long bytes, CompletableFuture<Void> done) {
    byte[] first() {
      return events.get(0);
    }
  }

  private final Ignite ignite;
  private final EventStore store;
  private final Repeats repeats;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition();
  private final Condition news = lock.newCondition();
  private final ArrayDeque<Waiting> queue = new ArrayDeque<>();
  private final LongAdder dropped = new LongAdder();
  private long queuedBytes;
  private long newsCount;
  private boolean writing;
  private boolean closed;
  private long toldNanos = System.nanoTime();
  private boolean tellOwed;

  /**
   * @param cache asked anew for each call: a client node that was cut off opens its caches again
   * @param commit runs a change and returns when it is as durable as was promised
   */
  public EventLog(
      Ignite ignite,
      Supplier<IgniteCache<String, byte[]>> cache,
      Consumer<Runnable> commit,
      Repeats repeats) {
    this(ignite, new EventStore(ignite, cache, commit, EventStore.Limits.DEFAULT), repeats);
  }

  EventLog(Ignite ignite, EventStore store, Repeats repeats) {
    this.ignite = ignite;
    this.store = store;
    this.repeats = repeats;
    ignite
        .message()
        .localListen(
            TOPIC,
            (sender, message) -> {
              wakeReaders();
              return true;
            });
  }

  @Override
  public void append(List<byte[]> events, boolean repeated) {
    if (events.isEmpty()) {
      return;
    }
    CompletableFuture<Void> done = new CompletableFuture<>();
    if (!enqueue(events, repeated, done)) {
      throw new TasksException(Code.BUSY, "Too many events wait to be written; try again.");
    }
    try {
      done.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof TasksException own) {
        throw own;
      }
      throw new TasksException(Code.INTERNAL, "the events could not be written", e.getCause());
    }
  }

  @Override
  public void offer(List<byte[]> events) {
    List<byte[]> fitting = events.stream().filter(event -> event.length <= MAX_EVENT).toList();
    dropped.add(events.size() - fitting.size());
    if (!fitting.isEmpty() && !enqueue(fitting, false, null)) {
      dropped.add(fitting.size());
    }
  }

  /** Returns how many events this node has dropped since its start. */
  public long dropped() {
    return dropped.sum();
  }

  private boolean enqueue(List<byte[]> events, boolean repeated, CompletableFuture<Void> done) {
    long bytes = events.stream().mapToLong(event -> event.length + OVERHEAD).sum();
    lock.lock();
    try {
      if (closed || (queuedBytes > 0 && queuedBytes + bytes > WAITING_BYTES)) {
        return false;
      }
      queue.add(new Waiting(events, repeated, bytes, done));
      queuedBytes += bytes;
      if (!writing) {
        writing = true;
        Thread thread = new Thread(this::write, "ignitetasks-events");
        thread.setDaemon(true);
        thread.start();
      }
      work.signal();
      return true;
    } finally {
      lock.unlock();
    }
  }

  private void write() {
    List<Waiting> batch = next();
    while (batch != null) {
      if (batch.isEmpty()) {
        tell();
      } else {
        write(batch);
      }
      batch = next();
    }
  }

  /** Returns what to commit together; empty if others are to be told now; null to end. */
  private List<Waiting> next() {
    lock.lock();
    try {
      long idle = LINGER_NANOS;
      while (queue.isEmpty() && idle > 0 && !closed) {
        if (tellOwed) {
          long rest = TELL_NANOS - (System.nanoTime() - toldNanos);
          if (rest <= 0) {
            return List.of();
          }
          work.awaitNanos(rest);
        } else {
          idle = work.awaitNanos(idle);
        }
      }
      if (queue.isEmpty()) {
        writing = false;
        return null;
      }
      if (tellOwed && System.nanoTime() - toldNanos >= TELL_NANOS) {
        return List.of();
      }
      return take();
    } catch (InterruptedException e) {
      writing = false;
      return null;
    } finally {
      lock.unlock();
    }
  }

  private List<Waiting> take() {
    List<Waiting> batch = new ArrayList<>();
    long bytes = 0;
    int events = 0;
    while (!queue.isEmpty()
        && (batch.isEmpty()
            || (events + queue.peek().events.size() <= BATCH_EVENTS
                && bytes + queue.peek().bytes <= BATCH_BYTES))) {
      Waiting one = queue.poll();
      queuedBytes -= one.bytes;
      bytes += one.bytes;
      events += one.events.size();
      batch.add(one);
    }
    return batch;
  }

  private void write(List<Waiting> batch) {
    List<byte[]> events = new ArrayList<>();
    long[] tried = {0};
    try {
      for (Waiting one : batch) {
        // What came before it in this batch is there too, once this is written.
        if (!one.repeated
            || !(has(events, one.first()) || repeats.of(() -> store.has(one.first())))) {
          events.addAll(one.events);
        }
      }
      repeats.of(
          () -> {
            store.append(events, tried[0], place -> tried[0] = place);
            return null;
          });
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, events.size() + " events could not be written", e);
      batch.forEach(one -> failed(one, e));
      return;
    }
    batch.stream().filter(one -> one.done != null).forEach(one -> one.done.complete(null));
    lock.lock();
    try {
      tellOwed = true;
    } finally {
      lock.unlock();
    }
    wakeReaders();
  }

  private static boolean has(List<byte[]> events, byte[] wanted) {
    return events.stream().anyMatch(event -> Arrays.equals(event, wanted));
  }

  private void failed(Waiting one, RuntimeException e) {
    if (one.done == null) {
      dropped.add(one.events.size());
    } else {
      one.done.completeExceptionally(e);
    }
  }

  /** Says to the other nodes that there is news. */
  private void tell() {
    lock.lock();
    try {
      tellOwed = false;
      toldNanos = System.nanoTime();
    } finally {
      lock.unlock();
    }
    try {
      ClusterGroup others = ignite.cluster().forRemotes();
      if (!others.nodes().isEmpty()) {
        ignite.message(others).send(TOPIC, "");
      }
    } catch (IgniteException | IllegalStateException e) {
      LOG.log(Level.FINE, "a node did not hear of events: its readers look by themselves", e);
    }
  }

  private void wakeReaders() {
    lock.lock();
    try {
      newsCount++;
      news.signalAll();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public Page read(long cursor, int limit, long waitMillis) {
    long end = System.nanoTime() + waitMillis * 1_000_000;
    long at = cursor;
    while (true) {
      long seen = newsCount();
      Head head = repeats.of(store::head);
      at = at == NOW ? head.next() - 1 : at;
      Page page = page(head, at, limit);
      if (!page.events().isEmpty()) {
        return page;
      }
      boolean halfSeen = at < head.next() - 1;
      if (!await(
          seen, Math.min(end - System.nanoTime(), halfSeen ? HALF_SEEN_NANOS : LOOK_NANOS))) {
        return page;
      }
    }
  }

  private Page page(Head head, long cursor, int limit) {
    if (cursor >= head.next()) {
      throw new TasksException(
          Code.BAD_REQUEST,
          "The cursor "
              + cursor
              + " is ahead of the feed, which ends at "
              + (head.next() - 1)
              + ": it belongs to another cluster or to data that is gone; begin with 0.");
    }
    long from = Math.max(cursor + 1, head.oldest());
    List<Event> events = repeats.of(() -> store.read(from, head.next(), limit));
    if (events.isEmpty()) {
      return new Page(cursor, events, 0);
    }
    // Who begins with the oldest has lost nothing.
    long lost = cursor == 0 ? 0 : from - cursor - 1;
    return new Page(events.get(events.size() - 1).seq(), events, lost);
  }

  private long newsCount() {
    lock.lock();
    try {
      return newsCount;
    } finally {
      lock.unlock();
    }
  }

  /** Waits for news at the most so long; false if the time is over or this node stops. */
  private boolean await(long seen, long nanos) {
    if (nanos <= 0) {
      return false;
    }
    lock.lock();
    try {
      long left = nanos;
      while (left > 0 && newsCount == seen && !closed) {
        left = news.awaitNanos(left);
      }
      return !closed;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      lock.unlock();
    }
  }

  /** Deletes what has become too old. */
  public void trim() {
    while (store.trim()) {
      LOG.log(Level.FINE, "old events were deleted");
    }
  }

  /** Ends waiting readers; what waits to be written still is. */
  @Override
  public void close() {
    lock.lock();
    try {
      closed = true;
      news.signalAll();
      work.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
