package org.ignitetasks.home;

import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.BlobStore;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionLink;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.RateLink;
import org.ignitetasks.protocol.Spawn;
import org.ignitetasks.protocol.SubmitAnswer;
import org.ignitetasks.protocol.WatchAnswer;
import org.ignitetasks.protocol.WorkerInfo;
import org.ignitetasks.protocol.WorkerLink;

/**
 * The home of all tasks whose partitions are primary on this node: what a client, a worker or an
 * operator asks of it, in terms of {@link QueueState}, {@link RecordStore} and their helpers.
 *
 * <p>Calls come on the callers' threads (gateway connections, lane readers, compute executors) and
 * block for a commit at the most.
 */
public final class HomeRegistry implements HomeApi {
  /** For tests of this package. */
  final HomeContext home;

  private final Abroad abroad;
  private final Continuations continuations;
  private final Completer completer;
  private final Dispatcher dispatcher;
  private final Inserter inserter;
  private final Operations operations;
  private final Revoker revoker;
  private final Inspector inspector;
  private final HomeTimers timers;
  private final Listeners listeners;
  private final Object owning = new Object();

  public HomeRegistry(
      HomeSettings settings,
      RecordStore store,
      BlobStore blobs,
      WorkerLink workers,
      CompletionLink gateways) {
    this(settings, store, blobs, workers, gateways, InstantSource.system());
  }

  HomeRegistry(
      HomeSettings settings,
      RecordStore store,
      BlobStore blobs,
      WorkerLink workers,
      CompletionLink gateways,
      InstantSource clock) {
    home = new HomeContext(settings, store, blobs, workers, gateways, clock);
    DoubtSettler doubts = new DoubtSettler(home);
    continuations = new Continuations(home, doubts);
    abroad = new Abroad(home);
    completer = new Completer(home, continuations);
    dispatcher = new Dispatcher(home, completer, doubts);
    operations = new Operations(home, doubts);
    inserter = new Inserter(home, dispatcher, doubts, operations);
    revoker = new Revoker(home, completer, operations, doubts);
    inspector = new Inspector(home);
    listeners = new Listeners(home.state);
    timers = new HomeTimers(home, completer, dispatcher, operations, doubts);
    dispatcher.onWakeMoved(timers::etaMayBeSooner);
  }

  /** Takes limits and buckets that all homes share; before the start. */
  public void rates(RateLink link) {
    home.rates = link;
  }

  /** Takes what homes leave for their successors; before partitions are taken. */
  public void past(PastHomes homes) {
    home.past = homes;
  }

  /** Takes the way to all homes, for what outcomes bring to tasks of others; before the start. */
  public void others(HomeApi homes) {
    abroad.others(homes);
  }

  /** Starts the timers; partitions are taken by {@link #own}. */
  public void start() {
    try {
      ratesChanged();
    } catch (RuntimeException e) {
      home.log("the rate limits set at run time could not be read: the timer tries again", e);
    }
    timers.start();
  }

  /** Stops the timers. */
  public void stop() {
    timers.stop();
  }

  /**
   * Makes this node the home of exactly these partitions: gives up those it no longer has and
   * rebuilds the order of those it gained from the ledger.
   *
   * @param homeEpoch greater than that of any earlier home; fences start from it
   */
  public void own(int[] partitions, long homeEpoch) {
    BitSet wanted = new BitSet(Locator.PARTITIONS);
    for (int partition : partitions) {
      wanted.set(partition);
    }
    synchronized (owning) {
      new HomeRebuild(home, completer).run(wanted, homeEpoch);
    }
    synchronized (home.lock) {
      listeners.began(homeEpoch, home.nowNanos());
    }
    dispatcher.run();
  }

  /** Says whether {@link #own} would change nothing. */
  public boolean owns(int[] partitions) {
    BitSet owned = home.owned;
    return owned.cardinality() == partitions.length
        && Arrays.stream(partitions).allMatch(owned::get);
  }

