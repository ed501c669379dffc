package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.ignite.IgniteCache;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.RowsCodec;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.node.TestNodes;
import org.junit.jupiter.api.Test;

class TogetherTest extends HomeTestBase {
  @Test
  void rowsAreWrittenAndTheJournalIsEmptyAfterwards() {
    TaskRecord a = Make.record("a");
    TaskRecord b = Make.record("b");
    home.home.store.writeTogether(List.of(a, b));
    assertArrayEquals(RecordCodec.encode(a), ledger.get("a"));
    assertArrayEquals(RecordCodec.encode(b), ledger.get("b"));
    assertEquals(0, journal().size());
  }

  @Test
  void whatACrashHasCutIsFinishedBeforeAnybodyReads() {
    TaskRecord a = Make.record("a");
    TaskRecord b = Make.record("b");
    TreeMap<String, byte[]> rows =
        new TreeMap<>(Map.of("a", RecordCodec.encode(a), "b", RecordCodec.encode(b)));
    // As a crash after the journal's row and the first of the two leaves it.
    journal().put("cut", RowsCodec.encode(rows));
    ledger.put("a", rows.get("a"));
    restart();
    assertArrayEquals(rows.get("b"), ledger.get("b"));
    assertEquals(0, journal().size());
    worker(1, 2);
    assertEquals(List.of("a", "b"), runAll(1).stream().sorted().toList());
  }

  private static IgniteCache<String, byte[]> journal() {
    return TestNodes.journal(ignite());
  }
}
