package org.ignitetasks.worker;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.ignitetasks.model.Rate;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Labels;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Question;
import org.ignitetasks.protocol.WorkerApi;
import org.ignitetasks.protocol.WorkerInfo;

/**
 * The worker side of one JVM: one session per connected supervisor, and what homes may ask of them.
 *
 * <p>Calls of homes return quickly: they decide under a session's lock, write to children, and
 * leave everything that calls a home to other threads.
 */
public final class WorkerNode implements WorkerApi, AutoCloseable {
  private static final Logger LOG = System.getLogger(WorkerNode.class.getName());
  private static final long TICK_MILLIS = 100;

  /** Between ticks while nothing runs: who is idle shall not keep a processor awake. */
  private static final long CALM_TICK_MILLIS = 500;

  private static final long CALM_AFTER_NANOS = 2_000_000_000L;
  private static final int CALL_THREADS = 4;
  private static final long STOP_SECONDS = 3;

  private final HomeApi home;
  private final UUID node;
  private final Consumer<List<byte[]>> events;
  private final Map<Long, WorkerSession> sessions = new ConcurrentHashMap<>();
  private final RunTimes times = new RunTimes();
  private final LaneMetrics metrics = new LaneMetrics();
  private final ScheduledThreadPoolExecutor timer;
  private final ThreadPoolExecutor calls;
  private final Completions completions;
  private volatile long pushedNanos = System.nanoTime();
  private volatile boolean calm;
  private final Object pace = new Object();
  private ScheduledFuture<?> nextTick;
  private volatile boolean stopped;

  /**
   * @param home router to all homes; must block and retry by itself within a deadline
   * @param node this JVM's node id, by which homes find it
   * @param events takes what workers and their children write to the feed; must not wait
   */
  public WorkerNode(HomeApi home, UUID node, Consumer<List<byte[]>> events) {
    this.events = events;
    this.home = home;
    this.node = node;
    this.timer = new ScheduledThreadPoolExecutor(1, threads("worker-timer"));
    timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    timer.setContinueExistingPeriodicTasksAfterShutdownPolicy(false);
    this.calls =
        new ThreadPoolExecutor(
            CALL_THREADS,
            CALL_THREADS,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            threads("worker-call"),
            // Only after close(), when homes see this node's workers leave anyway.
            new ThreadPoolExecutor.DiscardPolicy());
    calls.allowCoreThreadTimeOut(true);
    this.completions = new Completions(home, calls, timer);
    timer.setRemoveOnCancelPolicy(true);
    tickAgain();
  }

