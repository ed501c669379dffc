package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Completion;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

/** Writes the payload of one answer. Not thread-safe. */
final class AnswerPacker {
  private static final int REF = 1;
  private static final int MAX_DEPTH = 16;

  private final MessageBufferPacker out = MessagePack.newDefaultBufferPacker();

  byte[] toBytes() throws IOException {
    return out.toByteArray();
  }

  /** Returns how many bytes have been written. */
  long size() {
    return out.getTotalWrittenBytes();
  }

  /** Writes [code, message, retryable]. */
  void error(TasksException error) throws IOException {
    out.packArrayHeader(3);
    out.packString(error.code().name());
    out.packString(error.getMessage());
    out.packBoolean(error.code().retryable());
  }

  void array(int length) throws IOException {
    out.packArrayHeader(length);
  }

  void integer(long value) throws IOException {
    out.packLong(value);
  }

  void bool(boolean value) throws IOException {
    out.packBoolean(value);
  }

  void text(String value) throws IOException {
    if (value == null) {
      out.packNil();
    } else {
      out.packString(value);
    }
  }

  void bytes(byte[] value) throws IOException {
    if (value == null) {
      out.packNil();
    } else {
      out.packBinaryHeader(value.length);
      out.writePayload(value);
    }
  }

  void texts(Collection<String> values) throws IOException {
    out.packArrayHeader(values.size());
    for (String value : values) {
      out.packString(value);
    }
  }

  /** Writes [seq, dropped, completions]. */
  void letter(Mailbox.Letter letter) throws IOException {
    array(3);
    integer(letter.seq());
    bool(letter.dropped());
    completions(letter.completions());
  }

  void completions(List<Completion> completions) throws IOException {
    out.packArrayHeader(completions.size());
    for (Completion completion : completions) {
      out.packArrayHeader(4);
      out.packString(completion.id());
      out.packInt(completion.state());
      bytes(completion.payload());
      out.packInt(completion.payloadIsRef() ? REF : 0);
    }
  }

  /** Writes everything the client may see of a record, as a map. */
  void info(TaskRecord r) throws IOException {
    out.packMapHeader(30);
    entry("id", r.id);
    entry("task", r.task);
    entry("queue", r.queue);
    entry("state", r.state.code());
    entry("priority", r.priority);
    entry("created_ms", r.createdMillis);
    entry("eta_ms", r.etaMillis);
    entry("expires_ms", r.expiresMillis);
    entry("finished_ms", r.finishedMillis);
    entry("started_ms", r.startedMillis);
    entry("attempt", r.attempt);
    entry("deliveries", r.deliveries);
    entry("fence", r.fence);
    entry("worker", r.worker);
    entry("error_type", r.errorType);
    entry("run_us", r.runMicros);
    entry("flags", r.flags & TaskFlags.WIRE);
    entry("root_id", r.rootId);
    entry("parent_id", r.parentId);
    entry("group_id", r.groupId);
    entry("result", r.payload);
    out.packString("result_ref");
    out.packBoolean(r.has(TaskFlags.RESULT_REF));
    entry("body", r.body);
    entry("options", r.options);
    entry("max_deliveries", r.maxDeliveries);
    entry("result_ttl_ms", r.resultTtlMillis);
    entry("join_id", r.joinId);
    entry("join_size", Math.max(TaskRecord.PROMISED, r.joinSize));
    entry("replaced_fence", r.replacedFence);
    entry("note", r.note);
  }

  /** Writes one row of a scan. */
  void row(TaskRecord r) throws IOException {
    out.packArrayHeader(17);
    text(r.id);
    text(r.task);
    text(r.queue);
    integer(r.state.code());
    integer(r.priority);
    integer(r.createdMillis);
    integer(r.etaMillis);
    integer(r.startedMillis);
    integer(r.finishedMillis);
    integer(r.attempt);
    integer(r.deliveries);
    text(r.worker);
    text(r.errorType);
    integer(r.runMicros);
    text(r.rootId);
    text(r.parentId);
    text(r.groupId);
  }

  /** Writes a tree of maps, lists, strings, numbers, booleans, bytes and nulls. */
  void value(Object value) throws IOException {
    value(value, 0);
  }

  private void value(Object value, int depth) throws IOException {
    if (depth > MAX_DEPTH) {
      throw new TasksException(Code.INTERNAL, "An answer is nested too deeply.");
    }
    if (value == null) {
      out.packNil();
    } else if (value instanceof String text) {
      out.packString(text);
    } else if (value instanceof Boolean bool) {
      out.packBoolean(bool);
    } else if (value instanceof Number number) {
      number(number);
    } else if (value instanceof byte[] bytes) {
      bytes(bytes);
    } else if (value instanceof Map<?, ?> map) {
      out.packMapHeader(map.size());
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        value(entry.getKey(), depth + 1);
        value(entry.getValue(), depth + 1);
      }
    } else if (value instanceof Collection<?> list) {
      out.packArrayHeader(list.size());
      for (Object item : list) {
        value(item, depth + 1);
      }
    } else {
      throw new TasksException(
          Code.INTERNAL, "An answer holds a " + value.getClass().getName() + ".");
    }
  }

  private void number(Number number) throws IOException {
    if (number instanceof Double || number instanceof Float) {
      out.packDouble(number.doubleValue());
    } else {
      out.packLong(number.longValue());
    }
  }

  private void entry(String key, String value) throws IOException {
    out.packString(key);
    text(value);
  }

  private void entry(String key, long value) throws IOException {
    out.packString(key);
    out.packLong(value);
  }

  private void entry(String key, byte[] value) throws IOException {
    out.packString(key);
    bytes(value);
  }
}
