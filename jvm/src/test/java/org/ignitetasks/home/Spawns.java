package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;

/** Members, joins, promises and outcomes that bring something, for tests. */
final class Spawns {
  private final List<TaskRecord> submit = new ArrayList<>();
  private final List<TaskRecord> end = new ArrayList<>();
  private final List<Spawn.Growth> grow = new ArrayList<>();

  static TaskRecord member(String id, String joinId) {
    TaskRecord r = Make.record(id);
    r.joinId = joinId;
    return r;
  }

  static TaskRecord join(String id, int size) {
    TaskRecord r = Make.record(id);
    r.joinSize = size;
    return r;
  }

  static TaskRecord promise(String id) {
    return join(id, TaskRecord.PROMISED);
  }

  static TaskRecord ended(String id, TaskState state) {
    TaskRecord r = Make.record(id);
    r.state = state;
    r.payload = new byte[] {'m', 9};
    r.errorType = state == TaskState.FAILURE ? "ValueError" : null;
    r.finishedMillis = System.currentTimeMillis();
    return r;
  }

  static Spawns of(TaskRecord... records) {
    return new Spawns().submit(records);
  }

  Spawns submit(TaskRecord... records) {
    submit.addAll(List.of(records));
    return this;
  }

  Spawns end(TaskRecord... records) {
    end.addAll(List.of(records));
    return this;
  }

  Spawns grow(String id, int by) {
    grow.add(new Spawn.Growth(id, by));
    return this;
  }

  Outcome with(Delivery d, int kind) {
    Outcome.Retry retry =
        kind == Outcome.RETRY ? new Outcome.Retry(0, null, false, null, -1, -1) : null;
    byte[] payload = {'m', 7};
    return new Outcome(
        d.record().id,
        d.fence(),
        kind,
        payload,
        false,
        5,
        null,
        retry,
        false,
        new Spawn(submit, end, grow));
  }

  Outcome success(Delivery d) {
    return with(d, Outcome.SUCCESS);
  }
}
