package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
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
  private final IgniteCache<String, byte[]> journal;
  private final IgniteCache<String, byte[]> ledger;

  Together(IgniteCache<String, byte[]> journal, IgniteCache<String, byte[]> ledger) {
    this.journal = journal;
    this.ledger = ledger;
  }

  void put(Map<String, byte[]> rows) {
    String entry = UUID.randomUUID().toString();
    journal.put(entry, RowsCodec.encode(rows));
    ledger.putAll(rows);
    journal.remove(entry);
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
