package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import py4j.GatewayConnection;

/** What strangers, and clients gone wrong, may send without getting anywhere. */
class HardeningTest {
  private TestGateway server;

  @BeforeEach
  void start() {
    server = new TestGateway();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  static Stream<String> verbs() {
    return Stream.of(
        "a\ng\ni3\ne\n",
        "a\nc\no0\ni1\ni2\ne\n",
        "c\nz:java.lang.Runtime\ngetRuntime\ne\n",
        "c\nz:java.lang.System\nexit\ni0\ne\n",
        "c\nt\ngetClass\ne\n",
        "c\nt\ngetClass\nsx\ne\n",
        "c\nt\nsubmit\nrt\ne\n",
        "c\nt\nsubmit\nfp0;java.lang.Runnable\ne\n",
        "c\nt\nsubmit\ni1\ne\n",
        "c\nt\nping\njAAAA\njAAAA\ne\n",
        "c\no0\nping\njAAAA\ne\n",
        "c\nGATEWAY_SERVER\nshutdown\ne\n",
        "c\nj\nping\njAAAA\ne\n",
        "d\nf\nt\ne\n",
        "d\ns\njava.lang.Runtime\ne\n",
        "f\ng\nt\nhome\ne\n",
        "f\ns\nt\nhome\ni1\ne\n",
        "h\no\nt\nn\nT\ne\n",
        "i\njava.lang.ProcessBuilder\nsid\ne\n",
        "j\nc\nname\ne\n",
        "j\ni\nrj\njava.lang.Runtime\ne\n",
        "l\na\no0\ne\n",
        "m\nd\nt\ne\n",
        "m\nd\nGATEWAY_SERVER\ne\n",
        "p\no0\ne\n",
        "r\nu\njava.lang.Runtime\nrj\ne\n",
        "r\nm\njava.lang.Runtime\ngetRuntime\ne\n",
        "s\ne\n",
        "s\n",
        "S\nt\nping\ne\n",
        "z\n127.0.0.1\n1\n1\ne\n",
        "q\n",
        "\n",
        "C\nt\nping\njAAAA\ne\n",
        "cc\n");
  }

  @ParameterizedTest
  @MethodSource("verbs")
  void aVerbOfPy4jIsRefusedBeforeTheToken(String command) throws Exception {
    try (RawClient client = server.connect()) {
      assertRefused(client, command);
    }
    assertAlive();
  }

  @ParameterizedTest
  @MethodSource("verbs")
  void aVerbOfPy4jIsRefusedAfterTheToken(String command) throws Exception {
    try (RawClient client = server.login()) {
      assertRefused(client, command);
    }
    assertAlive();
    assertTrue(server.home.calls.isEmpty());
  }

  @Test
  void noBaseCommandIsLeftInTheWholeJvm() {
    assertTrue(GatewayConnection.getBaseCommands().isEmpty());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "x",
        "0123456789abcdef",
        "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r",
        "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"
      })
  void aWrongTokenIsRefused(String token) throws Exception {
    try (RawClient client = server.connect()) {
      assertRefused(client, "A\n" + token + "\n");
    }
    assertEquals(1, server.gateway.metrics().value("gateway_auth_failures_total"));
  }

  @Test
  void aSecondWrongTokenEndsTheConnection() throws Exception {
    try (RawClient client = server.login()) {
      client.login(TestGateway.TOKEN);
      assertRefused(client, "A\nwrong\n");
    }
  }

  @Test
  void aCallBeforeTheTokenIsRefusedAndNotMade() throws Exception {
    try (RawClient client = server.connect()) {
      client.sendCall("purge", CallFrame.encode(CallFrame.OK, RawClient.pack(List.of("q"))));
      assertEquals("!x", client.line());
      assertNull(client.line());
    }
    assertTrue(server.home.calls.isEmpty());
  }

  @Test
  void aLineWithoutEndIsCutOffBeforeTheToken() throws Exception {
    try (RawClient client = server.connect()) {
      assertRefusedOrReset(client, "A".repeat(TestGateway.LINE_BEFORE_AUTH + 1));
    }
    assertAlive();
  }

  @Test
  void aLongTokenLineIsCutOff() throws Exception {
    try (RawClient client = server.connect()) {
      assertRefusedOrReset(client, "A\n" + "0".repeat(TestGateway.LINE_BEFORE_AUTH + 1) + "\n");
    }
    assertAlive();
  }

  @Test
  void aLineWithoutEndIsCutOffAfterTheToken() throws Exception {
    try (RawClient client = server.login()) {
      assertRefusedOrReset(client, "c\nt\nping\nj" + "A".repeat(TestGateway.LINE_AFTER_AUTH + 64));
    }
    assertAlive();
  }

