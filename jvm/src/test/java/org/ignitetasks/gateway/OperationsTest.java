package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.ignitetasks.gateway.RawClient.Answer;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.SubmitAnswer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every operation as a client sees it. */
class OperationsTest extends ClientTestBase {
  private static TaskRecord record(String id) {
    TaskRecord r = new TaskRecord();
    r.id = id;
    r.task = "shop.add";
    r.queue = "q";
    r.state = TaskState.SUCCESS;
    r.priority = 4;
    r.createdMillis = 1_000;
    r.finishedMillis = 1_700_000_000_000L;
    r.fence = 9;
    r.payload = new byte[] {'m', 5};
    r.body = new byte[] {'m', 1};
    r.flags = TaskFlags.RESULT_REF;
    return r;
  }

  @Test
  void helloTellsTheFactsOfTheNode() throws IOException {
    Map<?, ?> facts = client.call("hello", "worker", 1, "0.1.0", "").map();
    assertTrue((Long) facts.get("session") > 0);
    assertFalse(facts.get("session").equals(session));
    assertEquals("n1", facts.get("node"));
    assertEquals("embedded", facts.get("role"));
    assertEquals(1L, facts.get("protocol"));
    assertEquals(65_536L, facts.get("inline_limit"));
    assertEquals(1L << 30, facts.get("max_payload"));
    assertTrue(facts.containsKey("cluster_id") && facts.containsKey("lane"));
  }

  @Test
  void submitMakesRecordsThatShareTheirTemplate() throws IOException {
    long before = System.currentTimeMillis();
    List<Object> item = Arrays.asList("b\u00e4r", new byte[] {'m', 2}, new byte[16]);
    Answer answer =
        client.call("submit", session, 0, TestGateway.groups(TestGateway.item("a"), item));
    assertEquals(List.of(2L, List.of()), answer.list());
    assertEquals(List.of("submit 2 false"), server.home.calls);
    TaskRecord a = server.home.submitted.get(0);
    TaskRecord b = server.home.submitted.get(1);
    assertEquals("a", a.id);
    assertEquals("b\u00e4r", b.id);
    assertEquals("shop.add", a.task);
    assertSame(a.task, b.task);
    assertEquals("q", a.queue);
    assertEquals(4, a.priority);
    assertEquals(3, a.maxDeliveries);
    assertEquals(86_400_000L, a.resultTtlMillis);
    assertEquals("root", a.rootId);
    assertNull(a.parentId);
    assertEquals("group", a.groupId);
    assertEquals(TaskState.PENDING, a.state);
    assertArrayEquals(new byte[] {'m', 1}, a.body);
    assertNull(a.fingerprint);
    assertEquals(16, b.fingerprint.length);
    assertTrue(a.createdMillis >= before && a.createdMillis <= System.currentTimeMillis());
    assertEquals(session, server.home.lastOrigin.session());
    assertEquals(server.node, server.home.lastOrigin.node());
  }

  @Test
  void submitTellsWhatWasNotCreated() throws IOException {
    server.home.exceptions =
        List.of(
            new SubmitAnswer.Exception(0, SubmitAnswer.EXISTS, 3),
            new SubmitAnswer.Exception(1, SubmitAnswer.CONFLICT, 0));
    Answer answer =
        client.call(
            "submit",
            session,
            2,
            TestGateway.groups(
                TestGateway.item("a"), TestGateway.item("b"), TestGateway.item("c")));
    assertEquals(List.of(1L, List.of(List.of(0L, 1L, 3L), List.of(1L, 2L, 0L))), answer.list());
    assertEquals(List.of("submit 3 true"), server.home.calls);
  }

  @Test
  void completionsArriveByPollAndAgainUntilConfirmed() throws IOException {
    server.gateway.completed(
        session,
        List.of(
            new Completion("a", 3, new byte[] {'m', 1}, false),
            new Completion("b", 4, new byte[] {7}, true),
            new Completion("c", 8, null, false)));
    server.gateway.completed(12345, List.of(new Completion("x", 3, null, false)));
    for (int i = 0; i < 2; i++) {
      Answer answer = client.call("poll", session, 0, 1_000, 100);
      assertEquals(3L, answer.list().get(0));
      assertEquals(false, answer.list().get(1));
      List<?> completions = (List<?>) answer.list().get(2);
      assertEquals(3, completions.size());
      assertArrayEquals(new byte[] {'m', 1}, (byte[]) ((List<?>) completions.get(0)).get(2));
      assertEquals(1L, ((List<?>) completions.get(1)).get(3));
      assertEquals(Arrays.asList("c", 8L, null, 0L), completions.get(2));
    }
    assertEquals(List.of(3L, false, List.of()), client.call("poll", session, 3, 0, 9).list());
    server.gateway.mayHaveMissed();
    assertEquals(List.of(4L, true, List.of()), client.call("poll", session, 3, 500, 9).list());
  }

