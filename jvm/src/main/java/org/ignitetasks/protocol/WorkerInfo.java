package org.ignitetasks.protocol;

import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * What homes know of a worker. The epoch is made when the worker's supervisor connects and is never
 * reused; node ids are only an address, since a reconnecting client node gets a new one.
 *
 * @param limits how often its tasks may start, as declared in code: "10/m" by task name
 * @param hears it wants to be told of ends that no child has decided
 */
public record WorkerInfo(
    long epoch,
    UUID node,
    String name,
    String host,
    int pid,
    List<String> queues,
    List<String> tasks,
    int concurrency,
    String pool,
    long startedMillis,
    Map<String, String> limits,
    boolean hears) {
  /** Returns the same worker at another address. */
  public WorkerInfo at(UUID other) {
    return with(other, queues, hears);
  }

  /** Returns the same worker listening to other queues. */
  public WorkerInfo listeningTo(List<String> others) {
    return with(node, others, hears);
  }

  /** Returns the same worker that wants, or does not want, to be told of ends. */
  public WorkerInfo hearing(boolean ends) {
    return with(node, queues, ends);
  }

  private WorkerInfo with(UUID place, List<String> listened, boolean ends) {
    return new WorkerInfo(
        epoch,
        place,
        name,
        host,
        pid,
        listened,
        tasks,
        concurrency,
        pool,
        startedMillis,
        limits,
        ends);
  }

  /** Says whether both are lives of one supervisor process, which has one at a time. */
  public boolean sameProcess(WorkerInfo other) {
    return pid == other.pid && name.equals(other.name) && host.equals(other.host);
  }
}
