package org.ignitetasks.worker;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.msgpack.core.MessageBufferPacker;

/**
 * What a worker has in hand, as its supervisor asks for it: a row for each delivery with the child
 * that has it, and how many executions of each task have ended. Bounded, so that it fits a frame.
 */
final class HeldReport {
  private static final int MAX_ROWS = 2_000;
  private static final int MAX_TOTALS = 2_000;
  private static final int MAX_BODY = 8 << 10;
  private static final long MAX_BODIES = 2 << 20;
  private static final int FIELDS = 15;
  private static final long MILLI = 1_000_000;

  private HeldReport() {}

  /** A delivery and the child it is with, null for none. */
  record Row(ChildState child, Held held) {}

  /** Returns the payload [number, rows, totals]. */
  static byte[] frame(long number, Collection<Row> rows, Map<String, Long> totals, long now) {
    List<Row> shown = rows.stream().limit(MAX_ROWS).toList();
    List<Map.Entry<String, Long>> counts = totals.entrySet().stream().limit(MAX_TOTALS).toList();
    return LaneMessages.pack(
        p -> {
          p.packArrayHeader(3).packLong(number).packArrayHeader(shown.size());
          long bodies = 0;
          for (Row row : shown) {
            int size = row.held.record.body == null ? 0 : row.held.record.body.length;
            boolean withBody = size <= MAX_BODY && bodies + size <= MAX_BODIES;
            bodies += withBody ? size : 0;
            row(p, row, withBody, now);
          }
          p.packMapHeader(counts.size());
          for (Map.Entry<String, Long> count : counts) {
            p.packString(count.getKey()).packLong(count.getValue());
          }
        });
  }

  private static void row(MessageBufferPacker p, Row row, boolean withBody, long now)
      throws IOException {
    Held held = row.held;
    p.packArrayHeader(FIELDS);
    p.packInt(row.child == null ? -1 : row.child.child);
    p.packInt(row.child == null ? 0 : row.child.pid);
    p.packLong(held.seq).packBoolean(held.sent);
    p.packLong(Math.max(0, now - held.arrivedNanos) / MILLI);
    p.packString(held.record.id).packString(held.record.task);
    LaneMessages.binary(p, withBody ? held.record.body : null);
    p.packInt(held.record.flags).packString(held.record.queue).packInt(held.record.priority);
    p.packInt(held.record.attempt).packInt(held.record.deliveries);
    p.packLong(held.record.etaMillis).packLong(held.record.createdMillis);
  }
}
