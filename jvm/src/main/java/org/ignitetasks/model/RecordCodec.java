package org.ignitetasks.model;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The stored form of a {@link TaskRecord}: a version byte, then fields in a fixed order.
 *
 * <p>Numbers are LEB128 varints (zig-zag for the join size only: nothing else is negative), strings
 * and bytes have a varint length where 0 means null and n + 1 a length of n. A new field is
 * appended with a new version; readers accept every older version. (Since version 2 the joins are
 * in front, so that a rebuild finds them without decoding the rest.) Strings that repeat (task,
 * queue, worker, error type) are shared when decoded, so that a million records do not hold a
 * million copies.
 */
public final class RecordCodec {
  private static final byte VERSION = 3;
  private static final byte WITHOUT_OVER = 2;
  private static final byte WITHOUT_JOINS = 1;

  /** What the flag for a referenced result was in version 1. */
  private static final int OLD_RESULT_REF = 32;

  private static final byte EXPIRED = 0x7f;
  private static final byte FORGOTTEN = 0x7e;
  private static final byte REVOKED_AHEAD = 0x7d;

  private RecordCodec() {}

  /** Returns the stored form. */
  public static byte[] encode(TaskRecord r) {
    Writer w = new Writer(160 + r.opaqueSize());
    if (r.expired) {
      byte kind = r.forgotten ? FORGOTTEN : EXPIRED;
      w.bytes[w.size++] = r.revokedAhead() ? REVOKED_AHEAD : kind;
      w.number(r.finishedMillis);
      if (r.joinId != null) {
        w.text(r.joinId);
      }
      return w.done();
    }
    w.bytes[w.size++] = VERSION;
    w.bytes[w.size++] = (byte) r.state.code();
    w.signed(r.joinSize);
    w.text(r.joinId);
    w.text(r.task);
    w.text(r.queue);
    w.number(r.priority);
    w.number(r.flags);
    w.number(r.maxDeliveries);
    w.number(r.deliveries);
    w.number(r.workerLosses);
    w.number(r.attempt);
    w.number(r.fence);
    w.number(r.createdMillis);
    w.number(r.etaMillis);
    w.number(r.expiresMillis);
    w.number(r.startedMillis);
    w.number(r.finishedMillis);
    w.number(r.runMicros);
    w.number(r.softLimitMillis);
    w.number(r.hardLimitMillis);
    w.number(r.resultTtlMillis);
    w.text(r.worker);
    w.text(r.errorType);
    w.text(r.rootId);
    w.text(r.parentId);
    w.text(r.groupId);
    w.blob(r.fingerprint);
    w.blob(r.options);
    w.blob(r.body);
    w.blob(r.payload);
    w.number(r.replacedFence);
    w.text(r.note);
    w.number(r.overFence);
    return w.done();
  }

  /**
   * Returns the state in a stored form without decoding the rest, or null for an expired marker.
   */
  public static TaskState peekState(byte[] stored) {
    if (marker(stored[0])) {
      return null;
    }
    if (!known(stored[0])) {
      throw unknownVersion("of a task", stored[0]);
    }
    return TaskState.of(stored[1]);
  }

  /**
   * What a stored form says of joins.
   *
   * @param id the join the task counts for, or null
   * @param size the task's own join size
   */
  public record Join(String id, int size) {}

  /** Returns what a stored form says of joins, without decoding the rest; null if nothing. */
  public static Join peekJoin(byte[] stored) {
    boolean marker = marker(stored[0]);
    // The two bytes that nearly every record has here: no size, no join.
    if (!marker && (stored[0] == WITHOUT_JOINS || (stored[2] == 0 && stored[3] == 0))) {
      return null;
    }
    Reader in = new Reader(stored);
    if (marker) {
      in.at = 1;
      in.number();
      return in.at == stored.length ? null : new Join(in.text(true), 0);
    }
    in.at = 2;
    int size = in.signed();
    return new Join(in.text(true), size);
  }

