package org.ignitetasks.protocol;

import java.util.List;
import org.apache.ignite.Ignite;
import org.apache.ignite.lang.IgniteCallable;
import org.apache.ignite.resources.IgniteInstanceResource;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;

/**
 * A short message to the home on another node, carried by the compute grid: it finds the node's
 * {@link HomeApi} and calls it, no more. Safe to receive twice, since every call of a home is.
 */
final class HomeJob implements IgniteCallable<Object> {
  /** Where a data node keeps its home, in Ignite's node-local map. */
  static final String LOCAL_KEY = "ignitetasks.home";

  private static final long serialVersionUID = 1L;

  private static final SeldomLog FAILURES = new SeldomLog("ignitetasks.home");

  private final String call;
  private final Object[] args;

  @IgniteInstanceResource private transient Ignite ignite;

  HomeJob(String call, Object... args) {
    this.call = call;
    this.args = args;
  }

  @Override
  public Object call() {
    HomeApi home = (HomeApi) ignite.cluster().nodeLocalMap().get(LOCAL_KEY);
    if (home == null) {
      throw new TasksException(TasksException.Code.NOT_HOME, "this node is not a home (yet)");
    }
    try {
      return perform(home);
    } catch (TasksException e) {
      throw e;
    } catch (RuntimeException e) {
      // The caller only learns that this node failed, and asks again: the cause is known here
      // alone.
      FAILURES.say("the home did not do the call " + call, e);
      throw e;
    }
  }

  private Object perform(HomeApi home) {
    return switch (call) {
      case "submit" -> submit(home);
      case "complete" -> done(() -> home.complete((Long) args[0], Parcels.outcomes(args[1])));
      case "bring" -> done(() -> home.bring(Parcels.spawn(args[0])));
      case "workerJoined" -> done(() -> home.workerJoined(Parcels.worker(args[0])));
      case "workerLeft" -> done(() -> home.workerLeft((Long) args[0]));
      case "credits" -> done(() -> home.credits((Long) args[0], (Integer) args[1]));
      case "watch" -> watch(home);
      case "sessionClosed" -> done(() -> home.sessionClosed(Parcels.origin(args[0])));
      case "info" -> Parcels.records(home.info(Parcels.strings(args[0])));
      case "forget" -> home.forget(Parcels.strings(args[0]));
      case "revoke" -> home.revoke(Parcels.strings(args[0]), (Boolean) args[1], (String) args[2]);
      case "ratesChanged" -> done(home::ratesChanged);
      case "purge" -> home.purge((String) args[0]);
      case "deadList" -> Parcels.records(home.deadList((Integer) args[0]));
      case "deadRetry" -> home.deadRetry(Parcels.strings(args[0]));
      case "deadDrop" -> home.deadDrop(Parcels.strings(args[0]));
      case "scan" -> scan(home);
      case "listening" -> home.listening(Parcels.strings(args[0]));
      case "status" -> home.status();
      case "metrics" -> home.metrics();
      default ->
          throw new TasksException(
              TasksException.Code.UNSUPPORTED_VERSION, "this node does not know the call " + call);
    };
  }

  private static Object done(Runnable action) {
    action.run();
    return null;
  }

  private Object submit(HomeApi home) {
    List<TaskRecord> records = Parcels.records(args[0]);
    SubmitAnswer answer = home.submit(records, Parcels.origin(args[1]), (Boolean) args[2]);
    int[] flat = new int[1 + answer.exceptions().size() * 3];
    flat[0] = answer.created();
    int at = 1;
    for (SubmitAnswer.Exception e : answer.exceptions()) {
      flat[at++] = e.index();
      flat[at++] = e.code();
      flat[at++] = e.state();
    }
    return flat;
  }

  private Object watch(HomeApi home) {
    WatchAnswer answer = home.watch(Parcels.strings(args[0]), Parcels.origin(args[1]));
    return new Object[] {
      Parcels.completions(answer.done()),
      Parcels.strings(answer.unknown()),
      Parcels.strings(answer.expired())
    };
  }

  private Object scan(HomeApi home) {
    HomeApi.ScanPage page = home.scan((String) args[0], (Integer) args[1]);
    return new Object[] {page.cursor(), Parcels.records(page.rows())};
  }
}