  @Override
  public SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    SubmitAnswer answer = inserter.submit(records, origin, repeated);
    timers.etaMayBeSooner();
    return answer;
  }

  @Override
  public void complete(long epoch, List<Outcome> outcomes) {
    for (Outcome outcome : outcomes) {
      home.requireOwned(outcome.id());
    }
    boolean ready = completer.complete(abroad.bring(outcomes));
    for (int i = 0; i < outcomes.size() && !ready; i++) {
      int kind = outcomes.get(i).kind();
      ready = kind != Outcome.SUCCESS && kind != Outcome.PROGRESS;
    }
    // Only what comes, or goes back, into the queue gives others something to do: slots come by
    // credits.
    if (ready) {
      dispatcher.run();
      timers.etaMayBeSooner();
    }
  }

  @Override
  public void bring(Spawn spawn) {
    if (continuations.bring(spawn)) {
      dispatcher.run();
    }
    timers.etaMayBeSooner();
  }

  @Override
  public void workerJoined(WorkerInfo worker) {
    List<Long> ended = new ArrayList<>();
    synchronized (home.lock) {
      for (WorkerSlots known : home.state.workers()) {
        if (known.info.sameProcess(worker) && known.info.startedMillis() < worker.startedMillis()) {
          ended.add(known.info.epoch());
        }
      }
      home.state.workerJoined(worker, home.nowNanos());
    }
    // Its supervisor says hello anew only when the JVM of its earlier life is gone.
    ended.forEach(this::workerLeft);
    // One that was known already may listen to more queues than before.
    dispatcher.run();
  }

  @Override
  public void workerLeft(long epoch) {
    List<Entry> held;
    String name;
    synchronized (home.lock) {
      WorkerSlots worker = home.state.worker(epoch);
      name = worker == null ? null : worker.info.name();
      held = home.state.workerLeft(epoch, home.nowMillis());
    }
    try {
      completer.workerLost(held, name);
    } finally {
      dispatcher.run();
    }
  }

  /** Ends the leases of all workers of a node that has left the cluster. */
  public void nodeLeft(UUID node) {
    List<Long> epochs = new ArrayList<>();
    synchronized (home.lock) {
      home.watchers.nodeLeft(node);
      for (WorkerSlots worker : home.state.workers()) {
        if (worker.info.node().equals(node)) {
          epochs.add(worker.info.epoch());
          // Its supervisor starts another JVM. One that leaves by itself is not waited for.
          listeners.lost(worker.info, home.nowNanos());
        }
      }
    }
    for (Long epoch : epochs) {
      try {
        workerLeft(epoch);
      } catch (TasksException e) {
        home.log("lost starts could not be written: the timer does it", e);
      }
    }
  }

  @Override
  public void credits(long epoch, int free) {
    Collection<WorkerSlots> touched =
        dispatcher.dispatch(() -> home.state.credits(epoch, free, home.nowNanos()));
    if (touched == null) {
      throw new TasksException(
          TasksException.Code.NOT_FOUND, "this home does not know the worker: it must join again");
    }
    dispatcher.flush(touched);
  }

  @Override
  public WatchAnswer watch(List<String> ids, Origin origin) {
    ids.forEach(home::requireOwned);
    // Interest first, look second: an end between the two is told twice rather than never.
    synchronized (home.lock) {
      ids.forEach(id -> home.watchers.add(id, origin));
    }
    Map<String, TaskRecord> found = home.store.read(ids);
    List<Completion> done = new ArrayList<>();
    List<String> unknown = new ArrayList<>();
    List<String> expired = new ArrayList<>();
    for (String id : ids) {
      TaskRecord r = found.get(id);
      if (r == null || r.forgotten) {
        unknown.add(id);
      } else if (r.expired) {
        expired.add(id);
      } else if (r.state.terminal()) {
        done.add(home.completion(r));
      }
    }
    synchronized (home.lock) {
      done.forEach(end -> home.watchers.remove(end.id(), origin));
      expired.forEach(id -> home.watchers.remove(id, origin));
    }
    return new WatchAnswer(done, unknown, expired);
  }

  @Override
  public void sessionClosed(Origin origin) {
    synchronized (home.lock) {
      home.watchers.sessionClosed(origin);
    }
  }

  @Override
  public List<TaskRecord> info(List<String> ids) {
    ids.forEach(home::requireOwned);
    Map<String, TaskRecord> found = home.store.read(ids);
    List<TaskRecord> records = new ArrayList<>(ids.size());
    synchronized (home.lock) {
      for (String id : ids) {
        TaskRecord record = found.get(id);
        records.add(record == null || record.forgotten ? null : inspector.live(record));
      }
    }
    return records;
  }

  @Override
  public int forget(List<String> ids) {
    return operations.forget(ids);
  }

  @Override
  public int[] revoke(List<String> ids, boolean terminate, String signal) {
    int[] states = revoker.revoke(ids, terminate, signal);
    // Where a delivery was revoked before it was sent, a slot is free.
    dispatcher.run();
    return states;
  }

  @Override
  public int purge(String queue) {
    int count = operations.purge(queue);
    dispatcher.run();
    return count;
  }

  @Override
  public void ratesChanged() {
    timers.readRates();
    dispatcher.run();
  }

  @Override
  public List<TaskRecord> deadList(int limit) {
    return operations.deadList(limit);
  }

  @Override
  public int deadRetry(List<String> ids) {
    int count = operations.deadRetry(ids);
    dispatcher.run();
    return count;
  }

  @Override
  public int deadDrop(List<String> ids) {
    return operations.deadDrop(ids);
  }

  @Override
  public ScanPage scan(String cursor, int limit) {
    return inspector.scan(cursor, limit);
  }

  @Override
  public Map<String, Integer> listening(List<String> queues) {
    synchronized (home.lock) {
      return listeners.of(queues, home.nowNanos());
    }
  }

  @Override
  public Map<String, Object> status() {
    return inspector.status();
  }

  @Override
  public Map<String, Object> metrics() {
    return home.metrics.read();
  }
}
