package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.ignitetasks.model.Rate;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.WorkerInfo;

/**
 * The pure heart of a home: which task goes to which worker next, and under which fence.
 *
 * <p>Events come in as method calls with the time as an argument, decisions go out as return values
 * and as the outbound lists of workers. No Ignite, no I/O, no clock, no threads: the caller holds a
 * lock. What is durable is written by the caller, before or after, as each method says.
 *
 * <p>Invariants: an entry is in exactly one of ready, parked, delayed, leased; a fence is handed
 * out once; a lease ends by {@link #ended} or {@link #requeue} and by nothing else; a worker never
 * has more deliveries assigned than the credit it announced.
 */
final class QueueState {
  /**
   * What {@link #tick} found.
   *
   * @param silentWorkers workers unheard of for too long
   * @param unregistered entries taken out of the order, since no listening worker knows their task
   * @param longRunning leases that should be on record by now
   * @param orphans leases of workers that are gone; claimed, as by {@link #workerLeft}
   */
  record Due(
      List<WorkerSlots> silentWorkers,
      List<Entry> unregistered,
      List<Entry> longRunning,
      List<Entry> orphans) {}

  private final long leaseTtlNanos;
  private final WaitingOrder waiting;
  private final RateLimits rates = new RateLimits();
  private final Map<String, Entry> leases = new HashMap<>();
  private final Map<Long, WorkerSlots> workers = new LinkedHashMap<>();
  private final Map<String, List<WorkerSlots>> listeners = new HashMap<>();
  private final Set<String> heard = new HashSet<>();
  private long nextFence = 1;
  private long served;

  /**
   * @param leaseTtlNanos a worker unheard of for this long has lost its leases
   * @param unknownGraceNanos a task that no listening worker knows fails after this long
   * @param passedOver told of entries that were revoked while they waited, when they leave the
   *     order
   */
  QueueState(long leaseTtlNanos, long unknownGraceNanos, Consumer<Entry> passedOver) {
    this.leaseTtlNanos = leaseTtlNanos;
    this.waiting = new WaitingOrder(unknownGraceNanos, passedOver);
  }

  /** Makes all fences from now on greater than any a home of an earlier epoch has handed out. */
  void startFencesAt(long homeEpoch) {
    nextFence = Math.max(nextFence, (homeEpoch << 32) + 1);
  }

  /** Takes a task whose record is durable. */
  void submitted(Entry entry, long nowMillis) {
    waiting.arrived(entry);
    waiting.place(entry, nowMillis);
  }

  /** Takes an entry back to the place its arrival gave it, after {@link #drain} or the like. */
  void restored(Entry entry, long nowMillis) {
    waiting.place(entry, nowMillis);
  }

  /** Adopts a lease that a worker says it holds: used when a home is rebuilt. */
  void adopted(Entry entry, long epoch, long fence, long nowNanos) {
    waiting.arrived(entry);
    lease(entry, epoch, fence, nowNanos);
    entry.sent = true;
    WorkerSlots worker = workers.get(epoch);
    if (worker != null) {
      worker.leased++;
    }
  }

  /** Takes a worker, or a known one that listens to other queues now. */
  void workerJoined(WorkerInfo info, long nowNanos) {
    WorkerSlots worker = workers.get(info.epoch());
    if (worker != null) {
      if (worker.info.equals(info)) {
        return;
      }
      unlisten(worker);
      worker.info = info;
    } else {
      worker = new WorkerSlots(info, nowNanos);
      workers.put(info.epoch(), worker);
      // A rebuilt home adopts leases before it hears of the worker itself.
      worker.leased = (int) leases.values().stream().filter(e -> e.epoch == info.epoch()).count();
    }
    for (String name : info.queues()) {
      listeners.computeIfAbsent(name, key -> new ArrayList<>()).add(worker);
    }
    if (info.hears()) {
      heard.addAll(info.queues());
    }
    rates.settle(workers.values());
  }

