package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.HomeApi.ScanPage;
import org.ignitetasks.protocol.Spawn;
import org.ignitetasks.protocol.SubmitReader;

/** The operations on records that need no session: looking, forgetting, revoking, dead letters. */
final class TaskOperations {
  /** Most ids in one call. */
  static final int MAX_IDS = 100_000;

  private static final int MAX_INFO_IDS = 10_000;
  private static final int MAX_ROWS = 10_000;
  private static final int MAX_QUEUES = 1_000;
  private static final int MAX_SIGNAL = 16;
  private static final int MAX_CURSOR = 1_024;
  private static final int LIST_BYTES = 4 << 20;
  private static final String EXPIRED = "expired";

  private final HomeApi home;
  private final int maxAnswer;

  TaskOperations(HomeApi home, int maxAnswer) {
    this.home = home;
    this.maxAnswer = maxAnswer;
  }

  /** Adds these operations under their names. */
  void register(Map<String, Operation> table) {
    table.put("info", this::info);
    table.put("forget", this::forget);
    table.put("revoke", this::revoke);
    table.put("purge", this::purge);
    table.put("end", this::end);
    table.put("rates_changed", this::ratesChanged);
    table.put("dead_list", this::deadList);
    table.put("dead_retry", this::deadRetry);
    table.put("dead_drop", this::deadDrop);
    table.put("scan", this::scan);
    table.put("listening", this::listening);
  }

  private void info(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 1);
    List<String> ids = in.names("ids", MAX_INFO_IDS);
    in.end();
    List<TaskRecord> records = home.info(ids);
    out.array(records.size());
    for (TaskRecord record : records) {
      if (record == null) {
        out.text(null);
      } else if (record.expired) {
        out.text(EXPIRED);
      } else {
        out.info(record);
      }
      if (out.size() > maxAnswer) {
        throw new TasksException(
            Code.TOO_LARGE, "The answer does not fit a frame; ask for fewer ids at a time.");
      }
    }
  }

  private void forget(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 1);
    List<String> ids = in.names("ids", MAX_IDS);
    in.end();
    out.integer(home.forget(ids));
  }

  private void revoke(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 3);
    List<String> ids = in.names("ids", MAX_IDS);
    boolean terminate = in.bool("terminate");
    String signal = in.text("signal", 1, MAX_SIGNAL);
    in.end();
    int[] states = home.revoke(ids, terminate, signal);
    out.array(states.length);
    for (int state : states) {
      out.integer(state);
    }
  }

  private void purge(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 1);
    String queue = in.nameOrNil("queue");
    in.end();
    out.integer(home.purge(queue));
  }

  /** Makes records of tasks that are born finished; an id that is known is left as it is. */
  private void end(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 1);
    Spawn spawn = new SubmitReader(in, System.currentTimeMillis()).spawn();
    in.end();
    if (spawn == null || !spawn.submit().isEmpty() || !spawn.grow().isEmpty()) {
      throw RequestReader.bad("spawn", "must hold ends and nothing else");
    }
    home.bring(spawn);
    out.array(0);
  }

  private void ratesChanged(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 0);
    in.end();
    home.ratesChanged();
    out.array(0);
  }

  private void deadList(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 1);
    int limit = in.smallInteger("limit", 1, MAX_ROWS);
    in.end();
    List<TaskRecord> records = home.deadList(limit);
    // Fewer than the limit is a right answer; one that does not fit a frame is none.
    int count = fitting(records);
    out.array(count);
    for (TaskRecord record : records.subList(0, count)) {
      out.info(record);
    }
  }

  private static int fitting(List<TaskRecord> records) {
    long size = 0;
    int count = 0;
    while (count < records.size() && size < LIST_BYTES) {
      size += records.get(count).opaqueSize() + 1_000;
      count++;
    }
    return count;
  }

  private void deadRetry(RequestReader in, AnswerPacker out) throws IOException {
    out.integer(home.deadRetry(idsOrAll(in)));
  }

  private void deadDrop(RequestReader in, AnswerPacker out) throws IOException {
    out.integer(home.deadDrop(idsOrAll(in)));
  }

  private static List<String> idsOrAll(RequestReader in) throws IOException {
    in.array("request", 1);
    List<String> ids = in.nil("ids") ? null : in.names("ids", MAX_IDS);
    in.end();
    return ids;
  }

  private void scan(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 2);
    String cursor = in.nil("cursor") ? null : in.text("cursor", 1, MAX_CURSOR);
    int limit = in.smallInteger("limit", 1, MAX_ROWS);
    in.end();
    ScanPage page = home.scan(cursor, limit);
    out.array(2);
    out.text(page.cursor());
    out.array(page.rows().size());
    for (TaskRecord row : page.rows()) {
      out.row(row);
    }
  }

  private void listening(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 1);
    List<String> queues = in.names("queues", MAX_QUEUES);
    in.end();
    Map<String, Integer> known = home.listening(queues);
    Map<String, Object> counts = new LinkedHashMap<>();
    for (String queue : queues) {
      int count = known.getOrDefault(queue, 0);
      counts.put(queue, count == HomeApi.PERHAPS_SOON ? null : count);
    }
    out.value(counts);
  }
}
