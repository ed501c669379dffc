package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The operations on what belongs to the cluster, as a client sees them. */
class SharedOperationsTest {
  private TestGateway server;
  private RawClient client;

  @BeforeEach
  void start() throws IOException {
    server = new TestGateway();
    client = server.login();
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    server.close();
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private Object put(String key, byte[] value, long expected) throws IOException {
    return client.call("kv_put", "b", key, value, expected, 0, null).value();
  }

  @Test
  void settingsAreStoredListedAndDeleted() throws IOException {
    assertNull(client.call("kv_get", "b", "k").value());
    assertEquals(List.of(true, 1L), put("k", bytes("v"), 0));
    assertEquals(List.of(false, 1L), put("k", bytes("w"), 0));
    List<?> found = client.call("kv_get", "b", "k").list();
    assertEquals(1L, found.get(0));
    assertEquals("v", new String((byte[]) found.get(1), StandardCharsets.UTF_8));
    assertEquals(List.of(true, 1L), put("k2", bytes("w"), -1));
    List<?> page = client.call("kv_list", "b", "k", "k", 10).list();
    assertEquals(1, page.size());
    assertEquals("k2", ((List<?>) page.get(0)).get(0));
    assertEquals(List.of(true, 0L), put("k", null, 1));
    assertNull(client.call("kv_get", "b", "k").value());
  }

  @Test
  void theTokenAndTheTimeReachTheStore() throws IOException {
    client.call("kv_put", "b", "k", bytes("v"), -1, 5_000, new byte[8]).value();
    assertEquals("b k -1 5000 true", server.shared.lastPut);
  }

  @Test
  void whatNoSettingCanBeIsRefused() throws IOException {
    assertEquals("BAD_REQUEST", client.call("kv_get", "a/b", "k").errorCode());
    assertEquals("BAD_REQUEST", client.call("kv_get", "b", "").errorCode());
    assertEquals(
        "BAD_REQUEST", client.call("kv_put", "b", "k", bytes("v"), -2, 0, null).errorCode());
    assertEquals("BAD_REQUEST", client.call("kv_put", "b", "k", "text", 0, 0, null).errorCode());
    byte[] large = new byte[(1 << 20) + 1];
    assertEquals("TOO_LARGE", client.call("kv_put", "b", "k", large, 0, 0, null).errorCode());
    assertEquals("BAD_REQUEST", client.call("kv_list", "b", "", null, 0).errorCode());
  }

  @Test
  void controlPassesTheQuestionOnAndReturnsTheAnswers() throws IOException {
    List<?> replies = client.call("control", "ping", bytes("?"), null, 1_000, 10).list();
    assertEquals("ping null 1000 10", server.shared.lastQuestion);
    assertEquals("w1", ((List<?>) replies.get(0)).get(0));
    assertEquals(2, replies.size());
    client.call("control", "ping", bytes("?"), List.of("w1"), 0, 1);
    assertEquals("ping [w1] 0 1", server.shared.lastQuestion);
    client.call("control", "ping", bytes("?"), null, 3_600_000, 0);
    assertEquals("ping null 60000 10000", server.shared.lastQuestion);
    assertEquals("BAD_REQUEST", client.call("control", "", bytes("?"), null, 0, 1).errorCode());
    byte[] large = new byte[(1 << 20) + 1];
    assertEquals("TOO_LARGE", client.call("control", "ping", large, null, 0, 1).errorCode());
  }

  @Test
  void eventsAreAppendedAndReadFromACursor() throws IOException {
    List<byte[]> three = List.of(bytes("a"), bytes("b"), bytes("c"));
    assertEquals(3L, client.call("events_append", three, true).value());
    assertTrue(server.shared.lastRepeated);
    List<?> page = client.call("events_read", 1, 1, 3_600_000).list();
    assertEquals("1 1 30000", server.shared.lastRead);
    assertEquals(2L, page.get(0));
    List<?> event = (List<?>) ((List<?>) page.get(1)).get(0);
    assertEquals(2L, event.get(0));
    assertEquals("b", new String((byte[]) event.get(1), StandardCharsets.UTF_8));
    assertEquals(2L, page.get(2));
    byte[] large = new byte[(32 << 10) + 1];
    assertEquals("TOO_LARGE", client.call("events_append", List.of(large), false).errorCode());
    assertEquals("BAD_REQUEST", client.call("events_append", List.of("text"), false).errorCode());
    assertEquals("BAD_REQUEST", client.call("events_append", three).errorCode());
    assertEquals("BAD_REQUEST", client.call("events_read", -2, 1, 0).errorCode());
    assertEquals(3, server.shared.events.size());
  }
}