  /**
   * Removes a worker and returns the entries it had leased, still leased and claimed: the caller
   * writes what the loss means and then calls {@link #requeue} or {@link #ended} for each. What had
   * not been sent to it goes back at once. Claims of others are left to them; should they not end
   * the lease, {@link #tick} finds it as an orphan.
   */
  List<Entry> workerLeft(long epoch, long nowMillis) {
    WorkerSlots worker = workers.remove(epoch);
    if (worker != null) {
      worker.takeOutbound(Integer.MAX_VALUE).forEach(entry -> requeueCold(entry, nowMillis));
      unlisten(worker);
      rates.settle(workers.values());
    }
    List<Entry> held = new ArrayList<>();
    for (Entry entry : leases.values()) {
      if (entry.epoch != epoch) {
        continue;
      }
      entry.workerGone = true;
      if (!entry.completing) {
        entry.completing = true;
        held.add(entry);
      }
    }
    return held;
  }

  private void unlisten(WorkerSlots worker) {
    for (String name : worker.info.queues()) {
      List<WorkerSlots> list = listeners.get(name);
      if (list != null && list.remove(worker) && list.isEmpty()) {
        listeners.remove(name);
      }
    }
  }

  /** Sets a worker's credit; false if the worker is not known (it must join again). */
  boolean credits(long epoch, int free, long nowNanos) {
    WorkerSlots worker = workers.get(epoch);
    if (worker == null) {
      return false;
    }
    // Deliveries that are decided but not yet pushed are not in the worker's own count.
    worker.free = free - worker.takeableOutbound();
    worker.heardNanos = nowNanos;
    return true;
  }

  /**
   * Gives ready tasks to workers with credit; returns the workers that now have something outbound.
   * Stops early where {@link #asks} has something that must be answered first.
   */
  Collection<WorkerSlots> dispatch(long nowMillis, long nowNanos) {
    waiting.wakeDelayed(nowMillis);
    rates.begin(nowMillis);
    Set<WorkerSlots> touched = new HashSet<>();
    for (WaitingOrder.Queue queue = best(); queue != null && !rates.mayStartNow(); queue = best()) {
      WorkerSlots worker = dispatchOne(queue, nowNanos);
      if (worker != null) {
        touched.add(worker);
      }
    }
    return touched;
  }

  /** Returns the queue to serve next: highest priority first, then the one served longest ago. */
  private WaitingOrder.Queue best() {
    WaitingOrder.Queue best = null;
    Entry bestHead = null;
    for (WaitingOrder.Queue queue : waiting.queues()) {
      Entry head = queue.idle() || !credit(queue.name) ? null : waiting.next(queue, canRun(queue));
      if (head != null
          && (best == null
              || head.priority() > bestHead.priority()
              || (head.priority() == bestHead.priority() && queue.servedAt < best.servedAt))) {
        best = queue;
        bestHead = head;
      }
    }
    return best;
  }

  private Predicate<String> canRun(WaitingOrder.Queue queue) {
    return task -> pick(queue, task) != null && !rates.holds(task);
  }

  private boolean credit(String queue) {
    for (WorkerSlots worker : listeners.getOrDefault(queue, List.of())) {
      if (worker.free > 0) {
        return true;
      }
    }
    return false;
  }

  /** Returns the worker with the most credit that listens to the queue and knows the task. */
  private WorkerSlots pick(WaitingOrder.Queue queue, String task) {
    WorkerSlots best = null;
    for (WorkerSlots worker : listeners.getOrDefault(queue.name, List.of())) {
      if (worker.free > 0 && (best == null || worker.free > best.free) && worker.knows(task)) {
        best = worker;
      }
    }
    return best;
  }

  private WorkerSlots dispatchOne(WaitingOrder.Queue queue, long nowNanos) {
    Entry entry = waiting.take(queue, canRun(queue));
    if (entry == null) {
      return null;
    }
    queue.servedAt = ++served;
    WorkerSlots worker = pick(queue, entry.task);
    lease(entry, worker.info.epoch(), nextFence++, nowNanos);
    worker.assign(entry);
    rates.used(entry.task);
    return worker;
  }

