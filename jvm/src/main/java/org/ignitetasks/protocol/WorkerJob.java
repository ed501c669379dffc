package org.ignitetasks.protocol;

import java.util.List;
import java.util.UUID;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.lang.IgniteCallable;
import org.apache.ignite.resources.IgniteInstanceResource;

/**
 * A short message to the worker side of another node: it finds the node's {@link WorkerApi} and
 * calls it, no more.
 */
final class WorkerJob implements IgniteCallable<Object> {
  /** Where a node keeps its worker side, in Ignite's node-local map. */
  static final String LOCAL_KEY = "ignitetasks.worker";

  /** Topic of answers to remote control, to the node that asked. */
  static final String ANSWERS = "ignitetasks.answers";

  private static final Logger LOG = Logger.getLogger("ignitetasks.workers");

  private static final long serialVersionUID = 1L;

  private final String call;
  private final Object[] args;

  @IgniteInstanceResource private transient Ignite ignite;

  WorkerJob(String call, Object... args) {
    this.call = call;
    this.args = args;
  }

  @Override
  public Object call() {
    WorkerApi worker = (WorkerApi) ignite.cluster().nodeLocalMap().get(LOCAL_KEY);
    switch (call) {
      case "push" -> {
        if (worker == null) {
          throw new IllegalStateException("this node has no workers");
        }
        worker.push((Long) args[0], Parcels.deliveries(args[1]));
        return null;
      }
      case "kill" -> {
        if (worker != null) {
          worker.kill((Long) args[0], (String) args[1], (Long) args[2], (String) args[3]);
        }
        return null;
      }
      case "running" -> {
        List<WorkerApi.Running> running = worker == null ? List.of() : worker.running();
        return running.stream().map(r -> new Object[] {r.epoch(), r.id(), r.fence()}).toArray();
      }
      case "control" -> {
        return worker == null ? new Object[0] : control(worker);
      }
      default -> throw new IllegalArgumentException("this node does not know the call " + call);
    }
  }

  private Object[] control(WorkerApi worker) {
    UUID origin = (UUID) args[1];
    return Parcels.asked(
        worker.control(
            Parcels.question(args[0]),
            (number, epoch, body) -> answer(origin, new Object[] {number, epoch, body})));
  }

  private void answer(UUID origin, Object[] message) {
    ClusterNode node = ignite.cluster().node(origin);
    if (node == null) {
      return;
    }
    try {
      ignite.message(ignite.cluster().forNode(node)).send(ANSWERS, message);
    } catch (IgniteException | IllegalStateException e) {
      // Who asked waits no longer than its time.
      LOG.log(Level.FINE, "an answer to remote control did not arrive", e);
    }
  }
}