  /** Returns the record with this id from its stored form. */
  public static TaskRecord decode(String id, byte[] stored) {
    try {
      return read(id, stored);
    } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
      throw new TasksException(
          TasksException.Code.INTERNAL,
          "the record of task " + id + " is damaged (" + stored.length + " bytes)",
          e);
    }
  }

  private static TasksException unknownVersion(String whose, byte version) {
    return new TasksException(
        TasksException.Code.DATA_DIR_NEWER,
        "the record " + whose + " has the unknown version " + version + ": upgrade ignitetasks");
  }

  private static TaskRecord read(String id, byte[] stored) {
    Reader in = new Reader(stored);
    TaskRecord r = new TaskRecord();
    r.id = id;
    byte version = stored[in.at++];
    if (marker(version)) {
      r.expired = true;
      r.forgotten = version != EXPIRED;
      r.state = version == REVOKED_AHEAD ? TaskState.REVOKED : TaskState.IGNORED;
      r.finishedMillis = in.number();
      r.joinId = in.at == stored.length ? null : in.text(false);
      return r;
    }
    if (!known(version)) {
      throw unknownVersion("of task " + id, version);
    }
    r.state = TaskState.of(stored[in.at++]);
    if (version != WITHOUT_JOINS) {
      r.joinSize = in.signed();
      r.joinId = in.text(true);
    }
    r.task = in.text(true);
    r.queue = in.text(true);
    r.priority = (int) in.number();
    r.flags = (int) in.number();
    r.maxDeliveries = (int) in.number();
    r.deliveries = (int) in.number();
    r.workerLosses = (int) in.number();
    r.attempt = (int) in.number();
    r.fence = in.number();
    r.createdMillis = in.number();
    r.etaMillis = in.number();
    r.expiresMillis = in.number();
    r.startedMillis = in.number();
    r.finishedMillis = in.number();
    r.runMicros = in.number();
    r.softLimitMillis = (int) in.number();
    r.hardLimitMillis = (int) in.number();
    r.resultTtlMillis = in.number();
    r.worker = in.text(true);
    r.errorType = in.text(true);
    r.rootId = in.text(false);
    r.parentId = in.text(false);
    r.groupId = in.text(false);
    r.fingerprint = in.blob();
    r.options = in.blob();
    r.body = in.blob();
    r.payload = in.blob();
    if (version == WITHOUT_JOINS) {
      boolean reference = r.has(OLD_RESULT_REF);
      r.flag(OLD_RESULT_REF, false);
      r.flag(TaskFlags.RESULT_REF, reference);
    } else {
      r.replacedFence = in.number();
      r.note = in.text(true);
      r.overFence = version == WITHOUT_OVER ? r.replacedFence : in.number();
    }
    return r;
  }

  /** Says whether this is the marker of an id that was revoked before it was submitted. */
  public static boolean isRevokedAhead(byte[] stored) {
    return stored[0] == REVOKED_AHEAD;
  }

  private static boolean known(byte version) {
    return version == VERSION || version == WITHOUT_OVER || version == WITHOUT_JOINS;
  }

  private static boolean marker(byte version) {
    return version == EXPIRED || version == FORGOTTEN || version == REVOKED_AHEAD;
  }

  /** Appends numbers, texts and blobs. */
  static final class Writer {
    private byte[] bytes;
    private int size;

    Writer(int capacity) {
      bytes = new byte[capacity];
    }

    void mark(byte mark) {
      room(1);
      bytes[size++] = mark;
    }

    void number(long value) {
      room(10);
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        bytes[size++] = (byte) (rest & 0x7f | 0x80);
        rest >>>= 7;
      }
      bytes[size++] = (byte) rest;
    }

    void signed(int value) {
      number(((long) value << 1 ^ value >> 31) & 0xffffffffL);
    }

    void text(String value) {
      blob(value == null ? null : value.getBytes(StandardCharsets.UTF_8));
    }

    void blob(byte[] value) {
      if (value == null) {
        number(0);
        return;
      }
      number(value.length + 1L);
      room(value.length);
      System.arraycopy(value, 0, bytes, size, value.length);
      size += value.length;
    }

    byte[] done() {
      return size == bytes.length ? bytes : Arrays.copyOf(bytes, size);
    }

    private void room(int more) {
      if (size + more > bytes.length) {
        bytes = Arrays.copyOf(bytes, Math.max(size + more, bytes.length * 2));
      }
    }
  }

  /** Reads them in the same order. */
  static final class Reader {
    private static final String[] SHARED = new String[1024];

    private final byte[] bytes;
    private int at;

    Reader(byte[] bytes) {
      this.bytes = bytes;
    }

    void skipMark() {
      at++;
    }

    long number() {
      long value = 0;
      for (int shift = 0; ; shift += 7) {
        byte b = bytes[at++];
        value |= (long) (b & 0x7f) << shift;
        if (b >= 0) {
          return value;
        }
        if (shift > 63) {
          throw new IllegalArgumentException("a number does not end");
        }
      }
    }

    int signed() {
      int value = (int) number();
      return value >>> 1 ^ -(value & 1);
    }

    /** Returns the length of what follows, -1 if it is null. */
    private int length() {
      long length = number() - 1;
      // Without this a cut record would seem to end with zeros.
      if (length > bytes.length - at) {
        throw new IndexOutOfBoundsException("a field of " + length + " bytes is cut");
      }
      return (int) length;
    }

    byte[] blob() {
      int length = length();
      if (length < 0) {
        return null;
      }
      byte[] value = Arrays.copyOfRange(bytes, at, at + length);
      at += length;
      return value;
    }

    String text(boolean share) {
      int length = length();
      if (length < 0) {
        return null;
      }
      int start = at;
      at += length;
      String value = new String(bytes, start, length, StandardCharsets.UTF_8);
      if (!share) {
        return value;
      }
      // A lost update only costs one more copy, so the table needs no lock.
      int slot = value.hashCode() & (SHARED.length - 1);
      String known = SHARED[slot];
      if (value.equals(known)) {
        return known;
      }
      SHARED[slot] = value;
      return value;
    }
  }
}
