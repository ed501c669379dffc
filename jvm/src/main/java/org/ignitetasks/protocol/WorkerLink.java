package org.ignitetasks.protocol;

import java.util.List;
import java.util.UUID;

/** How homes reach workers, wherever those are. Calls do not wait for the worker to do anything. */
public interface WorkerLink {
  /** Hands deliveries to a worker; if that fails they come back as outcomes or by workerLeft. */
  void push(UUID node, long epoch, List<Delivery> deliveries);

  /** See {@link WorkerApi#kill}. */
  void kill(UUID node, long epoch, String id, long fence, String signal);

  /** Asks the workers of all nodes what they hold. */
  List<WorkerApi.Running> running();
}
