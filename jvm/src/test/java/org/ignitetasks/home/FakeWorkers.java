package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.WorkerApi;
import org.ignitetasks.protocol.WorkerLink;

/** Workers that keep what is pushed to them until the test does something with it. */
final class FakeWorkers implements WorkerLink {
  /** What a home asked a worker to terminate. */
  record Kill(long epoch, String id, long fence, String signal) {}

  final List<Kill> kills = new ArrayList<>();
  final List<WorkerApi.Running> held = new ArrayList<>();
  volatile boolean refuse;
  private final Map<Long, List<Delivery>> pushed = new HashMap<>();

  @Override
  public synchronized void push(UUID node, long epoch, List<Delivery> deliveries) {
    if (refuse) {
      throw new IllegalStateException("injected: the worker takes nothing");
    }
    pushed.computeIfAbsent(epoch, key -> new ArrayList<>()).addAll(deliveries);
  }

  @Override
  public synchronized void kill(UUID node, long epoch, String id, long fence, String signal) {
    kills.add(new Kill(epoch, id, fence, signal));
  }

  @Override
  public synchronized List<WorkerApi.Running> running() {
    return List.copyOf(held);
  }

  /** Returns what was pushed to a worker since the last call. */
  synchronized List<Delivery> take(long epoch) {
    List<Delivery> taken = pushed.remove(epoch);
    return taken == null ? List.of() : taken;
  }

  static List<String> ids(List<Delivery> deliveries) {
    return deliveries.stream().map(d -> d.record().id).toList();
  }
}
