package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cluster.ClusterNode;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;

/**
 * All homes of the cluster as one: finds the home of each id, calls it directly when it is in this
 * JVM, and repeats what failed for a reason that passes (a home that moves, a node that died) until
 * a deadline. Every call it repeats is harmless when it arrives twice.
 */
public final class HomeRouter implements HomeApi {
  private interface GroupCall {
    void on(HomeApi home, int[] items);
  }

  private final Ignite ignite;
  private final String ledger;
  private volatile Affinity<String> affinity;
  private volatile HomeApi local;
  private volatile Supplier<Map<String, Object>> workerMetrics = Map::of;
  private final ClusterNode localNode;
  private final boolean lone;
  private final Repeats repeats;
  private final Map<Long, WorkerInfo> workers = new ConcurrentHashMap<>();
  private final Map<String, CreditSender> creditSenders = new ConcurrentHashMap<>();

  /**
   * @param ledger name of the cache whose primaries are the homes
   * @param repeats how long one call is repeated
   * @param lone nobody can ever join this node: who is there is known without a look at the cluster
   */
  public HomeRouter(Ignite ignite, String ledger, Repeats repeats, boolean lone) {
    this.lone = lone;
    this.ignite = ignite;
    this.ledger = ledger;
    this.affinity = ignite.affinity(ledger);
    this.localNode = ignite.cluster().localNode();
    this.repeats = repeats;
  }

  /**
   * Makes this node's parts known to itself and to the jobs of others.
   *
   * @param home this node's home, null on a client node
   * @param worker this node's worker side
   * @param metrics counters of the worker side
   */
  public void publish(HomeApi home, WorkerApi worker, Supplier<Map<String, Object>> metrics) {
    workerMetrics = metrics;
    ignite.cluster().nodeLocalMap().put(WorkerJob.LOCAL_KEY, worker);
    if (home != null) {
      local = home;
      ignite.cluster().nodeLocalMap().put(HomeJob.LOCAL_KEY, home);
    }
  }

  /** Takes note that this client node is back in its cluster, whose caches it has opened anew. */
  public void reconnected() {
    affinity = ignite.affinity(ledger);
  }

  private HomeApi at(ClusterNode node) {
    return local != null && node.id().equals(localNode.id()) ? local : new RemoteHome(ignite, node);
  }

  private Collection<ClusterNode> servers() {
    return lone ? List.of(localNode) : ignite.cluster().forServers().nodes();
  }

  private boolean alone() {
    return local != null && servers().size() == 1;
  }

