package org.ignitetasks.protocol;

import java.util.List;
import java.util.Map;
import org.ignitetasks.model.TaskRecord;

/**
 * What homes answer. {@code HomeRouter} offers the same to gateways and workers for all homes of
 * the cluster: it finds the home of each id, calls it directly or by a compute job, and repeats a
 * call whose home has moved.
 *
 * <p>Every call may arrive twice and is then harmless. Calls block for a commit at the most, never
 * for a task. All throw {@link org.ignitetasks.model.TasksException}.
 */
public interface HomeApi {
  /** In an answer of {@link #listening}. */
  int PERHAPS_SOON = -1;

  /**
   * Inserts records that are absent and queues them; returns after the commit.
   *
   * @param repeated true if the same call may have been made before: absent ids are then looked up
   *     even where the client vouches that they are new
   */
  SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated);

  /**
   * Ends deliveries; returns after the commit. Outcomes with a stale fence are dropped silently:
   * the worker has nothing left to do about them. Slots are announced by {@link #credits} only.
   */
  void complete(long epoch, List<Outcome> outcomes);

  /**
   * Inserts, fills in and ends tasks as the spawn of an outcome says that another home is about to
   * commit; returns after the commit. Growths are not taken: they would count twice.
   */
  void bring(Spawn spawn);

  /** Makes a worker known, before any credit; called again when its queues have changed. */
  void workerJoined(WorkerInfo worker);

  /** Says that nothing of this epoch runs any more: all its leases end, as lost. */
  void workerLeft(long epoch);

  /** Sets how many more deliveries this worker takes now, and says that it is alive. */
  void credits(long epoch, int free);

  /** Registers interest in ids; see {@link WatchAnswer}. */
  WatchAnswer watch(List<String> ids, Origin origin);

  /** Forgets a session's interest. */
  void sessionClosed(Origin origin);

  /**
   * Returns records in the order of the ids: null if unknown, an expired marker's record if
   * expired.
   */
  List<TaskRecord> info(List<String> ids);

  /** Deletes the records of finished tasks; returns how many. */
  int forget(List<String> ids);

  /** Revokes tasks; returns the code of the state each has afterwards, -1 if unknown. */
  int[] revoke(List<String> ids, boolean terminate, String signal);

  /** Revokes all that waits in a queue (null: in all queues); returns how many. */
  int purge(String queue);

  /** Returns up to {@code limit} dead letters (DEAD, REJECTED). */
  List<TaskRecord> deadList(int limit);

  /** Says that limits were set at run time: this home reads them anew. */
  void ratesChanged();

  /** Runs dead letters again (ids null: all); returns how many. */
  int deadRetry(List<String> ids);

  /** Deletes dead letters (ids null: all); returns how many. */
  int deadDrop(List<String> ids);

  /**
   * Returns a page of records for SQL; cursor null starts, the page's cursor is null at the end.
   */
  ScanPage scan(String cursor, int limit);

  /**
   * Returns how many workers listen to each of these queues: {@link #PERHAPS_SOON} where none does,
   * but one that was lost a moment ago may come back.
   */
  Map<String, Integer> listening(List<String> queues);

  /** Queues, workers and counters of this home, as maps that go to the client as they are. */
  Map<String, Object> status();

  /** Counters and histograms of this home. */
  Map<String, Object> metrics();

  /** A page of {@link #scan}: bodies and payloads are left out. */
  record ScanPage(String cursor, List<TaskRecord> rows) {}
}