  /** Returns for which tasks the caller shall draw starts; see {@link #drawn}. */
  List<RateLimits.Ask> asks() {
    return rates.asks();
  }

  /** Takes what was drawn; the next dispatch uses it. */
  void drawn(RateLimits.Ask ask, int starts, long notBeforeMillis) {
    rates.drawn(ask, starts, notBeforeMillis);
  }

  /** Takes limits that were set at run time. */
  void rateOverrides(Map<String, Rate> limits) {
    rates.overrides(limits);
    rates.settle(workers.values());
  }

  /** Returns the limits that hold; see {@link RateLimits#limits}. */
  Map<String, Long> rateLimits() {
    return rates.limits();
  }

  private void lease(Entry entry, long epoch, long fence, long nowNanos) {
    entry.fence = fence;
    entry.epoch = epoch;
    entry.leasedNanos = nowNanos;
    entry.completing = false;
    entry.sent = false;
    entry.workerGone = false;
    leases.put(entry.id, entry);
    waiting.queue(entry.queue).running++;
  }

  /**
   * Claims a lease for its completion; null if the fence is stale or somebody else has claimed it
   * (see {@link #busy}). A delivery that has not been sent is then not sent any more.
   */
  Entry completing(String id, long fence) {
    Entry entry = leases.get(id);
    if (entry == null || entry.fence != fence || entry.completing) {
      return null;
    }
    entry.completing = true;
    WorkerSlots worker = entry.sent ? null : workers.get(entry.epoch);
    if (worker != null) {
      worker.withdraw(entry);
    }
    return entry;
  }

  /** Says whether this very delivery is claimed: it may end, or go on, in a moment. */
  boolean busy(String id, long fence) {
    Entry entry = leases.get(id);
    return entry != null && entry.fence == fence && entry.completing;
  }

  /** Gives a claim back: the delivery goes on, or goes back where it was never sent. */
  void released(Entry entry, long nowMillis) {
    entry.completing = false;
    if (!entry.sent) {
      requeueCold(entry, nowMillis);
    }
  }

  /**
   * Ends a lease whose task has a durable terminal state, or goes on as another call; false if the
   * lease is gone, with its partition.
   */
  boolean ended(Entry entry) {
    return endLease(entry);
  }

  /** Says that a worker was not sent deliveries of these tasks that its credit was used for. */
  void unsent(WorkerSlots worker, List<String> tasks) {
    worker.free += tasks.size();
    tasks.forEach(rates::unused);
  }

  /** Says that a delivery came back without having been started: its start is there for another. */
  void notStarted(Entry entry) {
    rates.unused(entry.task);
  }

  /**
   * Ends a lease and puts the task back: to its old place, or into the delayed ones by its eta. The
   * record may have given it another queue, priority or eta.
   *
   * @return false if the lease is gone, with its partition: then nothing is put anywhere
   */
  boolean requeue(Entry entry, TaskRecord record, long nowMillis) {
    if (!endLease(entry)) {
      return false;
    }
    entry.leaseOnRecord = false;
    entry.queue = record.queue;
    entry.priority(record.priority);
    entry.etaMillis = record.etaMillis;
    entry.expiresMillis = record.expiresMillis;
    waiting.place(entry, nowMillis);
    return true;
  }

  /** As {@link #requeue}, for an entry whose record is as it was, or could not even be read. */
  boolean requeueCold(Entry entry, long nowMillis) {
    boolean current = endLease(entry);
    if (current) {
      waiting.place(entry, nowMillis);
    }
    return current;
  }

  /** Forgets the leases of partitions that have another home now; returns how many. */
  int dropLeases(Predicate<Entry> gone) {
    List<Entry> dropped = leases.values().stream().filter(gone).toList();
    dropped.forEach(this::endLease);
    return dropped.size();
  }