  @Test
  void aPollWaitsNoLongerThanTheGatewayAllows() throws IOException {
    long start = System.nanoTime();
    client.call("poll", session, 0, Long.MAX_VALUE, 9);
    long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start);
    assertTrue(seconds >= 1 && seconds < 4);
  }

  @Test
  void watchTellsWhatIsKnownAndSendsTheRestByPoll() throws IOException {
    byte[] payload = new byte[60_000];
    Completion[] done = new Completion[20];
    for (int i = 0; i < done.length; i++) {
      done[i] = new Completion("id" + i, 3, i < 19 ? payload : null, false);
    }
    server.home.done = List.of(done);
    Answer answer = client.call("watch", session, List.of("id0", "id1"));
    assertEquals(18, ((List<?>) answer.list().get(0)).size());
    assertEquals(List.of("nobody"), answer.list().get(1));
    assertEquals(List.of("gone"), answer.list().get(2));
    List<?> rest = (List<?>) client.call("poll", session, 0, 0, 100).list().get(2);
    assertEquals(2, rest.size());
    assertEquals(List.of("watch [id0, id1]"), server.home.calls);
  }

  @Test
  void infoTellsUnknownExpiredAndKnownApart() throws IOException {
    TaskRecord expired = record("e");
    expired.expired = true;
    server.home.records = Arrays.asList(null, expired, record("a"));
    List<?> answer = client.call("info", List.of("x", "e", "a")).list();
    assertNull(answer.get(0));
    assertEquals("expired", answer.get(1));
    Map<?, ?> map = (Map<?, ?>) answer.get(2);
    assertEquals(30, map.size());
    assertEquals("a", map.get("id"));
    assertEquals(3L, map.get("state"));
    assertEquals(1_700_000_000_000L, map.get("finished_ms"));
    assertEquals(true, map.get("result_ref"));
    assertArrayEquals(new byte[] {'m', 5}, (byte[]) map.get("result"));
    assertNull(map.get("worker"));
  }

  @Test
  void anAnswerThatDoesNotFitAFrameIsAnError() throws IOException {
    TaskRecord big = record("big");
    big.payload = new byte[1_600_000];
    server.home.records = List.of(big);
    assertEquals("TOO_LARGE", client.call("info", List.of("big")).errorCode());
  }

  @Test
  void theOperationsOnRecordsReachTheHome() throws IOException {
    server.home.records = List.of(record("a"));
    assertEquals(2L, client.call("forget", List.of("a", "b")).value());
    assertEquals(
        List.of(5L, -1L), client.call("revoke", List.of("a", "b"), true, "SIGTERM").list());
    assertEquals(3L, client.call("purge", "q").value());
    assertEquals(3L, client.call("purge", (Object) null).value());
    assertEquals(1, client.call("dead_list", 10).list().size());
    assertEquals(1L, client.call("dead_retry", (Object) null).value());
    assertEquals(1L, client.call("dead_retry", List.of("a")).value());
    assertEquals(2L, client.call("dead_drop", List.of("a")).value());
    List<?> page = client.call("scan", null, 50).list();
    assertEquals("next", page.get(0));
    List<?> row = (List<?>) ((List<?>) page.get(1)).get(0);
    assertEquals(17, row.size());
    assertEquals(List.of("a", "shop.add", "q", 3L, 4L, 1_000L), row.subList(0, 6));
    client.call("scan", "next", 50);
    assertEquals(
        List.of(
            "forget [a, b]",
            "revoke [a, b] true SIGTERM",
            "purge q",
            "purge null",
            "dead_list 10",
            "dead_retry null",
            "dead_retry [a]",
            "dead_drop [a]",
            "scan null 50",
            "scan next 50"),
        server.home.calls);
  }

  @Test
  void statusListeningAndMetrics() throws IOException {
    Map<?, ?> status = client.call("status").map();
    assertEquals("n1", ((Map<?, ?>) status.get("node")).get("name"));
    assertEquals(1L, ((Map<?, ?>) status.get("node")).get("sessions"));
    assertEquals(Map.of("SUCCESS", 7L), status.get("states"));
    Map<?, ?> listening = client.call("listening", List.of("q", "none", "back")).map();
    assertEquals(1L, listening.get("q"));
    assertEquals(0L, listening.get("none"));
    assertTrue(listening.containsKey("back") && listening.get("back") == null);
    client.call("nonsense");
    Map<?, ?> metrics = client.call("metrics").map();
    Map<?, ?> counters = (Map<?, ?>) metrics.get("counters");
    assertEquals(Map.of("state=\"SUCCESS\"", 2L), counters.get("ignitetasks_finished_total"));
    assertEquals(
        1L, ((Map<?, ?>) counters.get("ignitetasks_gateway_calls_total")).get("op=\"status\""));
    assertEquals(
        1L,
        ((Map<?, ?>) counters.get("ignitetasks_gateway_errors_total"))
            .get("op=\"unknown\",code=\"BAD_REQUEST\""));
    Map<?, ?> histograms = (Map<?, ?>) metrics.get("histograms");
    Map<?, ?> calls = (Map<?, ?>) histograms.get("ignitetasks_gateway_call_seconds");
    Map<?, ?> shape = (Map<?, ?>) calls.get("op=\"status\"");
    assertEquals(1L, shape.get("count"));
    assertEquals(
        ((List<?>) shape.get("bounds_ms")).size() + 1, ((List<?>) shape.get("counts")).size());
  }

  @Test
  void aGatewayIsIdleOnlyWhileNobodyIsConnected() throws Exception {
    Thread.sleep(60);
    assertEquals(0, server.gateway.idleMillis());
    long beforeClose = System.nanoTime();
    client.close();
    assertTrue(TestGateway.eventually(() -> server.gateway.connectionCount() == 0));
    // The silence while the client was connected does not count.
    long idle = server.gateway.idleMillis();
    assertTrue(idle <= TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - beforeClose));
    assertTrue(TestGateway.eventually(() -> server.gateway.idleMillis() > 50));
  }

  @Test
  void stopAnswersFirst() throws Exception {
    assertEquals(List.of(), client.call("stop").list());
    assertTrue(server.stopAsked.await(2, TimeUnit.SECONDS));
  }

  @ParameterizedTest
  @EnumSource(
      value = Code.class,
      names = {"BUSY", "NOT_HOME", "UNAVAILABLE", "STORAGE_FULL", "TOO_LARGE"})
  void errorsOfTheHomeKeepTheirCode(Code code) throws IOException {
    server.home.failure = new TasksException(code, "Why, and what to do.");
    Answer answer = client.call("purge", "q");
    assertEquals(List.of(code.name(), "Why, and what to do.", code.retryable()), answer.list());
  }

  @Test
  void anUnexpectedFailureTellsItsClassOnly() throws IOException {
    for (Throwable failure :
        List.of(new IllegalStateException("secret"), new StackOverflowError())) {
      server.home.failure = failure;
      Answer answer = client.call("purge", "q");
      assertEquals("INTERNAL", answer.errorCode());
      assertTrue(answer.errorMessage().contains(failure.getClass().getName()));
      assertFalse(answer.errorMessage().contains("secret"));
    }
    server.home.failure = null;
    assertEquals(CallFrame.OK, client.call("ping").status());
  }

  @Test
  void anUnknownSessionIsTold() throws IOException {
    assertEquals("UNKNOWN_SESSION", client.call("poll", 77, 0, 0, 1).errorCode());
    assertEquals("UNKNOWN_SESSION", client.call("watch", 77, List.of("a")).errorCode());
    Answer answer = client.call("submit", 77, 0, TestGateway.groups(TestGateway.item("a")));
    assertEquals("UNKNOWN_SESSION", answer.errorCode());
    assertTrue(server.home.calls.isEmpty());
  }

  @Test
  void sessionsAreCountedAndExpire() throws Exception {
    for (int i = 0; i < 4; i++) {
      TestGateway.hello(client);
    }
    assertEquals("BUSY", client.call("hello", "client", 1, "0.1.0", "h").errorCode());
    try (TestGateway shortLived = new TestGateway(TestGateway.limits(300));
        RawClient other = shortLived.login()) {
      long idle = TestGateway.hello(other);
      long used = TestGateway.hello(other);
      // A poll that waits longer than sessions may be idle keeps its session.
      other.call("poll", used, 0, 700, 1);
      assertEquals("UNKNOWN_SESSION", other.call("poll", idle, 0, 0, 1).errorCode());
      assertEquals(CallFrame.OK, other.call("poll", used, 0, 0, 1).status());
      assertEquals(idle, shortLived.home.closed.get(0).session());
      assertTrue(TestGateway.eventually(() -> shortLived.gateway.sessionCount() == 0));
    }
  }

  @Test
  void endsOfTasksThatNobodySentAreBroughtAndNothingElse() throws IOException {
    List<Object> template =
        Arrays.asList("t", "q", 0, 0, 0, 0, 3, 0, 0, 60_000, null, null, null, null, null, 0);
    List<Object> end = Arrays.asList("told", 3, new byte[] {'m', 1}, null, template);
    assertEquals(List.of(), client.call("end", Map.of("end", List.of(end))).list());
    assertEquals(List.of("bring [told SUCCESS]"), server.home.calls);
    Object submit = Map.of("submit", TestGateway.groups(TestGateway.item("a")));
    assertEquals("BAD_REQUEST", client.call("end", submit).errorCode());
    assertEquals("BAD_REQUEST", client.call("end", (Object) null).errorCode());
    List<Object> running = Arrays.asList("told", 1, new byte[] {'m', 1}, null, template);
    assertEquals("BAD_REQUEST", client.call("end", Map.of("end", List.of(running))).errorCode());
    assertEquals(1, server.home.calls.size());
  }
}
