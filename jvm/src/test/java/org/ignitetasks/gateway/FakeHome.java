package org.ignitetasks.gateway;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;
import org.ignitetasks.protocol.SubmitAnswer;
import org.ignitetasks.protocol.WatchAnswer;
import org.ignitetasks.protocol.WorkerInfo;

/** A home that notes what it was asked and answers what the test put into its fields. */
final class FakeHome implements HomeApi {
  final List<String> calls = new CopyOnWriteArrayList<>();
  final List<TaskRecord> submitted = new CopyOnWriteArrayList<>();
  final List<Origin> closed = new CopyOnWriteArrayList<>();
  volatile Origin lastOrigin;
  volatile List<SubmitAnswer.Exception> exceptions = List.of();
  volatile List<Completion> done = List.of();
  volatile List<TaskRecord> records = List.of();
  volatile Throwable failure;

  private void note(String call) {
    calls.add(call);
    if (failure instanceof RuntimeException e) {
      throw e;
    }
    if (failure instanceof Error e) {
      throw e;
    }
  }

  @Override
  public SubmitAnswer submit(List<TaskRecord> batch, Origin origin, boolean repeated) {
    note("submit " + batch.size() + " " + repeated);
    submitted.addAll(batch);
    lastOrigin = origin;
    return new SubmitAnswer(batch.size() - exceptions.size(), exceptions);
  }

  @Override
  public void complete(long epoch, List<Outcome> outcomes) {}

  @Override
  public void workerJoined(WorkerInfo worker) {}

  @Override
  public void workerLeft(long epoch) {}

  @Override
  public void credits(long epoch, int free) {}

  @Override
  public WatchAnswer watch(List<String> ids, Origin origin) {
    note("watch " + ids);
    lastOrigin = origin;
    return new WatchAnswer(done, List.of("nobody"), List.of("gone"));
  }

  @Override
  public void sessionClosed(Origin origin) {
    closed.add(origin);
  }

  @Override
  public List<TaskRecord> info(List<String> ids) {
    note("info " + ids);
    return new ArrayList<>(records);
  }

  @Override
  public int forget(List<String> ids) {
    note("forget " + ids);
    return ids.size();
  }

  @Override
  public int[] revoke(List<String> ids, boolean terminate, String signal) {
    note("revoke " + ids + " " + terminate + " " + signal);
    return new int[] {5, -1};
  }

  @Override
  public int purge(String queue) {
    note("purge " + queue);
    return 3;
  }

  @Override
  public void bring(Spawn spawn) {
    note("bring " + spawn.end().stream().map(r -> r.id + " " + r.state).toList());
  }

  @Override
  public void ratesChanged() {}

  @Override
  public List<TaskRecord> deadList(int limit) {
    note("dead_list " + limit);
    return records;
  }

  @Override
  public int deadRetry(List<String> ids) {
    note("dead_retry " + ids);
    return 1;
  }

  @Override
  public int deadDrop(List<String> ids) {
    note("dead_drop " + ids);
    return 2;
  }

  @Override
  public ScanPage scan(String cursor, int limit) {
    note("scan " + cursor + " " + limit);
    return new ScanPage("next", records);
  }

  @Override
  public Map<String, Integer> listening(List<String> queues) {
    Map<String, Integer> known = Map.of("q", 1, "back", PERHAPS_SOON);
    Map<String, Integer> counts = new HashMap<>();
    queues.forEach(queue -> counts.put(queue, known.getOrDefault(queue, 0)));
    return counts;
  }

  @Override
  public Map<String, Object> status() {
    return Map.of(
        "queues", List.of(Map.of("name", "q", "pending", 3L)),
        "workers", List.of(Map.of("name", "w1", "queues", List.of("q", "r"))),
        "states", Map.of("SUCCESS", 7L));
  }

  @Override
  public Map<String, Object> metrics() {
    Map<String, Object> finished = Map.of("state=\"SUCCESS\"", 2L);
    return Map.of(
        "counters", Map.of("ignitetasks_finished_total", finished), "histograms", Map.of());
  }
}