  private boolean endLease(Entry entry) {
    boolean current = leases.remove(entry.id, entry);
    if (current) {
      waiting.queue(entry.queue).running--;
      WorkerSlots worker = workers.get(entry.epoch);
      if (worker != null) {
        worker.leased--;
      }
    }
    entry.fence = 0;
    entry.sent = false;
    entry.completing = false;
    return current;
  }

  /** Returns the lease on a task, or null. */
  Entry lease(String id) {
    return leases.get(id);
  }

  /**
   * Marks a waiting task whose record says REVOKED, so that it is passed over when its turn comes.
   */
  void revokedWaiting(String id) {
    waiting.revoked(id);
  }

  /** Takes such a mark back. */
  void notRevoked(String id) {
    waiting.notRevoked(id);
  }

  /** Finds workers gone silent, tasks nobody knows, leases that should be on record by now. */
  Due tick(long nowNanos, long recordLeaseAfterNanos) {
    waiting.forgetMarks();
    waiting.forgetEmpty(listeners::containsKey);
    List<WorkerSlots> silent = new ArrayList<>();
    for (WorkerSlots worker : workers.values()) {
      if (nowNanos - worker.heardNanos > leaseTtlNanos) {
        silent.add(worker);
      }
    }
    List<Entry> longRunning = new ArrayList<>();
    List<Entry> orphans = new ArrayList<>();
    for (Entry entry : leases.values()) {
      long age = nowNanos - entry.leasedNanos;
      if (entry.completing || !entry.sent) {
        continue;
      }
      if (entry.workerGone || (age > leaseTtlNanos && !workers.containsKey(entry.epoch))) {
        entry.completing = true;
        orphans.add(entry);
      } else if (age > recordLeaseAfterNanos && !entry.leaseOnRecord && !entry.earlyAck()) {
        longRunning.add(entry);
      }
    }
    return new Due(silent, waiting.unregistered(nowNanos, this::known), longRunning, orphans);
  }

  /**
   * Says that this much time passed in which nobody could be heard: this very process was paused.
   */
  void paused(long nanos) {
    if (nanos <= 0) {
      return;
    }
    for (WorkerSlots worker : workers.values()) {
      worker.heardNanos += nanos;
    }
    for (Entry entry : leases.values()) {
      if (!workers.containsKey(entry.epoch)) {
        entry.leasedNanos += nanos;
      }
    }
  }

  private boolean known(String queue, String task) {
    List<WorkerSlots> here = listeners.getOrDefault(queue, List.of());
    return here.isEmpty() || here.stream().anyMatch(worker -> worker.knows(task));
  }

  /**
   * Says whether a worker of this queue has wanted to hear of ends since this home began: one that
   * dies with its tasks has others after it.
   */
  boolean heard(String queue) {
    return heard.contains(queue);
  }

  /** Returns when a delayed task is due or one held by its rate may start, or Long.MAX_VALUE. */
  long nextWakeMillis() {
    return Math.min(waiting.nextEtaMillis(), rates.nextMillis());
  }

  /** See {@link WaitingOrder#drain}. */
  List<Entry> drain(String name, int most, Predicate<Entry> wanted) {
    return waiting.drain(name, most, wanted);
  }

  /** Returns how many entries wait, in all queues, delayed ones included. */
  int waiting() {
    return waiting.size();
  }

  Collection<WaitingOrder.Queue> queues() {
    return waiting.queues();
  }

  Collection<WorkerSlots> workers() {
    return workers.values();
  }

  WorkerSlots worker(long epoch) {
    return workers.get(epoch);
  }

  int listeners(String queue) {
    return listeners.getOrDefault(queue, List.of()).size();
  }

  Collection<Entry> leases() {
    return leases.values();
  }

  int revokedWaitingCount() {
    return waiting.revokedCount();
  }
}
