package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;

/**
 * Turns the groups of a submit straight into records; the hot path of every client.
 *
 * <p>A group's template is read once, and its strings are shared by all records of the group.
 * Either all of a batch is well-formed or none of it goes anywhere. Not thread-safe.
 */
final class SubmitReader {
  /** Most records in one call. */
  static final int MAX_ITEMS = 20_000;

  /** Largest body that travels in the record; larger ones go as blobs. */
  static final int INLINE_LIMIT = 65_536;

  /** End of the year 9999. */
  static final long MAX_MILLIS = 253_402_300_799_999L;

  private static final int MAX_GROUPS = 1_000;
  private static final int MAX_DELIVERIES = 65_535;
  private static final int FINGERPRINT = 16;
  private static final int FLAGS =
      TaskFlags.IGNORE_RESULT
          | TaskFlags.EARLY_ACK
          | TaskFlags.TRACK_STARTED
          | TaskFlags.CHECK_EXISTS
          | TaskFlags.BODY_REF;

  private final RequestReader in;
  private final long nowMillis;
  private final List<TaskRecord> records = new ArrayList<>();
  private final Set<String> seen = new HashSet<>();

  SubmitReader(RequestReader in, long nowMillis) {
    this.in = in;
    this.nowMillis = nowMillis;
  }

  /** Reads the field "groups"; returns its records in the order of the items. */
  List<TaskRecord> read() throws IOException {
    int groups = in.arrayUpTo("groups", MAX_GROUPS);
    for (int i = 0; i < groups; i++) {
      in.array("group", 2);
      TaskRecord template = template();
      items(template);
    }
    if (records.isEmpty()) {
      throw RequestReader.bad("groups", "must hold at least one item");
    }
    return records;
  }

  private TaskRecord template() throws IOException {
    in.array("template", 14);
    TaskRecord t = new TaskRecord();
    t.task = in.name("task");
    t.queue = in.name("queue");
    t.priority = in.smallInteger("priority", 0, 255);
    t.etaMillis = in.integer("eta_ms", 0, MAX_MILLIS);
    t.expiresMillis = in.integer("expires_ms", 0, MAX_MILLIS);
    t.flags = in.smallInteger("flags", 0, FLAGS);
    t.maxDeliveries = in.smallInteger("max_deliveries", 1, MAX_DELIVERIES);
    t.softLimitMillis = in.smallInteger("soft_ms", 0, Integer.MAX_VALUE);
    t.hardLimitMillis = in.smallInteger("hard_ms", 0, Integer.MAX_VALUE);
    t.resultTtlMillis = in.integer("result_ttl_ms", 0, MAX_MILLIS);
    t.options = in.bytesOrNil("options", INLINE_LIMIT);
    t.rootId = in.nameOrNil("root_id");
    t.parentId = in.nameOrNil("parent_id");
    t.groupId = in.nameOrNil("group_id");
    return t;
  }

  private void items(TaskRecord template) throws IOException {
    int count = in.arrayUpTo("items", MAX_ITEMS);
    if (records.size() + count > MAX_ITEMS) {
      throw new TasksException(
          Code.TOO_LARGE, "One call takes at most " + MAX_ITEMS + " tasks; split the batch.");
    }
    for (int i = 0; i < count; i++) {
      records.add(item(template));
    }
  }

  private TaskRecord item(TaskRecord template) throws IOException {
    in.array("item", 3);
    TaskRecord record = copy(template);
    record.id = in.name("id");
    if (!seen.add(record.id)) {
      throw RequestReader.bad(
          "id", "must be unique in a batch: item " + records.size() + " is not");
    }
    record.body = in.bytes("body", INLINE_LIMIT);
    record.fingerprint = in.bytesOrNil("fingerprint", FINGERPRINT);
    if (record.fingerprint != null && record.fingerprint.length != FINGERPRINT) {
      throw RequestReader.bad("fingerprint", "must have " + FINGERPRINT + " bytes");
    }
    return record;
  }

  private TaskRecord copy(TaskRecord template) {
    TaskRecord r = new TaskRecord();
    r.task = template.task;
    r.queue = template.queue;
    r.priority = template.priority;
    r.etaMillis = template.etaMillis;
    r.expiresMillis = template.expiresMillis;
    r.flags = template.flags;
    r.maxDeliveries = template.maxDeliveries;
    r.softLimitMillis = template.softLimitMillis;
    r.hardLimitMillis = template.hardLimitMillis;
    r.resultTtlMillis = template.resultTtlMillis;
    r.options = template.options;
    r.rootId = template.rootId;
    r.parentId = template.parentId;
    r.groupId = template.groupId;
    r.createdMillis = nowMillis;
    return r;
  }
}
