package org.ignitetasks.shared;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.ignitetasks.protocol.EventsApi.Event;
import org.ignitetasks.shared.EventPages.Head;
import org.ignitetasks.shared.EventPages.Page;

/**
 * The rows of the event feed: appends under the lock of the head's row, which makes one order of
 * all nodes' appends, and deletes the oldest pages with the same transaction. Thread-safe.
 */
final class EventStore {
  /**
   * What is kept.
   *
   * @param events number of events
   * @param bytes of them together
   * @param ageMillis of the last event of a page
   */
  record Limits(long events, long bytes, long ageMillis) {
    static final Limits DEFAULT = new Limits(100_000, 64L << 20, 86_400_000);
  }

  /** Pages one append deletes more than it makes, so that none takes long. */
  private static final int TRIM_AHEAD = 8;

  /** A call is repeated for so long at the most. */
  private static final long REPEAT_MILLIS = 120_000;

  private static final int READ_PAGES = 64;
  private static final long READ_BYTES = 4 << 20;

  private final Ignite ignite;
  private final Supplier<IgniteCache<String, byte[]>> cache;
  private final Consumer<Runnable> commit;
  private final Limits limits;

  EventStore(
      Ignite ignite,
      Supplier<IgniteCache<String, byte[]>> cache,
      Consumer<Runnable> commit,
      Limits limits) {
    this.ignite = ignite;
    this.cache = cache;
    this.commit = commit;
    this.limits = limits;
  }

  Head head() {
    return Head.decode(cache.get().get(EventPages.HEAD));
  }

  /**
   * Appends events.
   *
   * @param tried where an earlier try of this very append may have put them, whose answer was lost;
   *     0 for none
   * @param trying told the place before the transaction commits
   */
  void append(List<byte[]> events, long tried, Consumer<Long> trying) {
    if (events.isEmpty()) {
      return;
    }
    commit.accept(
        () ->
            inTransaction(
                rows -> {
                  Head head = Head.decode(rows.get(EventPages.HEAD));
                  if (tried > 0 && isAt(rows, head, tried, events)) {
                    return;
                  }
                  trying.accept(head.next());
                  write(rows, head, events);
                }));
  }

  /** Says whether an event is among those of the last two minutes. */
  boolean has(byte[] wanted) {
    Head head = head();
    long since = System.currentTimeMillis() - REPEAT_MILLIS;
    for (long page = EventPages.pageOf(head.next()); page >= head.oldestPage(); page--) {
      byte[] row = cache.get().get(EventPages.key(page));
      if (row == null) {
        continue; // the next event begins it
      }
      Page found = Page.decode(row);
      if (found.appendedMillis() < since) {
        return false;
      }
      if (found.events().stream().anyMatch(event -> Arrays.equals(event, wanted))) {
        return true;
      }
    }
    return false;
  }

  private void inTransaction(Consumer<IgniteCache<String, byte[]>> work) {
    try (Transaction tx =
        ignite
            .transactions()
            .txStart(TransactionConcurrency.PESSIMISTIC, TransactionIsolation.REPEATABLE_READ)) {
      work.accept(cache.get());
      tx.commit();
    }
  }

  private static boolean isAt(
      IgniteCache<String, byte[]> rows, Head head, long tried, List<byte[]> events) {
    if (head.next() <= tried) {
      return false;
    }
    Page page = Page.decode(rows.get(EventPages.key(EventPages.pageOf(tried))));
    int place = EventPages.placeOf(tried);
    // All of an append is there or nothing, so its first event stands for it.
    return place < page.events().size() && Arrays.equals(page.events().get(place), events.get(0));
  }

  private void write(IgniteCache<String, byte[]> rows, Head head, List<byte[]> events) {
    long now = System.currentTimeMillis();
    long next = head.next();
    long bytes = head.bytes();
    TreeMap<String, byte[]> changed = new TreeMap<>();
    int at = 0;
    while (at < events.size()) {
      long number = EventPages.pageOf(next);
      boolean begun = EventPages.placeOf(next) > 0;
      Page page = Page.decode(begun ? rows.get(EventPages.key(number)) : null);
      List<byte[]> all = new ArrayList<>(page.events());
      while (at < events.size() && EventPages.pageOf(next) == number) {
        bytes += events.get(at).length;
        all.add(events.get(at++));
        next++;
      }
      changed.put(EventPages.key(number), new Page(now, all).encode());
    }
    Head after = new Head(next, head.oldestPage(), bytes);
    rows.putAll(changed);
    Head trimmed = trim(rows, after, now, changed.size() + TRIM_AHEAD);
    rows.put(EventPages.HEAD, trimmed.encode());
  }

  /** Deletes the oldest pages that are beyond the limits; the newest stays in any case. */
  private Head trim(IgniteCache<String, byte[]> rows, Head head, long now, int most) {
    long oldest = head.oldestPage();
    long bytes = head.bytes();
    TreeSet<String> gone = new TreeSet<>();
    while (gone.size() < most && oldest < EventPages.pageOf(head.next())) {
      boolean tooMany =
          head.next() - 1 - oldest * EventPages.SIZE > limits.events || bytes > limits.bytes;
      Page page = Page.decode(rows.get(EventPages.key(oldest)));
      if (!tooMany && page.appendedMillis() > now - limits.ageMillis) {
        break;
      }
      bytes -= page.bytes();
      gone.add(EventPages.key(oldest++));
    }
    if (!gone.isEmpty()) {
      rows.removeAll(gone);
    }
    return new Head(head.next(), oldest, bytes);
  }

  /** Deletes what has become too old without anybody appending; says whether there may be more. */
  boolean trim() {
    boolean[] more = {false};
    inTransaction(
        rows -> {
          Head head = Head.decode(rows.get(EventPages.HEAD));
          Head after = trim(rows, head, System.currentTimeMillis(), READ_PAGES);
          more[0] = after.oldestPage() - head.oldestPage() == READ_PAGES;
          if (!after.equals(head)) {
            rows.put(EventPages.HEAD, after.encode());
          }
        });
    return more[0];
  }

  /**
   * Returns events from a place on, up to a limit and some megabytes; none if they have been
   * deleted meanwhile, or are not to be seen yet although the head is.
   */
  List<Event> read(long from, long to, int limit) {
    long last = Math.min(to, from + limit) - 1;
    List<Event> events = new ArrayList<>();
    long seq = from;
    long size = 0;
    while (seq <= last && size < READ_BYTES) {
      TreeSet<String> keys = new TreeSet<>();
      long firstPage = EventPages.pageOf(seq);
      long lastPage = Math.min(EventPages.pageOf(last), firstPage + READ_PAGES - 1);
      for (long page = firstPage; page <= lastPage; page++) {
        keys.add(EventPages.key(page));
      }
      Map<String, byte[]> rows = cache.get().getAll(keys);
      for (long page = firstPage; page <= lastPage; page++) {
        List<byte[]> stored = Page.decode(rows.get(EventPages.key(page))).events();
        while (seq <= last && EventPages.pageOf(seq) == page && size < READ_BYTES) {
          if (EventPages.placeOf(seq) >= stored.size()) {
            return events;
          }
          byte[] body = stored.get(EventPages.placeOf(seq));
          size += body.length;
          events.add(new Event(seq++, body));
        }
      }
    }
    return events;
  }
}
