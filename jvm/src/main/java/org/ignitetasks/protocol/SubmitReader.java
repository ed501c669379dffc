package org.ignitetasks.protocol;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;

/**
 * Turns the groups of a submit straight into records; the hot path of every client.
 *
 * <p>Spawns of outcomes hold groups of the same form.
 *
 * <p>A group's template is read once, and its strings are shared by all records of the group.
 * Either all of a batch is well-formed or none of it goes anywhere. Not thread-safe.
 */
public final class SubmitReader {
  /** Most records in one call. */
  static final int MAX_ITEMS = 20_000;

  /** Largest body that travels in the record; larger ones go as blobs. */
  public static final int INLINE_LIMIT = 65_536;

  /** End of the year 9999. */
  public static final long MAX_MILLIS = 253_402_300_799_999L;

  /** Most members of a join: a number that is surely wrong must not be kept for ever. */
  private static final int MAX_JOIN = 100_000_000;

  /** Fields of a template. */
  public static final int TEMPLATE_FIELDS = 16;

  private static final int MAX_GROUPS = 1_000;
  private static final int MAX_DELIVERIES = 65_535;
  private static final int FINGERPRINT = 16;

  private final FieldReader in;
  private final long nowMillis;
  private final List<TaskRecord> records = new ArrayList<>();
  private final Set<String> seen = new HashSet<>();

  public SubmitReader(FieldReader in, long nowMillis) {
    this.in = in;
    this.nowMillis = nowMillis;
  }

  /** Reads the field "groups"; returns its records in the order of the items. */
  public List<TaskRecord> read() throws IOException {
    groups();
    if (records.isEmpty()) {
      throw FieldReader.bad("groups", "must hold at least one item");
    }
    return records;
  }

  /** Reads the field "spawn": what an outcome brings with it; null for nil. */
  public Spawn spawn() throws IOException {
    if (in.nil("spawn")) {
      return null;
    }
    List<TaskRecord> ended = List.of();
    List<Spawn.Growth> growths = List.of();
    int fields = in.mapUpTo("spawn", 3);
    for (int i = 0; i < fields; i++) {
      String field = in.name("spawn");
      switch (field) {
        case "submit" -> groups();
        case "end" -> ended = ends();
        case "grow" -> growths = growths();
        default -> throw FieldReader.bad("spawn", "has an unknown part '" + field + "'");
      }
    }
    return new Spawn(records, ended, growths);
  }

  private void groups() throws IOException {
    int groups = in.arrayUpTo("groups", MAX_GROUPS);
    for (int i = 0; i < groups; i++) {
      in.array("group", 2);
      TaskRecord template = template();
      items(template);
    }
  }

  private List<TaskRecord> ends() throws IOException {
    int count = in.arrayUpTo("end", MAX_ITEMS);
    List<TaskRecord> ends = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      in.array("end", 5);
      String id = in.name("id");
      int state = in.smallInteger("state", TaskState.SUCCESS.code(), TaskState.IGNORED.code());
      byte[] payload = in.bytesOrNil("payload", INLINE_LIMIT);
      String errorType = in.nameOrNil("errortype");
      TaskRecord record = template();
      record.id = id;
      record.state = TaskState.of(state);
      record.payload = payload;
      record.errorType = errorType;
      record.createdMillis = nowMillis;
      record.finishedMillis = nowMillis;
      record.joinSize = 0;
      ends.add(record);
    }
    return ends;
  }

  private List<Spawn.Growth> growths() throws IOException {
    int count = in.arrayUpTo("grow", MAX_ITEMS);
    List<Spawn.Growth> growths = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      in.array("grow", 2);
      growths.add(new Spawn.Growth(in.name("id"), in.smallInteger("n", 1, MAX_JOIN)));
    }
    return growths;
  }

  private TaskRecord template() throws IOException {
    in.array("template", TEMPLATE_FIELDS);
    TaskRecord t = new TaskRecord();
    t.task = in.name("task");
    t.queue = in.name("queue");
    t.priority = in.smallInteger("priority", 0, 255);
    t.etaMillis = in.integer("eta_ms", 0, MAX_MILLIS);
    t.expiresMillis = in.integer("expires_ms", 0, MAX_MILLIS);
    t.flags = in.flags("flags", TaskFlags.WIRE);
    t.maxDeliveries = in.smallInteger("max_deliveries", 1, MAX_DELIVERIES);
    t.softLimitMillis = in.smallInteger("soft_ms", 0, Integer.MAX_VALUE);
    t.hardLimitMillis = in.smallInteger("hard_ms", 0, Integer.MAX_VALUE);
    t.resultTtlMillis = in.integer("result_ttl_ms", 0, MAX_MILLIS);
    t.options = in.bytesOrNil("options", INLINE_LIMIT);
    t.rootId = in.nameOrNil("root_id");
    t.parentId = in.nameOrNil("parent_id");
    t.groupId = in.nameOrNil("group_id");
    t.joinId = in.nameOrNil("join_id");
    t.joinSize = in.smallInteger("join_size", TaskRecord.PROMISED, MAX_JOIN);
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
      throw FieldReader.bad("id", "must be unique in a batch: item " + records.size() + " is not");
    }
    record.body = in.bytes("body", INLINE_LIMIT);
    record.fingerprint = in.bytesOrNil("fingerprint", FINGERPRINT);
    if (record.fingerprint != null && record.fingerprint.length != FINGERPRINT) {
      throw FieldReader.bad("fingerprint", "must have " + FINGERPRINT + " bytes");
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
    r.joinId = template.joinId;
    r.joinSize = template.joinSize;
    r.createdMillis = nowMillis;
    return r;
  }
}
