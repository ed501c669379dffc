package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.ignitetasks.gateway.RawClient.Answer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that are not as the protocol wants them: named, refused, and nothing done. */
class StrictnessTest extends ClientTestBase {
  @AfterEach
  void nothingWasDone() throws IOException {
    assertTrue(server.home.calls.isEmpty());
    assertEquals(0, client.call("ping").list().size());
  }

  static Stream<Arguments> badTemplates() {
    String tooLong = "x".repeat(256);
    return Stream.of(
        Arguments.of(0, "", "task"),
        Arguments.of(0, 5, "task"),
        Arguments.of(1, tooLong, "queue"),
        Arguments.of(1, null, "queue"),
        Arguments.of(2, -1, "priority"),
        Arguments.of(2, 256, "priority"),
        Arguments.of(2, 1.5, "priority"),
        Arguments.of(2, true, "priority"),
        Arguments.of(3, -5, "eta_ms"),
        Arguments.of(3, Long.MAX_VALUE, "eta_ms"),
        Arguments.of(4, "soon", "expires_ms"),
        Arguments.of(5, 64, "flags"),
        Arguments.of(5, 1 | 128, "flags"),
        Arguments.of(5, 256, "flags"),
        Arguments.of(5, 1024, "flags"),
        Arguments.of(5, -1, "flags"),
        Arguments.of(6, 0, "max_deliveries"),
        Arguments.of(7, 1L << 31, "soft_ms"),
        Arguments.of(8, -1, "hard_ms"),
        Arguments.of(9, -1, "result_ttl_ms"),
        Arguments.of(10, "text", "options"),
        Arguments.of(11, tooLong, "root_id"),
        Arguments.of(12, 1, "parent_id"),
        Arguments.of(13, "", "group_id"),
        Arguments.of(14, "", "join_id"),
        Arguments.of(15, -2, "join_size"));
  }

  @ParameterizedTest
  @MethodSource("badTemplates")
  void aTemplateIsCheckedFieldByField(int index, Object value, String field) throws IOException {
    List<Object> template = TestGateway.template();
    template.set(index, value);
    assertNamed(submit(template, TestGateway.item("a")), field);
  }

  @Test
  void itemsAreCheckedFieldByField() throws IOException {
    List<Object> good = TestGateway.template();
    byte[] body = {'m'};
    assertNamed(submit(good, Arrays.asList("", body, null)), "id");
    assertNamed(submit(good, Arrays.asList("x".repeat(256), body, null)), "id");
    assertNamed(submit(good, Arrays.asList(null, body, null)), "id");
    assertNamed(submit(good, Arrays.asList("a", "text", null)), "body");
    assertNamed(submit(good, Arrays.asList("a", null, null)), "body");
    assertNamed(submit(good, Arrays.asList("a", body, new byte[15])), "fingerprint");
    assertNamed(submit(good, Arrays.asList("a", body)), "item");
    assertNamed(submit(good, TestGateway.item("a"), TestGateway.item("a")), "id");
    assertNamed(submit(good), "groups");
    assertNamed(submit(good.subList(0, 15), TestGateway.item("a")), "template");
    assertNamed(client.call("submit", session, 0, List.of()), "groups");
    assertNamed(client.call("submit", session, -1, TestGateway.groups()), "attempt");
    assertNamed(client.call("submit", 0, 0, TestGateway.groups()), "session");
    assertNamed(client.call("submit", session, 0), "request");
    Answer tooLarge = submit(good, Arrays.asList("a", new byte[65_537], null));
    assertEquals("TOO_LARGE", tooLarge.errorCode());
    assertTrue(tooLarge.errorMessage().contains("'body'"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"80", "ff", "c080", "eda080", "e28", "f8888080"})
  void idsMustBeUnicode(String hex) throws IOException {
    byte[] utf8 = HexFormat.of().parseHex(hex.length() % 2 == 0 ? hex : hex + "0");
    ByteArrayOutputStream payload = new ByteArrayOutputStream();
    payload.write(0x91);
    payload.write(0x91);
    payload.write(0xa0 | utf8.length);
    payload.write(utf8);
    assertNamed(client.callPayload("forget", payload.toByteArray()), "ids");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "91",
        "91ddffffffff",
        "91dd7fffffff",
        "91dd10000000",
        "91dcffff",
        "91dbffffffff",
        "ddffffffff",
        "dd7fffffff",
        "91dfffffffff",
        "9191dbffffffff61",
        "9191db7fffffff61",
        "9191c6ffffffff61",
        "9191d9ff61",
        "91c1",
        "c1",
        "9190c0",
        "91919191",
        "9191cfffffffffffffffff"
      })
  void claimsThatTheRequestDoesNotHoldAreRefused(String hex) throws IOException {
    Answer answer = client.callPayload("forget", HexFormat.of().parseHex(hex));
    assertEquals("BAD_REQUEST", answer.errorCode());
  }

