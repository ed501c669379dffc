package org.ignitetasks.home;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.ignitetasks.protocol.WorkerInfo;

/**
 * One worker as a home sees it: what it listens to, what it knows, how much more it takes.
 *
 * <p>Guarded by the home's lock, except {@link #pushLock}, which keeps deliveries in the order in
 * which they were decided while the home's lock is free again.
 */
final class WorkerSlots {
  /** Replaced when the worker listens to other queues. */
  volatile WorkerInfo info;

  final Set<String> tasks;
  final ReentrantLock pushLock = new ReentrantLock();
  private final ArrayDeque<Entry> outbound = new ArrayDeque<>();
  int free;
  int leased;
  long heardNanos;
  long done;
  long failed;
  long lost;

  WorkerSlots(WorkerInfo info, long nowNanos) {
    this.info = info;
    this.tasks = new HashSet<>(info.tasks());
    this.heardNanos = nowNanos;
  }

  boolean knows(String task) {
    return tasks.contains(task);
  }

  /** Slots that run nothing; credit is more where tasks are short, since those come in batches. */
  int freeSlots() {
    return Math.max(0, info.concurrency() - leased);
  }

  void assign(Entry entry) {
    free--;
    leased++;
    outbound.addLast(entry);
  }

  /** Takes a delivery back that is decided but not sent. */
  void withdraw(Entry entry) {
    if (outbound.remove(entry)) {
      free++;
    }
  }

  int takeableOutbound() {
    return outbound.size();
  }

  boolean hasOutbound() {
    return !outbound.isEmpty();
  }

  List<Entry> takeOutbound(int most) {
    List<Entry> batch = new ArrayList<>(Math.min(most, outbound.size()));
    while (batch.size() < most && !outbound.isEmpty()) {
      batch.add(outbound.pollFirst());
    }
    return batch;
  }
}
