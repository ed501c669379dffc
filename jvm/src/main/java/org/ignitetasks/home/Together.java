package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.cache.Cache;
import org.apache.ignite.IgniteCache;
import org.ignitetasks.model.RowsCodec;

/**
 * Writes several rows of an atomic ledger so that a crash leaves all of them or none: first all of
 * them as one row of a journal, then each at its place, then the journal's row goes.
 *
 * <p>What is found in the journal at the next start is put in place again, before anybody reads the
 * ledger. That cannot undo a later change of the same rows: the log keeps the order of writes, and
 * nobody sees the rows before their journal is gone. Only for a lone node.
 */
final class Together {
  private static final Logger LOG = Logger.getLogger("ignitetasks.home");
  private static final int CUT = 5;

  private final IgniteCache<String, byte[]> journal;
  private final IgniteCache<String, byte[]> ledger;

  private final Runnable halt;

  Together(IgniteCache<String, byte[]> journal, IgniteCache<String, byte[]> ledger) {
    this(journal, ledger, () -> Runtime.getRuntime().halt(CUT));
  }

  Together(IgniteCache<String, byte[]> journal, IgniteCache<String, byte[]> ledger, Runnable halt) {
    this.journal = journal;
    this.ledger = ledger;
    this.halt = halt;
  }

  void put(Map<String, byte[]> rows) {
    String entry = UUID.randomUUID().toString();
    journal.put(entry, RowsCodec.encode(rows));
    try {
      ledger.putAll(rows);
    } catch (RuntimeException e) {
      undo(entry, rows, e);
      throw e;
    }
    journal.remove(entry);
  }

  /**
   * Forgets what could not be put in place, if nothing of it was. Else only the next start can
   * finish it, and must not find that these rows went on changing: this node ends.
   */
  private void undo(String entry, Map<String, byte[]> rows, RuntimeException cause) {
    try {
      boolean touched =
          rows.entrySet().stream()
              .anyMatch(row -> Arrays.equals(row.getValue(), ledger.get(row.getKey())));
      if (!touched) {
        journal.remove(entry);
        return;
      }
    } catch (RuntimeException e) {
      cause.addSuppressed(e);
    }
    LOG.log(Level.SEVERE, "a change was cut in the middle: this node ends to finish it", cause);
    halt.run();
  }

  /** Finishes what a crash has cut. */
  void recover() {
    List<String> entries = new ArrayList<>();
    for (Cache.Entry<String, byte[]> entry : journal) {
      ledger.putAll(RowsCodec.decode(entry.getValue()));
      entries.add(entry.getKey());
    }
    entries.forEach(journal::remove);
  }
}
