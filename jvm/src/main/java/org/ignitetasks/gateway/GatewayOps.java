package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.HomeApi;
import org.msgpack.core.MessagePackException;

/**
 * The fixed table of operations and what surrounds each: frame, errors, counting.
 *
 * <p>{@link #call} never throws: failures become error frames, and of an unexpected one the client
 * learns the class name only. Thread-safe.
 */
final class GatewayOps {
  private static final System.Logger LOG = System.getLogger(GatewayOps.class.getName());

  /** Label for calls of operations that do not exist: clients do not choose labels. */
  private static final String UNKNOWN_OP = "unknown";

  /** The one operation that waits. */
  private static final String POLL = "poll";

  private static final long DRAIN_STEP_MILLIS = 5;

  private final HomeApi home;
  private final SessionOperations sessionOperations;
  private final Supplier<Map<String, Object>> nodeInfo;
  private final Runnable stop;
  private final Sessions sessions;
  private final GatewayMetrics metrics;
  private final Map<String, Operation> table = new HashMap<>();
  private final AtomicInteger callsInside = new AtomicInteger();
  private final int maxAnswer;
  private volatile boolean closing;
  private volatile long lastCallNanos = System.nanoTime();
  private volatile long lastWorkNanos = System.nanoTime();

  GatewayOps(
      HomeApi home,
      SessionOperations sessionOperations,
      SharedOperations sharedOperations,
      Supplier<Map<String, Object>> nodeInfo,
      Runnable stop,
      Sessions sessions,
      GatewayLimits limits,
      GatewayMetrics metrics) {
    this.home = home;
    this.sessionOperations = sessionOperations;
    this.nodeInfo = nodeInfo;
    this.stop = stop;
    this.sessions = sessions;
    this.metrics = metrics;
    this.maxAnswer = limits.maxPayload();
    sessionOperations.register(table);
    new TaskOperations(home, maxAnswer).register(table);
    sharedOperations.register(table);
    table.put("status", this::status);
    table.put("metrics", this::metrics);
    table.put("stop", this::stop);
    table.put("ping", this::ping);
  }

  /** Takes a framed answer; called once for each call, and does not throw. */
  interface Reply {
    void send(byte[] frame);
  }

  /**
   * Answers one framed request with one framed answer.
   *
   * @param name the operation
   * @param frame the request
   * @param reply takes the answer
   * @return a poll that has begun to wait and will be answered later; null if all is answered
   */
  PollWait call(String name, byte[] frame, Reply reply) {
    Operation operation = table.get(name);
    boolean poll = name.equals(POLL);
    Call call = new Call(operation == null && !poll ? UNKNOWN_OP : name, reply);
    if (!poll) {
      lastWorkNanos = call.startNanos;
    }
    byte[] answer;
    String errorCode = null;
    try {
      if (poll) {
        check(frame, true);
        PollWait wait = sessionOperations.poll(new RequestReader(frame), call::letter);
        return wait.isAnswered() ? null : wait;
      }
      answer = CallFrame.encode(CallFrame.OK, answer(operation, frame));
    } catch (TasksException e) {
      errorCode = e.code().name();
      answer = error(e);
    } catch (MessagePackException e) {
      errorCode = Code.BAD_REQUEST.name();
      answer =
          error(
              new TasksException(
                  Code.BAD_REQUEST,
                  "The request is not well-formed msgpack; send it again whole."));
    } catch (IOException | RuntimeException | Error e) {
      call.failed(e);
      return null;
    }
    call.end(answer, errorCode);
    return null;
  }

  /** One call from its beginning to its answer. */
  private final class Call {
    private final String name;
    private final Reply reply;
    private final long startNanos = System.nanoTime();

    Call(String name, Reply reply) {
      this.name = name;
      this.reply = reply;
      callsInside.incrementAndGet();
    }

    void letter(Mailbox.Letter letter) {
      byte[] answer;
      try {
        AnswerPacker out = new AnswerPacker();
        out.letter(letter);
        answer = CallFrame.encode(CallFrame.OK, out.toBytes());
      } catch (IOException | RuntimeException | Error e) {
        // On the thread that completes tasks: it must not learn of this, but the client must.
        failed(e);
        return;
      }
      end(answer, null);
    }

