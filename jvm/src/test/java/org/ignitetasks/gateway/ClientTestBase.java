package org.ignitetasks.gateway;

import java.io.IOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A gateway and one client of it that has said hello. */
abstract class ClientTestBase {
  TestGateway server;
  RawClient client;
  long session;

  @BeforeEach
  void start() throws IOException {
    server = new TestGateway();
    client = server.login();
    session = TestGateway.hello(client);
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    server.close();
  }
}