  private static ThreadFactory threads(String name) {
    AtomicInteger count = new AtomicInteger();
    return work -> {
      Thread thread = new Thread(work, "ignitetasks-" + name + "-" + count.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }

  @Override
  public void push(long epoch, List<Delivery> deliveries) {
    somethingRuns();
    WorkerSession session = sessions.get(epoch);
    if (session != null) {
      session.push(deliveries);
      return;
    }
    List<Outcome> outcomes = new ArrayList<>(deliveries.size());
    for (Delivery delivery : deliveries) {
      outcomes.add(Outcome.plain(delivery.record().id, delivery.fence(), Outcome.GIVE_BACK));
    }
    // A push that crossed the worker's end. Should this fail, the lease ends with the epoch.
    calls.execute(() -> completions.report(epoch, outcomes, () -> true, () -> {}));
  }

  @Override
  public void kill(long epoch, String id, long fence, String signal) {
    WorkerSession session = sessions.get(epoch);
    if (session != null) {
      session.kill(id, fence, signal);
    }
  }

  @Override
  public List<Question.Asked> control(Question question, Question.Answers answers) {
    List<Question.Asked> asked = new ArrayList<>();
    for (WorkerSession session : sessions.values()) {
      WorkerInfo worker = session.info;
      byte[] frame =
          question.isFor(worker.name())
              ? session.questions.ask(question, answers, System.nanoTime())
              : null;
      if (frame != null) {
        asked.add(new Question.Asked(worker.epoch(), worker.name()));
        // A supervisor that does not read must not hold up whoever asks.
        calls.execute(() -> session.questions.send(frame));
      }
    }
    return asked;
  }

  @Override
  public List<Running> running() {
    List<Running> all = new ArrayList<>();
    sessions.values().forEach(session -> session.running(all));
    return all;
  }

  /** Returns the workers that are connected now, for a home that was rebuilt. */
  public List<WorkerInfo> workers() {
    return sessions.values().stream().map(session -> session.info).toList();
  }

  /** Returns counters and gauges in the layout of the gateway's "metrics" call. */
  public Map<String, Object> metrics() {
    Map<String, Object> free = new HashMap<>();
    Map<String, Object> held = new HashMap<>();
    Map<String, Object> children = new HashMap<>();
    for (WorkerSession session : sessions.values()) {
      int[] values = session.gauges();
      String label = Labels.of("worker", session.info.name());
      // Two workers may have one name, for a moment at least when one takes the other's place.
      free.merge(label, (long) values[0], WorkerNode::plus);
      held.merge(label, (long) values[1], WorkerNode::plus);
      children.merge(label, (long) values[2], WorkerNode::plus);
    }
    Map<String, Object> gauges = new HashMap<>();
    gauges.put("ignitetasks_lane_free_slots", free);
    gauges.put("ignitetasks_lane_deliveries", held);
    gauges.put("ignitetasks_lane_children", children);
    return metrics.snapshot(gauges);
  }

  private static Object plus(Object a, Object b) {
    return (Long) a + (Long) b;
  }

  /** Serves a supervisor's connection until its end; on its reader thread. */
  void serveWorker(Hello hello, LaneChannel channel) throws IOException {
    WorkerInfo info = info(hello);
    WorkerSession session =
        new WorkerSession(info, channel, home, completions, times, metrics, calls, events);
    try {
      home.workerJoined(info);
    } catch (TasksException e) {
      throw new LaneException(e.code(), "the worker cannot join: " + e.getMessage());
    } catch (RuntimeException e) {
      LOG.log(Level.WARNING, "worker_join_failed epoch=" + info.epoch(), e);
      throw new LaneException(Code.INTERNAL, "the worker cannot join; see the node's log");
    }
    sessions.put(info.epoch(), session);
    try {
      if (stopped) {
        throw new LaneException(Code.UNAVAILABLE, "this node is stopping; connect again later");
      }
      channel.write(FrameKind.WELCOME, LaneMessages.welcome(info.epoch()));
      session.questions.greeted();
      LOG.log(
          Level.INFO, "worker_joined epoch={0} name={1}", Long.toString(info.epoch()), info.name());
      supervise(session, channel);
    } finally {
      session.end(
          stopped, () -> LOG.log(Level.INFO, "worker_left epoch={0}", Long.toString(info.epoch())));
      sessions.remove(info.epoch());
    }
  }

  private void supervise(WorkerSession session, LaneChannel channel) throws IOException {
    for (List<Frame> frames = channel.read(); frames != null; frames = channel.read()) {
      for (Frame frame : frames) {
        switch (frame.kind()) {
          case FrameKind.DRAIN -> session.drain();
          case FrameKind.CHILD_DIED -> session.childDied(LaneMessages.childDied(frame.payload()));
          case FrameKind.CONTROL_REPLY ->
              session.questions.answered(LaneMessages.controlReply(frame.payload()));
          case FrameKind.HELD -> session.tellHeld(LaneMessages.held(frame.payload()));
          case FrameKind.EVENTS -> events.accept(LaneMessages.events(frame.payload()));
          case FrameKind.QUEUES ->
              changed(session, session.info.listeningTo(LaneMessages.queues(frame.payload())));
          case FrameKind.HEARS ->
              changed(session, session.info.hearing(LaneMessages.hears(frame.payload())));
          default -> throw LaneMessages.malformed("kind " + frame.kind() + " from a worker", null);
        }
      }
    }
  }

  private void changed(WorkerSession session, WorkerInfo info) throws LaneException {
    session.info = info;
    try {
      home.workerJoined(info);
    } catch (TasksException e) {
      // Its supervisor starts over, and says hello as it is now.
      throw new LaneException(e.code(), "the worker cannot change: " + e.getMessage());
    }
  }

  private WorkerInfo info(Hello hello) throws LaneException {
    long epoch = ThreadLocalRandom.current().nextLong(1, Long.MAX_VALUE);
    return new WorkerInfo(
        epoch,
        node,
        hello.text("name"),
        hello.text("host"),
        (int) hello.number("pid", 1, Integer.MAX_VALUE),
        hello.texts("queues"),
        hello.texts("tasks"),
        (int) hello.number("concurrency", 1, 65_536),
        hello.text("pool"),
        System.currentTimeMillis(),
        limits(hello),
        hello.flag("hears"));
  }

  private static Map<String, String> limits(Hello hello) throws LaneException {
    Map<String, String> limits = hello.textsByName("limits");
    try {
      limits.values().removeIf(text -> Rate.parse(text) == null);
    } catch (TasksException e) {
      throw LaneMessages.malformed("HELLO has a wrong limit: " + e.getMessage(), null);
    }
    return limits;
  }

  /** Serves a child's connection until its end; on its reader thread. */
  void serveChild(Hello hello, LaneChannel channel) throws IOException {
    WorkerSession session = sessions.get(hello.number("epoch", 1, Long.MAX_VALUE));
    if (session == null) {
      throw new LaneException(Code.UNKNOWN_SESSION, "no worker of this epoch is connected; exit");
    }
    ChildState child =
        new ChildState(
            (int) hello.number("child", 0, 65_536),
            (int) hello.number("pid", 1, Integer.MAX_VALUE),
            (int) hello.number("slots", 1, 65_536),
            hello.info().containsKey("prefetch") ? (int) hello.number("prefetch", 0, 65_536) : 0);
    session.attach(child, channel).serve();
  }

  /** Runs something after a while unless this node stops; for the lane's deadlines. */
  void after(long millis, Runnable work) {
    timer.schedule(work, millis, TimeUnit.MILLISECONDS);
  }

  private void tick() {
    for (WorkerSession session : sessions.values()) {
      try {
        session.tick();
      } catch (RuntimeException e) {
        // An exception would silently end all later ticks.
        LOG.log(Level.ERROR, "worker_tick_failed epoch=" + session.info.epoch(), e);
      }
    }
    tickAgain();
  }

  private void tickAgain() {
    boolean idle =
        System.nanoTime() - pushedNanos > CALM_AFTER_NANOS
            && sessions.values().stream().allMatch(WorkerSession::isIdle);
    synchronized (pace) {
      if (!stopped) {
        calm = idle;
        long pause = idle ? CALM_TICK_MILLIS : TICK_MILLIS;
        nextTick = timer.schedule(this::tick, pause, TimeUnit.MILLISECONDS);
      }
    }
  }

  /** Brings the next tick forward if it was planned as one of an idle worker. */
  private void somethingRuns() {
    pushedNanos = System.nanoTime();
    if (!calm) {
      return;
    }
    synchronized (pace) {
      // A tick that has begun already sees that something was pushed.
      if (calm && !stopped && nextTick.cancel(false)) {
        calm = false;
        nextTick = timer.schedule(this::tick, TICK_MILLIS, TimeUnit.MILLISECONDS);
      }
    }
  }

  /**
   * Ends all sessions: what they hold goes back to the homes, which must still answer. Stop the
   * lane first, so that nobody connects any more.
   */
  @Override
  public void close() {
    synchronized (pace) {
      stopped = true;
    }
    sessions.values().forEach(session -> session.end(true, () -> {}));
    timer.shutdown();
    calls.shutdown();
    try {
      if (!calls.awaitTermination(STOP_SECONDS, TimeUnit.SECONDS)) {
        LOG.log(Level.WARNING, "worker_calls_unfinished count={0}", calls.getActiveCount());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
