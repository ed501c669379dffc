package org.ignitetasks.gateway;

import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;

/** A gateway over a {@link FakeHome} with limits small enough for quick tests. */
final class TestGateway implements Closeable {
  static final String TOKEN = "0123456789abcdef".repeat(4);
  static final int LINE_BEFORE_AUTH = 4 << 10;
  static final int LINE_AFTER_AUTH = 2 << 20;

  final FakeHome home = new FakeHome();
  final FakeShared shared = new FakeShared();
  final UUID node = UUID.randomUUID();
  final CountDownLatch stopAsked = new CountDownLatch(1);
  final Gateway gateway;
  final int port;

  TestGateway() {
    this(limits(60_000));
  }

  TestGateway(GatewayLimits limits) {
    Map<String, Object> info = new HashMap<>();
    info.put("name", "n1");
    info.put("role", "embedded");
    info.put("version", "0.1.0");
    info.put("heap_max", 512L);
    gateway =
        new Gateway(home, shared.apis(), () -> node, () -> info, stopAsked::countDown, limits);
    port = gateway.start("127.0.0.1", 0, TOKEN);
  }

  static GatewayLimits limits(long sessionIdleMillis) {
    return limits(sessionIdleMillis, 30_000);
  }

  static GatewayLimits limits(long sessionIdleMillis, long authMillis) {
    return new GatewayLimits(
        40,
        8,
        authMillis,
        LINE_BEFORE_AUTH,
        LINE_AFTER_AUTH,
        5,
        sessionIdleMillis,
        100,
        64 << 10,
        1 << 20,
        2_000,
        500);
  }

  RawClient connect() throws IOException {
    return new RawClient(port);
  }

  RawClient login() throws IOException {
    return connect().login(TOKEN);
  }

  static long hello(RawClient client) throws IOException {
    return (Long) client.call("hello", "client", 42, "0.1.0", "host").map().get("session");
  }

  static List<Object> template() {
    return new ArrayList<>(
        Arrays.asList(
            "shop.add",
            "q",
            4,
            0,
            0,
            0,
            3,
            0,
            0,
            86_400_000L,
            null,
            "root",
            null,
            "group",
            "join",
            0));
  }

  static List<Object> item(String id) {
    return Arrays.asList(id, new byte[] {'m', 1}, null);
  }

  static List<Object> groups(Object... items) {
    return List.of(List.of(template(), List.of(items)));
  }

  /** Waits until something is true, for five seconds at the most; says whether it is. */
  static boolean eventually(BooleanSupplier condition) throws InterruptedException {
    for (int i = 0; i < 500 && !condition.getAsBoolean(); i++) {
      Thread.sleep(10);
    }
    return condition.getAsBoolean();
  }

  @Override
  public void close() {
    gateway.stop();
  }
}
