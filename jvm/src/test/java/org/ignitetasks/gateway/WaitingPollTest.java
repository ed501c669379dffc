package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.ignitetasks.gateway.RawClient.Answer;
import org.ignitetasks.protocol.Completion;
import org.junit.jupiter.api.Test;

/** Polls that wait, over real sockets: nobody waits with them, so everything may come between. */
class WaitingPollTest extends ClientTestBase {
  private void sendPoll(long ack, long millis) throws IOException {
    client.sendCall("poll", frame(session, ack, millis, 9));
  }

  private static byte[] frame(Object... fields) throws IOException {
    return CallFrame.encode(CallFrame.OK, RawClient.pack(new ArrayList<>(List.of(fields))));
  }

  private void end(String id, int bytes) {
    server.gateway.completed(session, List.of(new Completion(id, 3, new byte[bytes], false)));
  }

  private static List<String> ids(Answer answer) {
    List<String> ids = new ArrayList<>();
    for (Object one : (List<?>) answer.list().get(2)) {
      ids.add((String) ((List<?>) one).get(0));
    }
    return ids;
  }

  private void awaitWaiting() throws InterruptedException {
    // A call that is inside keeps the gateway from being idle, and all but a poll are short.
    assertTrue(TestGateway.eventually(() -> server.gateway.quietMillis() >= 20));
  }

  @Test
  void anEndIsToldWhenItComes() throws Exception {
    for (int bytes : new int[] {1, 9_000, 60_000}) {
      sendPoll(0, 2_000);
      awaitWaiting();
      end("a" + bytes, bytes);
      Answer answer = client.answer();
      assertEquals(List.of("a" + bytes), ids(answer));
      client.call("poll", session, answer.list().get(0), 0, 9);
    }
  }

  @Test
  void aSubmitAndAPollMayBeSentTogether() throws Exception {
    byte[] submit = frame(session, 0, TestGateway.groups(TestGateway.item("a")));
    client.sendCall("submit", submit);
    sendPoll(0, 2_000);
    assertEquals(CallFrame.OK, client.answer().status());
    awaitWaiting();
    end("a", 1);
    assertEquals(List.of("a"), ids(client.answer()));
  }

  @Test
  void aCallBehindAPollEndsItAndAnswersKeepTheirOrder() throws Exception {
    for (int round = 0; round < 50; round++) {
      sendPoll(round, 2_000);
      client.sendCall("ping", frame());
      if (round % 2 == 0) {
        end("a" + round, 1);
      }
      Answer first = client.answer();
      assertEquals(3, first.list().size());
      assertEquals(List.of(), client.answer().list());
      // What the poll was too early for is told to the next one.
      Answer rest = client.call("poll", session, round, round % 2 == 0 ? 2_000 : 0, 9);
      assertEquals(round % 2 == 0 ? List.of("a" + round) : List.of(), ids(rest));
      if (round % 2 == 1) {
        end("b" + round, 1);
      }
    }
  }

  @Test
  void aPollOnAnotherConnectionEndsTheOlder() throws Exception {
    sendPoll(0, 2_000);
    awaitWaiting();
    try (RawClient other = server.login()) {
      other.sendCall("poll", frame(session, 0, 2_000, 9));
      assertEquals(List.of(), ids(client.answer()));
      end("a", 1);
      assertEquals(List.of("a"), ids(other.answer()));
    }
  }

  @Test
  void aClientThatGoesAwayWhileItWaitsLeavesNothingBehind() throws Exception {
    sendPoll(0, 2_000);
    awaitWaiting();
    client.close();
    assertTrue(TestGateway.eventually(() -> server.gateway.connectionCount() == 0));
    assertTrue(TestGateway.eventually(() -> server.gateway.idleMillis() > 0));
    end("a", 1);
    try (RawClient other = server.login()) {
      assertEquals(List.of("a"), ids(other.call("poll", session, 0, 0, 9)));
    }
  }

  @Test
  void aStopAnswersAPollThatWaits() throws Exception {
    sendPoll(0, 2_000);
    awaitWaiting();
    server.gateway.stop();
    assertEquals(List.of(), ids(client.answer()));
    assertNull(client.line());
  }

  @Test
  void anAnswerThatWaitsIsCountedOnce() throws Exception {
    sendPoll(0, 30);
    assertEquals(List.of(), ids(client.answer()));
    Object calls = server.gateway.metrics().counters().get("ignitetasks_gateway_calls_total");
    assertTrue(calls.toString().contains("poll\"=1"), calls.toString());
  }
}
