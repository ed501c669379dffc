package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;

/**
 * Settles what failed writes have left open: looks at the ledger and puts tasks into the order, or
 * tells of their end, as their rows say. See {@link Doubts}.
 */
final class DoubtSettler {
  /** Doubts that are looked at together. */
  private static final int BATCH = 500;

  private final HomeContext home;

  DoubtSettler(HomeContext home) {
    this.home = home;
  }

  /** Looks at the ids whose last write is open, and queues those that are there and unfinished. */
  void settleOpen() {
    List<String> ids = home.doubts.ids(BATCH);
    if (ids.isEmpty()) {
      return;
    }
    home.unmoved(
        () -> {
          home.reservations.take(ids);
          try {
            Map<String, Doubts.Doubt> taken = home.doubts.take(ids);
            settle(taken, read(taken, List.of()));
          } finally {
            home.reservations.release(ids);
          }
          return null;
        });
  }

  /** Reads the records of reserved ids; those in doubt for sure. */
  Map<String, TaskRecord> read(Map<String, Doubts.Doubt> doubts, Collection<String> others) {
    try {
      return home.store.read(others, doubts.keySet());
    } catch (RuntimeException e) {
      home.doubts.putBack(doubts);
      throw e;
    }
  }

  /** Settles doubts of reserved ids by what was read of them, or puts them back. */
  void settle(Map<String, Doubts.Doubt> doubts, Map<String, TaskRecord> found) {
    if (doubts.isEmpty()) {
      return;
    }
    try {
      detach(doubts, found);
    } catch (RuntimeException e) {
      home.doubts.putBack(doubts);
      throw e;
    }
    asFound(doubts, found);
  }

  /** Gives records whose insert was in doubt rows of their own: their sheet is then not needed. */
  private void detach(Map<String, Doubts.Doubt> doubts, Map<String, TaskRecord> found) {
    List<TaskRecord> inserted = new ArrayList<>();
    for (Doubts.Doubt doubt : doubts.values()) {
      TaskRecord r = found.get(doubt.entry().id);
      if (doubt.before() == null && r != null && !r.state.terminal()) {
        home.sheets.hold(r.id);
        inserted.add(r);
      }
    }
    home.store.write(inserted);
  }

  private void asFound(Map<String, Doubts.Doubt> doubts, Map<String, TaskRecord> found) {
    List<Doubts.Doubt> waiting = new ArrayList<>();
    Map<Origin, List<Completion>> mail = Watchers.mail();
    for (Doubts.Doubt doubt : doubts.values()) {
      TaskRecord r = found.get(doubt.entry().id);
      if (r == null || r.expired) {
        home.leftOrder(doubt.entry());
      } else if (r.state.terminal()) {
        ended(doubt, r, mail);
      } else {
        waiting.add(doubt);
      }
    }
    home.tell(mail);
    long now = home.nowMillis();
    synchronized (home.lock) {
      waiting.forEach(doubt -> enqueue(doubt, found.get(doubt.entry().id), now));
    }
  }

  private void ended(Doubts.Doubt doubt, TaskRecord r, Map<Origin, List<Completion>> mail) {
    home.leftOrder(doubt.entry());
    if (doubt.before() == TaskState.PENDING) {
      // It waited, and the write in doubt has ended it: nobody has been told.
      unheard(doubt.entry(), r, mail);
    }
  }

  private void unheard(Entry entry, TaskRecord r, Map<Origin, List<Completion>> mail) {
    synchronized (home.lock) {
      home.watchers.collect(home.completion(r), entry.origin, mail);
      home.joined(r, home.nowMillis());
    }
    home.ended(r);
  }

  /**
   * Takes note that an entry, which is in no order any more, has no record that waits, and ends its
   * lease, if any. Where its last write was in doubt, that has ended it and nobody has been told.
   *
   * @param found its record, null if there is none
   */
  void gone(Entry entry, TaskRecord found) {
    synchronized (home.lock) {
      home.state.ended(entry);
    }
    home.leftOrder(entry);
    if (entry.unsure && found != null && !found.expired && found.state.terminal()) {
      Map<Origin, List<Completion>> mail = Watchers.mail();
      unheard(entry, found, mail);
      home.tell(mail);
    }
  }

  private void enqueue(Doubts.Doubt doubt, TaskRecord r, long now) {
    home.waitsAgain(doubt);
    if (r.joinSize != 0 || home.joins.open(r.id)) {
      // The write in doubt may have given it a call, or more to wait for.
      home.succeed(doubt.entry(), r, now);
    } else if (doubt.entry().seq == 0) {
      home.state.submitted(doubt.entry(), now);
    } else {
      home.state.restored(doubt.entry(), now);
    }
  }
}
