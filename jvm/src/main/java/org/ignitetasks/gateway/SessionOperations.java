package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Supplier;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Origin;
import org.ignitetasks.protocol.SubmitAnswer;
import org.ignitetasks.protocol.SubmitReader;
import org.ignitetasks.protocol.WatchAnswer;

/** The operations of a client's session: hello, submit, and hearing of ends. */
final class SessionOperations {
  private static final int MAX_KIND = 64;

  /** Largest argument or result, told to clients; it goes as a blob, not through the gateway. */
  private static final long MAX_VALUE_BYTES = 1L << 30;

  private static final int MAX_ATTEMPT = 1_000_000;
  private static final int MAX_POLL_ITEMS = 100_000;
  private static final List<String> NODE_FACTS =
      List.of("cluster_id", "version", "role", "durability", "lane", "data_dir", "namespace");

  private final HomeApi home;
  private final Sessions sessions;
  private final Supplier<UUID> localNode;
  private final Supplier<Map<String, Object>> nodeInfo;
  private final GatewayLimits limits;

  SessionOperations(
      HomeApi home,
      Sessions sessions,
      Supplier<UUID> localNode,
      Supplier<Map<String, Object>> nodeInfo,
      GatewayLimits limits) {
    this.home = home;
    this.sessions = sessions;
    this.localNode = localNode;
    this.nodeInfo = nodeInfo;
    this.limits = limits;
  }

  /** Adds these operations under their names. */
  void register(Map<String, Operation> table) {
    table.put("hello", this::hello);
    table.put("submit", this::submit);
    table.put("watch", this::watch);
  }

  /** Tells the homes that a session is gone. */
  void closed(Session session) {
    home.sessionClosed(new Origin(localNode.get(), session.id()));
  }

  private void hello(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 4);
    String kind = in.text("kind", 1, MAX_KIND);
    int pid = in.smallInteger("pid", 0, Integer.MAX_VALUE);
    in.text("version", 1, MAX_KIND);
    String host = in.text("host", 0, RequestReader.MAX_NAME);
    in.end();
    Map<String, Object> node = nodeInfo.get();
    Map<String, Object> answer = new LinkedHashMap<>();
    answer.put("session", sessions.open(kind, host, pid).id());
    answer.put("node", node.get("name"));
    answer.put("protocol", CallFrame.VERSION);
    answer.put("inline_limit", SubmitReader.INLINE_LIMIT);
    answer.put("max_payload", node.getOrDefault("max_payload", MAX_VALUE_BYTES));
    NODE_FACTS.forEach(fact -> answer.put(fact, node.get(fact)));
    out.value(answer);
  }

  private void submit(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 3);
    long sessionId = in.integer("session", 1, Long.MAX_VALUE);
    int attempt = in.smallInteger("attempt", 0, MAX_ATTEMPT);
    List<TaskRecord> records = new SubmitReader(in, System.currentTimeMillis()).read();
    in.end();
    Session session = sessions.enter(sessionId);
    try {
      SubmitAnswer answer =
          home.submit(records, new Origin(localNode.get(), session.id()), attempt > 0);
      out.array(2);
      out.integer(answer.created());
      out.array(answer.exceptions().size());
      for (SubmitAnswer.Exception exception : answer.exceptions()) {
        out.array(3);
        out.integer(exception.index());
        out.integer(exception.code());
        out.integer(exception.state());
      }
    } finally {
      session.leave();
    }
  }

  /**
   * Begins a poll, which is answered by whoever completes a task.
   *
   * @param in the request
   * @param answer takes what was found
   * @return the wait; over already if there was something to tell
   */
  PollWait poll(RequestReader in, Mailbox.Reader answer) throws IOException {
    in.array("request", 4);
    long sessionId = in.integer("session", 1, Long.MAX_VALUE);
    long ack = in.integer("ack_seq", 0, Long.MAX_VALUE);
    long timeoutMillis = in.integer("timeout_ms", 0, Long.MAX_VALUE);
    int maxItems = in.smallInteger("max_items", 1, MAX_POLL_ITEMS);
    in.end();
    Session session = sessions.enter(sessionId);
    PollWait wait = new PollWait(session, Math.min(timeoutMillis, limits.maxPollMillis()), answer);
    try {
      session.mailbox().poll(ack, maxItems, wait.millis() > 0, wait);
    } catch (TasksException e) {
      session.leave();
      throw e;
    }
    return wait;
  }

  private void watch(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 2);
    long sessionId = in.integer("session", 1, Long.MAX_VALUE);
    List<String> ids = in.names("ids", TaskOperations.MAX_IDS);
    in.end();
    Session session = sessions.enter(sessionId);
    try {
      WatchAnswer answer = home.watch(ids, new Origin(localNode.get(), session.id()));
      out.array(3);
      out.completions(firstOf(answer.done(), session.mailbox()));
      out.texts(answer.unknown());
      out.texts(answer.expired());
    } finally {
      session.leave();
    }
  }

  /** Returns what fits an answer; the rest goes by the mailbox like ends that are yet to come. */
  private static List<Completion> firstOf(List<Completion> done, Mailbox mailbox) {
    long size = 0;
    int count = 0;
    while (count < done.size() && size < Mailbox.ANSWER_BYTES) {
      size += Mailbox.sizeOf(done.get(count));
      count++;
    }
    if (count < done.size()) {
      mailbox.add(new ArrayList<>(done.subList(count, done.size())));
    }
    return done.subList(0, count);
  }
}