  /** Calls each home with the items that are its own, until all are done or the deadline passes. */
  private void route(int count, Function<Integer, String> idOf, GroupCall call) {
    List<Integer> left = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      left.add(i);
    }
    repeat(
        () -> {
          TasksException failed = null;
          List<Integer> again = new ArrayList<>();
          for (Map.Entry<ClusterNode, List<Integer>> group : byHome(left, idOf).entrySet()) {
            try {
              call.on(at(group.getKey()), group.getValue().stream().mapToInt(i -> i).toArray());
            } catch (TasksException e) {
              if (!e.code().retryable()) {
                throw e;
              }
              failed = e;
              again.addAll(group.getValue());
            } catch (IgniteException | IllegalStateException e) {
              failed = RemoteHome.translated(e);
              again.addAll(group.getValue());
            }
          }
          left.retainAll(new HashSet<>(again));
          if (failed != null) {
            throw failed;
          }
          return null;
        });
  }

  private Map<ClusterNode, List<Integer>> byHome(
      List<Integer> items, Function<Integer, String> idOf) {
    Map<ClusterNode, List<Integer>> groups = new LinkedHashMap<>();
    for (Integer item : items) {
      ClusterNode home = affinity.mapPartitionToNode(Locator.partition(idOf.apply(item)));
      if (home == null) {
        throw new TasksException(TasksException.Code.UNAVAILABLE, "there is no data node now");
      }
      groups.computeIfAbsent(home, key -> new ArrayList<>()).add(item);
    }
    return groups;
  }

  private <T> T repeat(Supplier<T> action) {
    return repeats.of(action);
  }

  @Override
  public SubmitAnswer submit(List<TaskRecord> records, Origin origin, boolean repeated) {
    if (alone()) {
      boolean[] first = {true};
      return repeat(
          () -> {
            boolean again = repeated || !first[0];
            first[0] = false;
            return local.submit(records, origin, again);
          });
    }
    int[] created = {0};
    List<SubmitAnswer.Exception> exceptions = new ArrayList<>();
    boolean[] tried = new boolean[records.size()];
    route(
        records.size(),
        i -> records.get(i).id,
        (home, items) -> {
          boolean again = repeated;
          List<TaskRecord> part = new ArrayList<>(items.length);
          for (int item : items) {
            part.add(records.get(item));
            again |= tried[item];
            tried[item] = true;
          }
          SubmitAnswer answer = home.submit(part, origin, again);
          synchronized (exceptions) {
            created[0] += answer.created();
            for (SubmitAnswer.Exception e : answer.exceptions()) {
              exceptions.add(new SubmitAnswer.Exception(items[e.index()], e.code(), e.state()));
            }
          }
        });
    return new SubmitAnswer(created[0], exceptions);
  }

  @Override
  public void complete(long epoch, List<Outcome> outcomes) {
    if (alone()) {
      repeat(
          () -> {
            local.complete(epoch, outcomes);
            return null;
          });
      return;
    }
    route(
        outcomes.size(),
        i -> outcomes.get(i).id(),
        (home, items) -> home.complete(epoch, pick(outcomes, items)));
  }

  @Override
  public void bring(Spawn spawn) {
    int submits = spawn.submit().size();
    List<TaskRecord> all = new ArrayList<>(spawn.submit());
    all.addAll(spawn.end());
    route(
        all.size(),
        i -> all.get(i).id,
        (home, items) -> {
          int[] first = Arrays.stream(items).filter(i -> i < submits).toArray();
          int[] rest = Arrays.stream(items).filter(i -> i >= submits).toArray();
          home.bring(new Spawn(pick(all, first), pick(all, rest), List.of()));
        });
  }

  private static <T> List<T> pick(List<T> all, int[] items) {
    List<T> part = new ArrayList<>(items.length);
    for (int item : items) {
      part.add(all.get(item));
    }
    return part;
  }

  private void everywhere(Consumer<HomeApi> action) {
    for (ClusterNode node : repeat(this::servers)) {
      repeat(
          () -> {
            if (ignite.cluster().node(node.id()) == null) {
              return null;
            }
            try {
              action.accept(at(node));
            } catch (TasksException e) {
              // A node that is just starting has no home and no task yet: there is nothing to ask.
              if (e.code() != TasksException.Code.NOT_HOME
                  || affinity.primaryPartitions(node).length > 0) {
                throw e;
              }
            }
            return null;
          });
    }
  }

  @Override
  public void workerJoined(WorkerInfo worker) {
    workers.put(worker.epoch(), worker);
    everywhere(home -> home.workerJoined(here(worker)));
  }

  @Override
  public void workerLeft(long epoch) {
    workers.remove(epoch);
    creditSenders.keySet().removeIf(key -> key.endsWith("/" + epoch));
    everywhere(home -> home.workerLeft(epoch));
  }

  @Override
  public void credits(long epoch, int free) {
    WorkerInfo worker = workers.get(epoch);
    if (worker == null) {
      return;
    }
    for (ClusterNode node : servers()) {
      if (local != null && node.id().equals(localNode.id())) {
        localCredits(worker, free);
      } else {
        creditSenders
            .computeIfAbsent(
                node.id() + "/" + epoch,
                key ->
                    new CreditSender(
                        new RemoteHome(ignite, node),
                        () -> here(workers.getOrDefault(epoch, worker))))
            .announce(free);
      }
    }
    creditSenders.keySet().removeIf(key -> ignite.cluster().node(nodeOf(key)) == null);
  }

  private static UUID nodeOf(String creditKey) {
    return UUID.fromString(creditKey.substring(0, creditKey.indexOf('/')));
  }

  /** A client node that was cut off comes back under another id: homes must push to that. */
  private WorkerInfo here(WorkerInfo worker) {
    return worker.at(ignite.cluster().localNode().id());
  }

  private void localCredits(WorkerInfo worker, int free) {
    try {
      local.credits(worker.epoch(), free);
    } catch (TasksException e) {
      if (e.code() != TasksException.Code.NOT_FOUND) {
        throw e;
      }
      local.workerJoined(worker);
      local.credits(worker.epoch(), free);
    }
  }

  @Override
  public WatchAnswer watch(List<String> ids, Origin origin) {
    if (alone()) {
      return repeat(() -> local.watch(ids, origin));
    }
    WatchAnswer all = new WatchAnswer(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    route(
        ids.size(),
        ids::get,
        (home, items) -> {
          WatchAnswer part = home.watch(pick(ids, items), origin);
          all.done().addAll(part.done());
          all.unknown().addAll(part.unknown());
          all.expired().addAll(part.expired());
        });
    return all;
  }

  @Override
  public void sessionClosed(Origin origin) {
    everywhere(home -> home.sessionClosed(origin));
  }

  @Override
  public List<TaskRecord> info(List<String> ids) {
    TaskRecord[] all = new TaskRecord[ids.size()];
    route(
        ids.size(),
        ids::get,
        (home, items) -> {
          List<TaskRecord> part = home.info(pick(ids, items));
          for (int i = 0; i < items.length; i++) {
            all[items[i]] = part.get(i);
          }
        });
    return Arrays.asList(all);
  }

  @Override
  public int forget(List<String> ids) {
    return sum(ids, (home, part) -> home.forget(part));
  }

  private int sum(List<String> ids, BiFunction<HomeApi, List<String>, Integer> call) {
    int[] total = {0};
    route(ids.size(), ids::get, (home, items) -> total[0] += call.apply(home, pick(ids, items)));
    return total[0];
  }

  @Override
  public int[] revoke(List<String> ids, boolean terminate, String signal) {
    int[] states = new int[ids.size()];
    route(
        ids.size(),
        ids::get,
        (home, items) -> {
          int[] part = home.revoke(pick(ids, items), terminate, signal);
          for (int i = 0; i < items.length; i++) {
            states[items[i]] = part[i];
          }
        });
    return states;
  }

  @Override
  public int purge(String queue) {
    int[] total = {0};
    everywhere(home -> total[0] += home.purge(queue));
    return total[0];
  }

  @Override
  public void ratesChanged() {
    everywhere(HomeApi::ratesChanged);
  }

  @Override
  public List<TaskRecord> deadList(int limit) {
    List<TaskRecord> all = new ArrayList<>();
    everywhere(home -> all.addAll(home.deadList(limit)));
    return all.size() > limit ? all.subList(0, limit) : all;
  }

  @Override
  public int deadRetry(List<String> ids) {
    if (ids != null) {
      return sum(ids, (home, part) -> home.deadRetry(part));
    }
    int[] total = {0};
    everywhere(home -> total[0] += home.deadRetry(null));
    return total[0];
  }

  @Override
  public int deadDrop(List<String> ids) {
    if (ids != null) {
      return sum(ids, (home, part) -> home.deadDrop(part));
    }
    int[] total = {0};
    everywhere(home -> total[0] += home.deadDrop(null));
    return total[0];
  }

  /** Cursors are "node id|cursor of that node"; nodes are visited in the order of their ids. */
  @Override
  public ScanPage scan(String cursor, int limit) {
    List<ClusterNode> nodes = new ArrayList<>(repeat(this::servers));
    if (nodes.isEmpty()) {
      throw new TasksException(TasksException.Code.UNAVAILABLE, "there is no data node now");
    }
    nodes.sort((a, b) -> a.id().compareTo(b.id()));
    int bar = cursor == null ? -1 : cursor.indexOf('|');
    String at = cursor == null ? nodes.get(0).id().toString() : cursor.substring(0, bar);
    String inner = cursor == null || bar == cursor.length() - 1 ? null : cursor.substring(bar + 1);
    for (int i = 0; i < nodes.size(); i++) {
      if (nodes.get(i).id().toString().equals(at)) {
        ClusterNode node = nodes.get(i);
        ScanPage page = at(node).scan(inner, limit);
        if (page.cursor() != null) {
          return new ScanPage(at + "|" + page.cursor(), page.rows());
        }
        String next = i + 1 < nodes.size() ? nodes.get(i + 1).id() + "|" : null;
        return new ScanPage(next, page.rows());
      }
    }
    throw new TasksException(
        TasksException.Code.BAD_REQUEST, "the data nodes changed during the scan: start again");
  }

  /** Each home knows all workers, or will in a moment: what most of them know counts. */
  @Override
  public Map<String, Integer> listening(List<String> queues) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    everywhere(
        home ->
            home.listening(queues).forEach((queue, n) -> counts.merge(queue, n, HomeRouter::more)));
    return counts;
  }

  private static int more(int a, int b) {
    return Math.max(a, b) > 0 ? Math.max(a, b) : Math.min(a, b);
  }

  @Override
  public Map<String, Object> status() {
    List<Map<String, Object>> parts = new ArrayList<>();
    everywhere(home -> parts.add(home.status()));
    return StatusSum.of(parts);
  }

  @Override
  public Map<String, Object> metrics() {
    List<Map<String, Object>> parts = new ArrayList<>();
    everywhere(home -> parts.add(home.metrics()));
    parts.add(workerMetrics.get());
    return StatusSum.metrics(parts);
  }
}