  @Test
  void aLineOfExactlyTheLimitIsRead() throws Exception {
    try (RawClient client = server.login()) {
      String op = "p".repeat(TestGateway.LINE_AFTER_AUTH);
      client.sendCall(op, CallFrame.encode(CallFrame.OK, RawClient.pack(List.of())));
      assertEquals("BAD_REQUEST", client.answer().errorCode());
    }
  }

  @Test
  void callsSentTogetherAreAnsweredInOrderWhateverTheirSize() throws Exception {
    try (RawClient client = server.login()) {
      byte[] ping = CallFrame.encode(CallFrame.OK, RawClient.pack(List.of()));
      Random random = new Random(5);
      Thread sender =
          new Thread(
              () -> {
                try {
                  for (int i = 0; i < 60; i++) {
                    client.sendCall("ping", ping);
                    client.sendCall("x".repeat(random.nextInt(200_000)), ping);
                  }
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      sender.start();
      for (int i = 0; i < 60; i++) {
        assertEquals(CallFrame.OK, client.answer().status());
        assertEquals("BAD_REQUEST", client.answer().errorCode());
      }
      sender.join();
    }
  }

  @Test
  void aClientThatIsSlowWithItsTokenIsClosed() throws Exception {
    server.close();
    server = new TestGateway(TestGateway.limits(60_000, 400));
    try (RawClient client = server.connect()) {
      assertNull(client.line());
    }
    try (RawClient client = server.connect()) {
      // One byte now and then must not start the time anew.
      long start = System.nanoTime();
      while (dripped(client) && System.nanoTime() - start < 4_000_000_000L) {
        Thread.sleep(100);
      }
      assertTrue(System.nanoTime() - start < 3_500_000_000L);
    }
    assertTrue(TestGateway.eventually(() -> server.gateway.unauthenticatedCount() == 0));
  }

  @Test
  void afterTheTokenAClientMayBeSilent() throws Exception {
    server.close();
    server = new TestGateway(TestGateway.limits(60_000, 1_000));
    try (RawClient client = server.login()) {
      Thread.sleep(1_300);
      assertEquals(CallFrame.OK, client.call("ping").status());
    }
  }

  @Test
  void garbageIsRefused() throws Exception {
    Random random = new Random(7);
    for (int i = 0; i < 50; i++) {
      byte[] garbage = new byte[random.nextInt(2_000) + 1];
      random.nextBytes(garbage);
      garbage[garbage.length - 1] = '\n';
      try (RawClient client = i % 2 == 0 ? server.connect() : server.login()) {
        assertRefusedOrReset(client, garbage);
      }
    }
    assertAlive();
    assertTrue(server.home.calls.isEmpty());
  }

  @ParameterizedTest
  @ValueSource(strings = {"j***", "jA", "jAAAA=AAA", "AAAA", "", "jAAAA AAAA", "j\u00e4\u00e4"})
  void anArgumentThatIsNotBase64IsRefused(String argument) throws Exception {
    try (RawClient client = server.login()) {
      assertRefused(client, "c\nt\nping\n" + argument + "\ne\n");
    }
  }

  @Test
  void aCallThatIsCutOffIsNotMade() throws Exception {
    byte[] frame = CallFrame.encode(CallFrame.OK, RawClient.pack(List.of("q")));
    String whole = "c\nt\npurge\nj" + Base64.getEncoder().encodeToString(frame) + "\ne\n";
    for (int length = 0; length < whole.length(); length++) {
      try (RawClient client = server.login()) {
        client.send(whole.substring(0, length));
        client.socket.shutdownOutput();
        String answer = client.line();
        assertTrue(answer == null || answer.equals("!x"), "after " + length + ": " + answer);
      }
    }
    assertTrue(server.home.calls.isEmpty());
  }

  private void assertRefused(RawClient client, String command) throws IOException {
    client.send(command);
    assertEquals("!x", client.line());
    assertNull(client.line());
  }

  /** Where bytes are left unread the close may overtake the answer; nothing else may come. */
  private void assertRefusedOrReset(RawClient client, Object bytes) throws IOException {
    try {
      if (bytes instanceof String text) {
        client.send(text);
      } else {
        client.send((byte[]) bytes);
      }
    } catch (SocketException e) {
      return;
    }
    String answer = client.line();
    assertTrue(answer == null || answer.equals("!x"), answer);
    assertNull(client.line());
  }

  private static boolean dripped(RawClient client) throws IOException {
    try {
      client.send("A");
      client.socket.setSoTimeout(1);
      return client.line() != null;
    } catch (SocketTimeoutException e) {
      return true;
    } catch (SocketException e) {
      return false;
    }
  }

  private void assertAlive() throws IOException {
    try (RawClient client = server.login()) {
      RawClient.Answer answer = client.call("ping");
      assertEquals(CallFrame.OK, answer.status());
      assertFalse(answer.value() == null);
    }
  }
}
