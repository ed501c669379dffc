package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ignitetasks.model.TasksException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How many connections there may be, what they leave behind, and start and stop. */
class ConnectionsTest {
  private TestGateway server;

  @BeforeEach
  void start() {
    server = new TestGateway();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void connectionsOverTheLimitAreClosedAtOnce() throws Exception {
    List<RawClient> clients = new ArrayList<>();
    try {
      for (int i = 0; i < 40; i++) {
        clients.add(server.login());
      }
      try (RawClient excess = server.connect()) {
        assertNull(excess.line());
      }
      assertEquals(40, server.gateway.connectionCount());
      clients.remove(0).close();
      assertTrue(TestGateway.eventually(() -> server.gateway.connectionCount() == 39));
      assertAlive();
    } finally {
      for (RawClient client : clients) {
        client.close();
      }
    }
  }

  @Test
  void strangersThatHoldConnectionsDoNotKeepOutWhoHasTheToken() throws Exception {
    List<RawClient> strangers = new ArrayList<>();
    try {
      for (int i = 0; i < 30; i++) {
        strangers.add(server.connect());
      }
      assertAlive();
      assertTrue(server.gateway.unauthenticatedCount() <= 8);
    } finally {
      for (RawClient stranger : strangers) {
        stranger.close();
      }
    }
  }

  @Test
  void aThousandConnectionsLeakNothing() throws Exception {
    for (int i = 0; i < 1_000; i++) {
      RawClient client = i % 3 == 0 ? server.connect() : server.login();
      if (i % 3 == 1) {
        client.sendCall("ping", CallFrame.encode(CallFrame.OK, RawClient.pack(List.of())));
      }
      client.close();
    }
    assertTrue(TestGateway.eventually(() -> server.gateway.connectionCount() == 0));
    assertEquals(0, server.gateway.unauthenticatedCount());
    assertTrue(TestGateway.eventually(() -> threads("gateway-connection-") == 0));
    assertAlive();
  }

  @Test
  void onlyLoopbackAndARealTokenAreTaken() {
    FakeHome home = new FakeHome();
    Gateway gateway =
        new Gateway(home, new FakeShared().apis(), () -> server.node, Map::of, () -> {});
    assertThrows(TasksException.class, () -> gateway.start("0.0.0.0", 0, TestGateway.TOKEN));
    assertThrows(TasksException.class, () -> gateway.start("127.0.0.1", 0, "short"));
    TasksException taken =
        assertThrows(
            TasksException.class, () -> gateway.start("127.0.0.1", server.port, TestGateway.TOKEN));
    assertEquals(TasksException.Code.PORT_TAKEN, taken.code());
    assertTrue(gateway.start("127.0.0.1", 0, TestGateway.TOKEN) > 0);
    gateway.stop();
  }

  @Test
  void stopClosesEverything() throws Exception {
    try (RawClient idle = server.login();
        RawClient polling = server.login()) {
      long session = TestGateway.hello(polling);
      polling.sendCall(
          "poll", CallFrame.encode(CallFrame.OK, RawClient.pack(List.of(session, 0, 2_000, 10))));
      Thread.sleep(50);
      long start = System.nanoTime();
      server.gateway.stop();
      assertTrue(System.nanoTime() - start < 1_800_000_000L);
      assertEquals(List.of(0L, false, List.of()), polling.answer().list());
      assertNull(idle.line());
    }
    // The kernel goes on listening until the thread in accept has been woken.
    assertTrue(TestGateway.eventually(this::refusesToConnect));
    assertTrue(TestGateway.eventually(() -> threads("gateway-") == 0));
  }

  private void assertAlive() throws IOException {
    try (RawClient client = server.login()) {
      RawClient.Answer answer = client.call("ping");
      assertEquals(CallFrame.OK, answer.status());
      assertFalse(answer.value() == null);
    }
  }

  private boolean refusesToConnect() {
    try {
      server.connect().close();
      return false;
    } catch (IOException e) {
      return true;
    }
  }

  private static long threads(String prefix) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.isAlive() && thread.getName().startsWith(prefix))
        .count();
  }
}