    void failed(Throwable e) {
      LOG.log(System.Logger.Level.ERROR, "call_failed op=" + name, e);
      end(error(unexpected(e)), Code.INTERNAL.name());
    }

    void end(byte[] answer, String errorCode) {
      callsInside.decrementAndGet();
      lastCallNanos = System.nanoTime();
      metrics.call(name, lastCallNanos - startNanos, errorCode);
      reply.send(answer);
    }
  }

  /** Returns how long ago the last call ended, in milliseconds; 0 while one is inside. */
  long idleMillis() {
    return callsInside.get() > 0
        ? 0
        : TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lastCallNanos);
  }

  /** Returns how long ago the last call began that was not a poll, in milliseconds. */
  long quietMillis() {
    return TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - lastWorkNanos);
  }

  /** Refuses further calls, ends waiting polls and waits for calls inside. */
  void close(long timeoutMillis) {
    closing = true;
    sessions.close();
    long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    try {
      while (callsInside.get() > 0 && System.nanoTime() - deadline < 0) {
        Thread.sleep(DRAIN_STEP_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void check(byte[] frame, boolean known) {
    CallFrame.checkRequest(frame);
    if (!known) {
      throw new TasksException(
          Code.BAD_REQUEST,
          "The gateway has no such operation; install the same release on both sides.");
    }
    if (closing) {
      throw new TasksException(
          Code.UNAVAILABLE, "The node is shutting down; try again when it has restarted.");
    }
  }

  private byte[] answer(Operation operation, byte[] frame) throws IOException {
    check(frame, operation != null);
    AnswerPacker out = new AnswerPacker();
    operation.run(new RequestReader(frame), out);
    if (out.size() > maxAnswer) {
      throw new TasksException(
          Code.TOO_LARGE, "The answer does not fit a frame; ask for less at a time.");
    }
    return out.toBytes();
  }

  private static TasksException unexpected(Throwable error) {
    return new TasksException(
        Code.INTERNAL,
        "The node failed with "
            + error.getClass().getName()
            + "; its log (node.log) has the details.");
  }

  private static byte[] error(TasksException error) {
    AnswerPacker out = new AnswerPacker();
    try {
      out.error(error);
      return CallFrame.encode(CallFrame.ERROR, out.toBytes());
    } catch (IOException e) {
      throw new IllegalStateException("writing to memory failed", e);
    }
  }

  private static void noFields(RequestReader in) throws IOException {
    in.array("request", 0);
    in.end();
  }

  private void status(RequestReader in, AnswerPacker out) throws IOException {
    noFields(in);
    Map<String, Object> status = new LinkedHashMap<>();
    Map<String, Object> node = new LinkedHashMap<>(nodeInfo.get());
    node.put("sessions", sessions.count());
    node.put("mailbox_bytes", sessions.mailboxBytes());
    status.put("node", node);
    home.status().forEach(status::putIfAbsent);
    out.value(status);
  }

  private void metrics(RequestReader in, AnswerPacker out) throws IOException {
    noFields(in);
    Map<String, Object> all = home.metrics();
    Map<String, Object> own = metrics.counters();
    Map<String, Object> answer = new LinkedHashMap<>(all);
    answer.put("counters", merged(all.get("counters"), own));
    answer.put("histograms", merged(all.get("histograms"), metrics.histograms()));
    out.value(answer);
  }

  private static Map<Object, Object> merged(Object theirs, Map<String, Object> own) {
    Map<Object, Object> both = new LinkedHashMap<>();
    if (theirs instanceof Map<?, ?> map) {
      both.putAll(map);
    }
    both.putAll(own);
    return both;
  }

  private void stop(RequestReader in, AnswerPacker out) throws IOException {
    noFields(in);
    out.array(0);
    stop.run();
  }

  private void ping(RequestReader in, AnswerPacker out) throws IOException {
    noFields(in);
    out.array(0);
  }
}