  @Test
  void aSubmitWithAHugeClaimAllocatesNothing() throws IOException {
    // [session, 0, array of 2^31-1 groups], and the same for items and for a body.
    byte[] good = RawClient.pack(Arrays.asList(session, 0, TestGateway.groups()));
    good[good.length - 1] = (byte) 0xdd;
    ByteArrayOutputStream payload = new ByteArrayOutputStream();
    payload.write(good);
    payload.write(HexFormat.of().parseHex("7fffffff"));
    assertNamed(client.callPayload("submit", payload.toByteArray()), "items");
    byte[] body = HexFormat.of().parseHex("93a161c67fffffff00");
    payload.reset();
    payload.write(good, 0, good.length - 1);
    payload.write(0x91);
    payload.write(body);
    assertNamed(client.callPayload("submit", payload.toByteArray()), "body");
  }

  @Test
  void everyOperationRefusesOtherShapes() throws IOException {
    Map<String, Object[]> wrong = new HashMap<>();
    wrong.put("hello", new Object[] {"client", -1, "0.1.0", "h"});
    wrong.put("poll", new Object[] {session, -1, 0, 10});
    wrong.put("watch", new Object[] {session, "a"});
    wrong.put("info", new Object[] {List.of(1)});
    wrong.put("forget", new Object[] {List.of("")});
    wrong.put("revoke", new Object[] {List.of("a"), 1, "SIGTERM"});
    wrong.put("purge", new Object[] {7});
    wrong.put("dead_list", new Object[] {0});
    wrong.put("dead_retry", new Object[] {"all"});
    wrong.put("dead_drop", new Object[] {});
    wrong.put("scan", new Object[] {null, 1_000_000});
    wrong.put("listening", new Object[] {null});
    wrong.put("status", new Object[] {1});
    wrong.put("metrics", new Object[] {1});
    wrong.put("stop", new Object[] {1});
    wrong.put("ping", new Object[] {null});
    for (Map.Entry<String, Object[]> call : wrong.entrySet()) {
      Answer answer = client.call(call.getKey(), call.getValue());
      assertEquals("BAD_REQUEST", answer.errorCode(), call.getKey());
    }
    assertNamed(client.call("poll", session, 0, -1, 10), "timeout_ms");
    assertNamed(client.call("poll", session, 0, 0, 0), "max_items");
    assertEquals("BAD_REQUEST", client.call("poll", session, 5, 0, 1).errorCode());
    assertEquals(1, server.stopAsked.getCount());
  }

  @Test
  void operationsThatDoNotExistAreRefused() throws IOException {
    for (String op : List.of("", "Submit", "submit ", "getClass", "toString", "notify", "wait")) {
      assertEquals("BAD_REQUEST", client.call(op, "x").errorCode());
    }
  }

  @Test
  void bytesAfterTheRequestAreRefused() throws IOException {
    byte[] request = RawClient.pack(List.of("q"));
    assertNamed(client.callPayload("purge", Arrays.copyOf(request, request.length + 1)), "request");
  }

  @Test
  void damagedFramesAreAnsweredWithAnError() throws IOException {
    byte[] frame = CallFrame.encode(CallFrame.OK, RawClient.pack(List.of("q")));
    for (int i = 0; i < frame.length; i++) {
      byte[] damaged = frame.clone();
      damaged[i] ^= 0x10;
      String code = client.callFrame("purge", damaged).errorCode();
      assertEquals(i == 2 ? "UNSUPPORTED_VERSION" : "BAD_REQUEST", code);
    }
    assertEquals("BAD_REQUEST", client.callFrame("purge", new byte[0]).errorCode());
  }

  @Test
  void randomRequestsNeverEndTheConnection() throws IOException {
    byte[] good = RawClient.pack(Arrays.asList(session, 0, TestGateway.groups()));
    Random random = new Random(3);
    for (int i = 0; i < 2_000; i++) {
      byte[] payload = Arrays.copyOf(good, random.nextInt(good.length) + 1);
      for (int flips = random.nextInt(4); flips >= 0; flips--) {
        payload[random.nextInt(payload.length)] = (byte) random.nextInt(256);
      }
      String code = client.callPayload("submit", payload).errorCode();
      assertTrue(List.of("BAD_REQUEST", "TOO_LARGE", "UNKNOWN_SESSION").contains(code), code);
    }
  }

  private Answer submit(List<Object> template, Object... items) throws IOException {
    List<Object> group = new ArrayList<>(List.of(template, Arrays.asList(items)));
    return client.call("submit", session, 0, List.of(group));
  }

  private static void assertNamed(Answer answer, String field) {
    assertEquals("BAD_REQUEST", answer.errorCode());
    assertTrue(answer.errorMessage().contains("'" + field + "'"), answer.errorMessage());
  }
}
