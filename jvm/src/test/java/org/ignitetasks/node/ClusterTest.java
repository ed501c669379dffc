package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cluster.ClusterNode;
import org.ignitetasks.home.HomeRegistry;
import org.ignitetasks.home.HomeSettings;
import org.ignitetasks.home.RecordStore;
import org.ignitetasks.ledger.ClusterLedger;
import org.ignitetasks.ledger.Commit;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionSink;
import org.ignitetasks.protocol.ControlApi.Reply;
import org.ignitetasks.protocol.Controls;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.EventsApi;
import org.ignitetasks.protocol.Gateways;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.HomeRouter;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Question;
import org.ignitetasks.protocol.Repeats;
import org.ignitetasks.protocol.SettingsApi;
import org.ignitetasks.protocol.Spawn;
import org.ignitetasks.protocol.WorkerApi;
import org.ignitetasks.protocol.WorkerInfo;
import org.ignitetasks.protocol.Workers;
import org.ignitetasks.shared.EventLog;
import org.ignitetasks.shared.SettingsStore;
import org.ignitetasks.worker.IgniteBlobStore;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** Three data nodes in one JVM: calls find their homes, and a node that goes away loses nothing. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class ClusterTest {
  private static final int PORT = 18_930;
  private static final int NODES = 3;

  /** Nodes that come and go say much that is of no use here; loggers are weakly held. */
  private static final Logger QUIET = Logger.getLogger("ignitetasks");

  @TempDir static Path dir;
  private static final List<Member> MEMBERS = new ArrayList<>();

  /** A data node without gateway and lane; its worker answers each delivery at once. */
  private static final class Member implements WorkerApi, CompletionSink {
    final Set<Completion> told = ConcurrentHashMap.newKeySet();
    final Map<String, Integer> ran = new ConcurrentHashMap<>();
    final Map<String, Spawn> spawns = new ConcurrentHashMap<>();
    final ExecutorService thread = Executors.newSingleThreadExecutor();
    final Ignite ignite;
    final HomeRegistry home;
    final HomeRouter router;
    final RecordStore store;
    final Topology topology;
    final Controls controls;
    final EventLog events;
    final SettingsStore settings;
    volatile boolean paused;

    Member(NodeSettings settings) {
      ignite = TestNodes.start(settings);
      Joining.join(ignite, settings);
      Joining.makeCaches(ignite, settings);
      IgniteCache<String, byte[]> ledger = cache(settings, NodeConfigs.LEDGER);
      Gateways gateways = new Gateways(ignite, this);
      router = new HomeRouter(ignite, ledger.getName(), new Repeats(10_000), false);
      Workers links = new Workers(ignite, this);
      store = new RecordStore(new ClusterLedger(ignite, ledger, Commit.PLAIN));
      IgniteBlobStore blobs =
          new IgniteBlobStore(
              cache(settings, NodeConfigs.CHUNKS), cache(settings, NodeConfigs.SEALS));
      home = new HomeRegistry(HomeSettings.defaults(), store, blobs, links, gateways);
      home.others(router);
      HomeEpochs epochs = new HomeEpochs(ignite, cache(settings, NodeConfigs.META));
      home.past(epochs);
      links.home(home);
      router.publish(home, this, Map::of);
      controls = new Controls(ignite, this);
      Repeats repeats = new Repeats(10_000);
      events =
          new EventLog(ignite, () -> cache(settings, NodeConfigs.EVENTS), Runnable::run, repeats);
      this.settings =
          new SettingsStore(ignite, () -> cache(settings, NodeConfigs.SETTINGS), repeats);
      topology = new Topology(ignite, settings, epochs, store, home, this, gateways, router);
      topology.start();
      home.start();
    }

    private IgniteCache<String, byte[]> cache(NodeSettings settings, String kind) {
      return ignite.cache(settings.cache(kind));
    }

    UUID id() {
      return ignite.cluster().localNode().id();
    }

    void join(long epoch) {
      router.workerJoined(
          new WorkerInfo(
              epoch,
              id(),
              "w" + epoch,
              "host",
              1,
              List.of("default"),
              List.of("add"),
              4,
              "p",
              0,
              Map.of(),
              false));
      router.credits(epoch, 50);
    }

    @Override
    public void push(long epoch, List<Delivery> deliveries) {
      thread.execute(() -> run(epoch, deliveries));
    }

    private void run(long epoch, List<Delivery> deliveries) {
      List<Outcome> outcomes = new ArrayList<>();
      for (Delivery d : deliveries) {
        ran.merge(d.record().id, 1, Integer::sum);
        Outcome success =
            new Outcome(
                d.record().id, d.fence(), Outcome.SUCCESS, null, false, 1, null, null, false);
        outcomes.add(success.with(spawns.get(d.record().id)));
      }
      while (true) {
        try {
          router.complete(epoch, outcomes);
          router.credits(epoch, 50);
          return;
        } catch (TasksException e) {
          if (thread.isShutdown()) {
            return;
          }
        }
      }
    }

    @Override
    public void kill(long epoch, String id, long fence, String signal) {}

    @Override
    public List<Question.Asked> control(Question question, Question.Answers answers) {
      long epoch = MEMBERS.indexOf(this) + 1;
      if (!question.isFor("w" + epoch)) {
        return List.of();
      }
      byte[] answer = question.command().equals("leave") && epoch == 2 ? null : question.body();
      if (!question.command().equals("nothing")) {
        thread.execute(() -> answers.answered(question.number(), epoch, answer));
      }
      return List.of(new Question.Asked(epoch, "w" + epoch));
    }

    @Override
    public List<Running> running() {
      return List.of();
    }

    @Override
    public void completed(long session, List<Completion> completions) {
      told.addAll(completions);
    }

    @Override
    public void mayHaveMissed() {}

    /** Takes Ignite away first, under everything that still runs on it. */
    void stop() {
      Ignition.stop(ignite.name(), true);
      topology.stop();
      home.stop();
      thread.shutdownNow();
    }
  }

  @BeforeAll
  static void startNodes() {
    QUIET.setLevel(Level.OFF);
    List<String> addresses = new ArrayList<>();
    for (int i = 0; i < NODES; i++) {
      addresses.add("127.0.0.1:" + (PORT + i));
    }
    for (int i = 0; i < NODES; i++) {
      NodeSettings settings = TestNodes.settings(dir, "cluster-" + i, "data");
      settings.addresses = addresses;
      settings.discoveryPort = PORT + i;
      settings.communicationPort = PORT + 20 + i;
      settings.backups = 1;
      settings.regionMaxMb = 64;
      MEMBERS.add(new Member(settings));
    }
    waitFor("every partition has a home", () -> homes() == Locator.PARTITIONS);
    waitFor(
        "all have some",
        () -> MEMBERS.stream().allMatch(m -> m.store.primaryPartitions().length > 5));
  }

  /** Returns how many partitions are served by the home that should. */
  private static int homes() {
    int sum = 0;
    for (Member member : MEMBERS) {
      int[] partitions = member.store.primaryPartitions();
      sum += member.home.owns(partitions) ? partitions.length : 0;
    }
    return sum;
  }

  @AfterAll
  static void stopNodes() {
    MEMBERS.forEach(Member::stop);
  }

  private static void waitFor(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + 40_000_000_000L;
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, "waited in vain: " + what);
      try {
        Thread.sleep(20);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  private static TaskRecord record(String id, String queue) {
    TaskRecord r = new TaskRecord();
    r.id = id;
    r.task = "add";
    r.queue = queue;
    r.maxDeliveries = 5;
    r.createdMillis = System.currentTimeMillis();
    r.resultTtlMillis = 3_600_000;
    r.body = new byte[] {1};
    return r;
  }

  private static List<TaskRecord> batch(String prefix, int count, String queue) {
    List<TaskRecord> records = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      records.add(record(prefix + "-" + i, queue));
    }
    return records;
  }

  private static List<String> ids(Collection<TaskRecord> records) {
    return records.stream().map(r -> r.id).toList();
  }

  @Test
  @Order(1)
  void callsFindTheHomeOfEachTaskFromWherever() {
    Member caller = MEMBERS.get(2);
    Origin origin = new Origin(caller.id(), 7);
    List<TaskRecord> records = batch("spread", 120, "idle");
    assertEquals(120, caller.router.submit(records, origin, false).created());
    assertEquals(120, MEMBERS.get(0).router.submit(records, origin, true).exceptions().size());
    for (Member member : MEMBERS) {
      long expected =
          records.stream()
              .filter(r -> member.ignite.affinity(ledger()).isPrimary(node(member), r.id))
              .count();
      assertTrue(expected > 0);
      assertEquals(expected, pending(member.home.status()), "each holds its own");
    }
    for (Member member : MEMBERS) {
      assertEquals(120, pending(member.router.status()), "and all know the sum");
      List<TaskRecord> found = member.router.info(ids(records));
      for (int i = 0; i < 120; i++) {
        assertEquals(records.get(i).id, found.get(i).id, "in the order of the question");
      }
    }
    assertEquals(120, scanned(MEMBERS.get(1).router));
    int[] states = MEMBERS.get(1).router.revoke(ids(records).subList(0, 20), false, null);
    assertEquals(20 * TaskState.REVOKED.code(), java.util.Arrays.stream(states).sum());
    waitFor("the submitter is told over the network", () -> caller.told.size() == 20);
    assertEquals(100, MEMBERS.get(0).router.purge("idle"));
    assertEquals(120, MEMBERS.get(2).router.forget(ids(records)));
    assertEquals(0, scanned(MEMBERS.get(1).router));
  }

  /** A home that, once so many of all calls are under way, brings something to another home. */
  private static HomeApi busyHome(CountDownLatch full, Runnable bring) {
    return (HomeApi)
        Proxy.newProxyInstance(
            HomeApi.class.getClassLoader(),
            new Class<?>[] {HomeApi.class},
            (proxy, method, args) -> {
              if (method.getName().equals("complete")) {
                full.countDown();
                assertTrue(full.await(30, TimeUnit.SECONDS), "all threads of both homes are busy");
                bring.run();
              }
              return null;
            });
  }

  @Test
  @Order(2)
  void homesThatAreAllBusyTakeWhatTheOtherBrings() throws Exception {
    Member a = MEMBERS.get(0);
    Member b = MEMBERS.get(1);
    String ofA = idOn(a, "busy");
    String ofB = idOn(b, "busy");
    // As many calls at each home as it has threads.
    CountDownLatch full = new CountDownLatch(16);
    ExecutorService callers = Executors.newFixedThreadPool(16);
    Spawn toA = new Spawn(List.of(record(ofA, "idle")), List.of(), List.of());
    Spawn toB = new Spawn(List.of(record(ofB, "idle")), List.of(), List.of());
    a.router.publish(busyHome(full, () -> a.router.bring(toB)), a, Map::of);
    b.router.publish(busyHome(full, () -> b.router.bring(toA)), b, Map::of);
    try {
      List<Future<?>> calls = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        Outcome atA = Outcome.plain(ofA, i, Outcome.SUCCESS);
        Outcome atB = Outcome.plain(ofB, i, Outcome.SUCCESS);
        calls.add(callers.submit(() -> b.router.complete(1, List.of(atA))));
        calls.add(callers.submit(() -> a.router.complete(1, List.of(atB))));
      }
      for (Future<?> call : calls) {
        call.get(60, TimeUnit.SECONDS);
      }
    } finally {
      a.router.publish(a.home, a, Map::of);
      b.router.publish(b.home, b, Map::of);
      callers.shutdownNow();
    }
  }

  private static String ledger() {
    return "ignitetasks-default-" + NodeConfigs.LEDGER;
  }

  private static ClusterNode node(Member member) {
    return member.ignite.cluster().localNode();
  }

  @SuppressWarnings("unchecked")
  private static long pending(Map<String, Object> status) {
    return ((Number) ((Map<String, Object>) status.get("states")).get("PENDING")).longValue();
  }

  private static int scanned(HomeApi router) {
    Set<String> seen = new HashSet<>();
    String cursor = null;
    do {
      HomeApi.ScanPage page = router.scan(cursor, 50);
      page.rows().forEach(r -> assertTrue(seen.add(r.id), "twice: " + r.id));
      cursor = page.cursor();
    } while (cursor != null);
    return seen.size();
  }

  @Test
  @Order(2)
  void workersOfAllNodesAnswerRemoteControl() {
    Controls controls = MEMBERS.get(0).controls;
    byte[] body = {3, 4};
    List<Reply> all = controls.control("echo", body, null, 10_000, 100);
    assertEquals(Set.of("w1", "w2", "w3"), new HashSet<>(all.stream().map(Reply::worker).toList()));
    all.forEach(reply -> assertArrayEquals(body, reply.body()));
    assertEquals(
        List.of("w3"),
        controls.control("echo", body, List.of("w3", "nobody"), 10_000, 100).stream()
            .map(Reply::worker)
            .toList());
    assertEquals(1, controls.control("echo", body, null, 10_000, 1).size());
    // One that leaves is not waited for, one that says nothing is, as long as was asked for.
    assertEquals(2, controls.control("leave", body, null, 10_000, 100).size());
    assertEquals(0, controls.control("nothing", body, null, 50, 100).size());
    assertEquals(0, controls.control("echo", body, null, 0, 100).size());
  }

  @Test
  @Order(2)
  void eventsOfAllNodesHaveOneOrderAndReachReadersElsewhere() throws Exception {
    CompletableFuture<EventsApi.Page> reading =
        CompletableFuture.supplyAsync(() -> MEMBERS.get(2).events.read(0, 10, 20_000));
    List<Thread> writers = new ArrayList<>();
    for (Member member : MEMBERS) {
      Thread writer =
          new Thread(
              () -> {
                for (int i = 0; i < 20; i++) {
                  member.events.append(List.of(new byte[] {1}, new byte[] {2}), false);
                }
              });
      writers.add(writer);
      writer.start();
    }
    for (Thread writer : writers) {
      writer.join();
    }
    assertEquals(1, reading.get(20, TimeUnit.SECONDS).events().get(0).seq());
    for (Member member : MEMBERS) {
      EventsApi.Page all = member.events.read(0, 1_000, 0);
      assertEquals(120, all.cursor());
      // What one append brings stays together.
      for (EventsApi.Event event : all.events()) {
        assertEquals(event.seq() % 2 == 1 ? 1 : 2, event.body()[0]);
      }
    }
    MEMBERS.get(1).settings.put("b", "k", new byte[] {7}, 0, 0, null);
    assertArrayEquals(
        new byte[] {7}, MEMBERS.get(2).settings.list("b", "", null, 5).get(0).value());
  }

  @Test
  @Order(4)
  void theFeedAndTheSettingsOutliveANode() {
    Member survivor = MEMBERS.get(0);
    EventsApi.Page all = survivor.events.read(0, 1_000, 0);
    assertEquals(120, all.events().size());
    survivor.events.append(List.of(new byte[] {3}), false);
    assertEquals(121, MEMBERS.get(1).events.read(120, 10, 20_000).cursor());
    SettingsApi.Setting setting = survivor.settings.get("b", "k");
    assertTrue(survivor.settings.put("b", "k", null, setting.version(), 0, null).done());
  }

  @Test
  @Order(2)
  void aHomeThatIsNotOneAnyMoreCannotOverwrite() {
    Member right = MEMBERS.get(0);
    Member wrong = MEMBERS.get(1);
    String id = idOn(right);
    TaskRecord record = record(id, "idle");
    record.state = TaskState.SUCCESS;
    right.store.write(List.of(record));
    TaskRecord stale = record(id, "idle");
    TasksException refused =
        assertThrows(TasksException.class, () -> wrong.store.write(List.of(stale)));
    assertEquals(TasksException.Code.NOT_HOME, refused.code());
    assertThrows(
        TasksException.class,
        () -> wrong.store.write(List.of(stale, record(idOn(wrong) + "x", "idle"))));
    assertThrows(TasksException.class, () -> wrong.store.delete(List.of(id)));
    assertEquals(TaskState.SUCCESS, right.router.info(List.of(id)).get(0).state);
    assertEquals(
        TasksException.Code.NOT_HOME,
        assertThrows(TasksException.class, () -> wrong.home.info(List.of(id))).code());
    right.router.forget(List.of(id));
  }

  @Test
  @Order(2)
  void whatAnOutcomeBringsToOtherHomesIsThereToo() {
    Member worker = MEMBERS.get(2);
    List<TaskRecord> next = batch("next", 30, "default");
    TaskRecord tail = record("tail", "default");
    tail.state = TaskState.FAILURE;
    tail.finishedMillis = System.currentTimeMillis();
    worker.spawns.put("first", new Spawn(next, List.of(tail), List.of()));
    worker.join(200);
    Origin origin = new Origin(worker.id(), 7);
    worker.router.submit(List.of(record("first", "default")), origin, false);
    List<String> all = ids(next);
    waitFor(
        "all have run",
        () ->
            worker.router.info(all).stream()
                .allMatch(r -> r != null && r.state == TaskState.SUCCESS));
    all.forEach(id -> assertEquals(1, worker.ran.get(id)));
    assertEquals(TaskState.FAILURE, worker.router.info(List.of("tail")).get(0).state);
    worker.router.workerLeft(200);
    worker.router.forget(all);
  }

  @Test
  @Order(2)
  void aMemberWhoseJoinAnotherNodeKeepsIsRefused() {
    TaskRecord member = record(idOn(MEMBERS.get(0)), "idle");
    member.joinId = idOn(MEMBERS.get(1));
    HomeRouter router = MEMBERS.get(2).router;
    TasksException refused =
        assertThrows(
            TasksException.class,
            () -> router.submit(List.of(member), new Origin(MEMBERS.get(2).id(), 7), false));
    assertEquals(TasksException.Code.BAD_REQUEST, refused.code());
    assertTrue(refused.getMessage().contains("last four digits"), refused.getMessage());
  }

  private static String idOn(Member member) {
    return idOn(member, "at");
  }

  private static String idOn(Member member, String start) {
    for (int i = 0; ; i++) {
      String id = start + "-" + i;
      if (member.ignite.affinity(ledger()).isPrimary(node(member), id)) {
        return id;
      }
    }
  }

  @Test
  @Order(3)
  void aNodeThatGoesAwayUnderLoadLosesNothingThatWasAcknowledged() throws InterruptedException {
    Member dying = MEMBERS.get(0);
    List<Member> survivors = List.copyOf(MEMBERS.subList(1, NODES));
    survivors.get(0).join(101);
    dying.join(100);
    Set<String> acknowledged = ConcurrentHashMap.newKeySet();
    List<String> wrong = java.util.Collections.synchronizedList(new ArrayList<>());
    boolean[] over = {false};
    List<Thread> clients = new ArrayList<>();
    for (Member member : survivors) {
      Thread client =
          new Thread(
              () -> {
                for (int n = 0; !over[0] || n < 20; n++) {
                  List<TaskRecord> batch = batch(member.ignite.name() + "-" + n, 10, "default");
                  try {
                    member.router.submit(batch, new Origin(member.id(), 7), false);
                    acknowledged.addAll(ids(batch));
                  } catch (TasksException e) {
                    if (!e.code().retryable()) {
                      wrong.add(e.toString());
                    }
                  }
                }
              });
      client.start();
      clients.add(client);
    }
    waitFor("some are in", () -> acknowledged.size() > 300);
    dying.stop();
    MEMBERS.remove(dying);
    int then = acknowledged.size();
    waitFor("it goes on", () -> acknowledged.size() > then + 300);
    over[0] = true;
    for (Thread client : clients) {
      client.join(30_000);
    }
    assertEquals(List.of(), wrong);
    waitFor("homes are taken over", () -> homes() == Locator.PARTITIONS);
    HomeRouter router = survivors.get(1).router;
    List<String> all = List.copyOf(acknowledged);
    for (TaskRecord r : router.info(all)) {
      assertNotNull(r, "an acknowledged task is gone");
    }
    waitFor(
        "all have run",
        () -> router.info(all).stream().allMatch(r -> r.state == TaskState.SUCCESS));
    Set<String> ran = new HashSet<>();
    survivors.forEach(m -> ran.addAll(m.ran.keySet()));
    ran.addAll(dying.ran.keySet());
    assertTrue(ran.containsAll(all));
  }
}
