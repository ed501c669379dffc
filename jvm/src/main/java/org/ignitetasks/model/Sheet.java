package org.ignitetasks.model;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Many new tasks in one stored row: what a bulk submit writes instead of a row for each.
 *
 * <p>A client that sends in bulk counts its ids in blocks of {@link #BLOCK}; the tasks of one block
 * that are alike in everything but id and body are stored as one sheet under the block's key, which
 * is a function of any of their ids. A sheet never changes: as soon as something happens to a task
 * it gets a row of its own, which from then on is the truth; a sheet whose tasks all have ended
 * goes.
 *
 * <p>This halves the writes of a task's life (measured: a row costs 15 to 25 us, a place on a sheet
 * under one).
 */
public final class Sheet {
  /** Ids per block; a power of two, part of the id's format. */
  public static final int BLOCK = 512;

  /** Fewer tasks than this are stored in rows. */
  public static final int SMALLEST = 8;

  /** Whoever wants one task reads its whole sheet, so that a sheet is not to be large. */
  private static final int MOST_BYTES = 1 << 20;

  /** First byte of a stored sheet, where a record has its version. */
  private static final byte MARK = 0x20;

  private static final String SUFFIX = "/\u0001sheet";
  private static final int COUNTER_AT = 24;
  private static final int LOCATOR_AT = 32;

  private Sheet() {}

  /** Says whether a stored row is a sheet. */
  public static boolean is(byte[] stored) {
    return stored[0] == MARK;
  }

  /** Says whether an id has the form of those that a client counts. */
  public static boolean counted(String id) {
    return Locator.uuidShaped(id) && id.charAt(14) == '4' && id.charAt(19) == '8';
  }

  /**
   * Returns the key of the sheet that a task's record may be on, or null if its id is not counted.
   */
  public static String keyOf(String id) {
    if (!counted(id)) {
      return null;
    }
    long counter = counter(id) & -(long) BLOCK;
    return id.substring(0, COUNTER_AT) + hex8(counter) + id.substring(LOCATOR_AT) + SUFFIX;
  }

  private static long counter(String id) {
    return Long.parseLong(id, COUNTER_AT, LOCATOR_AT, 16);
  }

  /** Returns the place of a task on its sheet, 0 to BLOCK - 1. */
  public static int place(String id) {
    return (int) (counter(id) & (BLOCK - 1));
  }

  /**
   * Returns how many records from {@code from} on can share a sheet: they are the first of a block,
   * counted without gaps, and alike. 0 if they are not worth one.
   */
  public static int run(List<TaskRecord> records, int from) {
    TaskRecord first = records.get(from);
    if (!fit(first) || keyOf(first.id) == null || place(first.id) != 0) {
      return 0;
    }
    int end = Math.min(records.size(), from + BLOCK);
    int at = from + 1;
    long counter = counter(first.id);
    long bytes = first.opaqueSize();
    while (at < end && follows(first, records.get(at), counter + at - from)) {
      bytes += records.get(at).opaqueSize();
      if (bytes > MOST_BYTES) {
        break;
      }
      at++;
    }
    return at - from >= SMALLEST ? at - from : 0;
  }

  private static boolean fit(TaskRecord r) {
    return (r.flags & (TaskFlags.CHECK_EXISTS | TaskFlags.BODY_REF)) == 0
        && r.fingerprint == null
        && r.joinSize == 0
        && r.replacedFence == 0
        && r.overFence == 0
        && r.state == TaskState.PENDING;
  }

  private static boolean follows(TaskRecord first, TaskRecord r, long counter) {
    return r.id.length() == first.id.length()
        && r.id.startsWith(first.id.substring(0, COUNTER_AT))
        && r.id.endsWith(first.id.substring(LOCATOR_AT))
        && Locator.uuidShaped(r.id)
        && counter(r.id) == counter
        && fit(r)
        && alike(first, r);
  }

  private static boolean alike(TaskRecord a, TaskRecord b) {
    return a.task.equals(b.task)
        && a.queue.equals(b.queue)
        && a.priority == b.priority
        && a.flags == b.flags
        && a.maxDeliveries == b.maxDeliveries
        && a.createdMillis == b.createdMillis
        && a.etaMillis == b.etaMillis
        && a.expiresMillis == b.expiresMillis
        && a.softLimitMillis == b.softLimitMillis
        && a.hardLimitMillis == b.hardLimitMillis
        && a.resultTtlMillis == b.resultTtlMillis
        && a.options == b.options
        && Objects.equals(a.rootId, b.rootId)
        && Objects.equals(a.parentId, b.parentId)
        && Objects.equals(a.groupId, b.groupId)
        && Objects.equals(a.joinId, b.joinId);
  }

  /** Returns the stored form of a run of records. */
  public static byte[] encode(List<TaskRecord> run) {
    TaskRecord template = run.get(0).copy();
    template.body = null;
    int size = 32;
    for (TaskRecord r : run) {
      size += 4 + (r.body == null ? 0 : r.body.length);
    }
    RecordCodec.Writer w = new RecordCodec.Writer(size + 200);
    w.mark(MARK);
    w.blob(RecordCodec.encode(template));
    w.number(run.size());
    for (TaskRecord r : run) {
      w.blob(r.body);
    }
    return w.done();
  }

  /** Returns the records on a sheet, in the order of their places. */
  public static List<TaskRecord> decode(String key, byte[] stored) {
    try {
      return read(key, stored);
    } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
      throw new TasksException(
          TasksException.Code.INTERNAL,
          "the sheet of task " + key + " is damaged (" + stored.length + " bytes)",
          e);
    }
  }

  private static List<TaskRecord> read(String key, byte[] stored) {
    RecordCodec.Reader in = new RecordCodec.Reader(stored);
    in.skipMark();
    TaskRecord template = RecordCodec.decode(key, in.blob());
    long count = in.number();
    if (count < 0 || count > BLOCK) {
      throw new IllegalArgumentException(count + " tasks on a sheet");
    }
    String head = key.substring(0, COUNTER_AT);
    String tail = key.substring(LOCATOR_AT, key.length() - SUFFIX.length());
    long counter = counter(key);
    List<TaskRecord> records = new ArrayList<>((int) count);
    for (int place = 0; place < count; place++) {
      TaskRecord r = template.copy();
      r.id = head + hex8(counter + place) + tail;
      r.body = in.blob();
      records.add(r);
    }
    return records;
  }

  private static String hex8(long counter) {
    String hex = Long.toHexString(counter);
    return "00000000".substring(hex.length()) + hex;
  }
}
