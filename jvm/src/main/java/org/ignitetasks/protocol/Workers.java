package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterGroup;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.lang.IgniteFuture;
import org.ignitetasks.model.TasksException;

/**
 * Homes' way to workers: a direct call where both are in one JVM, else a compute job that nobody
 * waits for. A push that fails is answered on the worker's behalf by giving the deliveries back.
 */
public final class Workers implements WorkerLink {
  /** The executor of worker sides. */
  public static final String EXECUTOR = "ignitetasks-worker";

  private static final Logger LOG = Logger.getLogger("ignitetasks.workers");
  private static final long RUNNING_NANOS = 1_000_000_000;

  private static final int GIVE_BACK_TRIES = 100;
  private static final long GIVE_BACK_PAUSE_MILLIS = 200;

  private final Ignite ignite;
  private final WorkerApi local;
  private final UUID localId;
  private volatile HomeApi home;

  public Workers(Ignite ignite, WorkerApi local) {
    this.ignite = ignite;
    this.local = local;
    this.localId = ignite.cluster().localNode().id();
  }

  /** Names the local home, which hears of pushes that failed. */
  public void home(HomeApi registry) {
    this.home = registry;
  }

  @Override
  public void push(UUID node, long epoch, List<Delivery> deliveries) {
    if (node.equals(localId)) {
      local.push(epoch, deliveries);
      return;
    }
    try {
      IgniteFuture<Object> sent =
          at(node, new WorkerJob("push", epoch, Parcels.deliveries(deliveries)));
      sent.listen(
          future -> {
            try {
              future.get();
            } catch (IgniteException e) {
              giveBack(epoch, deliveries, e);
            }
          });
    } catch (IgniteException | IllegalStateException e) {
      giveBack(epoch, deliveries, e);
    }
  }

  private void giveBack(long epoch, List<Delivery> deliveries, RuntimeException cause) {
    LOG.log(
        Level.INFO, "a push of " + deliveries.size() + " deliveries failed: they go back", cause);
    List<Outcome> back =
        deliveries.stream()
            .map(d -> Outcome.plain(d.record().id, d.fence(), Outcome.UNDELIVERED))
            .toList();
    // Not on Ignite's thread: a home's call blocks for a commit.
    Thread thread = new Thread(() -> giveBack(epoch, back), "ignitetasks-give-back");
    thread.setDaemon(true);
    thread.start();
  }

  /** Tries until the home has taken them: nobody else would, as long as the worker lives. */
  private void giveBack(long epoch, List<Outcome> back) {
    for (int tries = 0; tries < GIVE_BACK_TRIES; tries++) {
      try {
        home.complete(epoch, back);
        return;
      } catch (TasksException e) {
        if (!e.code().retryable()) {
          LOG.log(Level.WARNING, "deliveries could not be given back", e);
          return;
        }
      }
      try {
        Thread.sleep(GIVE_BACK_PAUSE_MILLIS);
      } catch (InterruptedException e) {
        return;
      }
    }
    LOG.log(Level.WARNING, back.size() + " deliveries wait for the end of their worker");
  }

  @Override
  public void kill(UUID node, long epoch, String id, long fence, String signal) {
    if (node.equals(localId)) {
      local.kill(epoch, id, fence, signal);
      return;
    }
    try {
      at(node, new WorkerJob("kill", epoch, id, fence, signal));
    } catch (IgniteException | IllegalStateException e) {
      LOG.log(Level.INFO, "task " + id + " could not be terminated: its worker is gone", e);
    }
  }

  private IgniteFuture<Object> at(UUID node, WorkerJob job) {
    ClusterGroup group = ignite.cluster().forNodeId(node);
    return ignite.compute(group).withNoFailover().withExecutor(EXECUTOR).callAsync(job);
  }

  @Override
  public List<WorkerApi.Running> running() {
    List<WorkerApi.Running> all = new ArrayList<>(local.running());
    List<IgniteFuture<Object>> asked = new ArrayList<>();
    for (ClusterNode node : ignite.cluster().forRemotes().nodes()) {
      try {
        asked.add(at(node.id(), new WorkerJob("running")));
      } catch (IgniteException | IllegalStateException e) {
        LOG.log(Level.FINE, "a node has left before it was asked what it runs", e);
      }
    }
    long end = System.nanoTime() + RUNNING_NANOS;
    for (IgniteFuture<Object> answer : asked) {
      try {
        long left = Math.max(1, end - System.nanoTime());
        for (Object item : (Object[]) answer.get(left, TimeUnit.NANOSECONDS)) {
          Object[] in = (Object[]) item;
          all.add(new WorkerApi.Running((Long) in[0], (String) in[1], (Long) in[2]));
        }
      } catch (IgniteException | IllegalStateException e) {
        // Whoever did not answer finds its deliveries refused by their fences: they run again.
        LOG.log(Level.INFO, "a node did not say what it runs: " + e.getMessage());
      }
    }
    return all;
  }
}
