package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteClientDisconnectedException;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterGroupEmptyException;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.cluster.ClusterTopologyException;
import org.apache.ignite.internal.util.typedef.X;
import org.apache.ignite.lang.IgniteFuture;
import org.apache.ignite.lang.IgniteFutureTimeoutException;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;

/** The home on another node, by compute jobs. Translates Ignite's errors, repeats nothing. */
final class RemoteHome implements HomeApi {
  /** The executor of homes: calls that block for a commit must not starve Ignite's public pool. */
  static final String EXECUTOR = "ignitetasks-home";

  /**
   * The executor for what homes bring to each other, while a thread of the other executor waits for
   * it over there: two homes whose threads all waited so would wait for each other for ever.
   */
  static final String BRING_EXECUTOR = "ignitetasks-bring";

  /**
   * A home answers within milliseconds, and in at most ten seconds where somebody else has claimed
   * the same tasks; one that is dead or paused is out of the cluster sooner than this. What takes
   * longer hangs, and must not take the threads of those who ask along.
   */
  static final long ANSWER_MILLIS = 60_000;

  private static final long AS_LONG_AS_IT_TAKES = Long.MAX_VALUE;

  private static final SeldomLog FAILURES = new SeldomLog("ignitetasks.calls");

  private final Ignite ignite;
  private final ClusterNode node;
  private final long answerMillis;

  RemoteHome(Ignite ignite, ClusterNode node) {
    this(ignite, node, ANSWER_MILLIS);
  }

  RemoteHome(Ignite ignite, ClusterNode node, long answerMillis) {
    this.ignite = ignite;
    this.node = node;
    this.answerMillis = answerMillis;
  }

  private Object call(String name, Object... args) {
    return callOn(EXECUTOR, answerMillis, name, args);
  }

  private Object callOn(String executor, long millis, String name, Object... args) {
    try {
      // Not Ignite's own time limit for tasks: that interrupts the job, perhaps within a write.
      return ignite
          .compute(ignite.cluster().forNode(node))
          .withNoFailover()
          .withExecutor(executor)
          .callAsync(new HomeJob(name, args))
          .get(millis);
    } catch (IgniteFutureTimeoutException e) {
      throw new TasksException(
          TasksException.Code.UNAVAILABLE,
          "a data node has not answered for " + millis / 1000.0 + " s: try again",
          e);
    } catch (IgniteException | IllegalStateException e) {
      throw translated(e);
    }
  }

  /** Returns what an exception of the compute grid means to a caller. */
  static TasksException translated(RuntimeException e) {
    TasksException own = X.cause(e, TasksException.class);
    if (own != null) {
      return own;
    }
    boolean topology =
        X.hasCause(
            e,
            ClusterTopologyException.class,
            ClusterGroupEmptyException.class,
            IgniteClientDisconnectedException.class);
    if (!topology) {
      // Whoever asks tries again, and hears a sentence in the end: what it was is known here alone.
      FAILURES.say("a data node failed a call", e);
    }
    return new TasksException(
        TasksException.Code.UNAVAILABLE,
        topology ? "a data node went away: try again" : "a data node failed the call: try again",
        e);
  }

  /** Announces credit without waiting for the answer. */
  IgniteFuture<Object> creditsAsync(long epoch, int free) {
    return ignite
        .compute(ignite.cluster().forNode(node))
        .withNoFailover()
        .withExecutor(EXECUTOR)
        .callAsync(new HomeJob("credits", epoch, free));
  }

  @Override
  public SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    int[] flat = (int[]) call("submit", Parcels.records(records), Parcels.origin(origin), repeated);
    List<SubmitAnswer.Exception> exceptions = new ArrayList<>();
    for (int at = 1; at < flat.length; at += 3) {
      exceptions.add(new SubmitAnswer.Exception(flat[at], flat[at + 1], flat[at + 2]));
    }
    return new SubmitAnswer(flat[0], exceptions);
  }

  @Override
  public void complete(long epoch, List<Outcome> outcomes) {
    call("complete", epoch, Parcels.outcomes(outcomes));
  }

  @Override
  public void bring(Spawn spawn) {
    callOn(BRING_EXECUTOR, answerMillis, "bring", (Object) Parcels.spawn(spawn));
  }

  @Override
  public void workerJoined(WorkerInfo worker) {
    call("workerJoined", (Object) Parcels.worker(worker));
  }

  @Override
  public void workerLeft(long epoch) {
    call("workerLeft", epoch);
  }

  @Override
  public void credits(long epoch, int free) {
    call("credits", epoch, free);
  }

  @Override
  public WatchAnswer watch(List<String> ids, Origin origin) {
    Object[] in = (Object[]) call("watch", Parcels.strings(ids), Parcels.origin(origin));
    return new WatchAnswer(
        Parcels.completions(in[0]), Parcels.strings(in[1]), Parcels.strings(in[2]));
  }

  @Override
  public void sessionClosed(Origin origin) {
    call("sessionClosed", (Object) Parcels.origin(origin));
  }

  @Override
  public List<TaskRecord> info(List<String> ids) {
    return Parcels.records(call("info", (Object) Parcels.strings(ids)));
  }

  @Override
  public int forget(List<String> ids) {
    return (Integer) call("forget", (Object) Parcels.strings(ids));
  }

  @Override
  public int[] revoke(List<String> ids, boolean terminate, String signal) {
    return (int[]) call("revoke", Parcels.strings(ids), terminate, signal);
  }

  @Override
  public int purge(String queue) {
    return (Integer) call("purge", queue);
  }

  @Override
  public void ratesChanged() {
    call("ratesChanged");
  }

  @Override
  public List<TaskRecord> deadList(int limit) {
    return Parcels.records(call("deadList", limit));
  }

  @Override
  public int deadRetry(List<String> ids) {
    return (Integer)
        callOn(EXECUTOR, AS_LONG_AS_IT_TAKES, "deadRetry", (Object) Parcels.strings(ids));
  }

  @Override
  public int deadDrop(List<String> ids) {
    return (Integer)
        callOn(EXECUTOR, AS_LONG_AS_IT_TAKES, "deadDrop", (Object) Parcels.strings(ids));
  }

  @Override
  public ScanPage scan(String cursor, int limit) {
    Object[] in = (Object[]) call("scan", cursor, limit);
    return new ScanPage((String) in[0], Parcels.records(in[1]));
  }

  @Override
  @SuppressWarnings("unchecked")
  public Map<String, Integer> listening(List<String> queues) {
    return (Map<String, Integer>) call("listening", (Object) Parcels.strings(queues));
  }

  @Override
  @SuppressWarnings("unchecked")
  public Map<String, Object> status() {
    return (Map<String, Object>) call("status");
  }

  @Override
  @SuppressWarnings("unchecked")
  public Map<String, Object> metrics() {
    return (Map<String, Object>) call("metrics");
  }
}
