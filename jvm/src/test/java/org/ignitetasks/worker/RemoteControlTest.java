package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Question;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.msgpack.value.Value;

/** Questions to supervisors over the lane, and queues that change. */
class RemoteControlTest extends LaneTestBase {
  private record Heard(long number, long epoch, byte[] body) {}

  private final BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();
  private Peer supervisor;
  private long epoch;

  @BeforeEach
  void join() throws IOException {
    supervisor = peer(Peer.supervisor(socket));
    epoch = supervisor.welcomeEpoch();
    home.await("greeted", () -> !ask(0, null).isEmpty());
    supervisor.expect(FrameKind.CONTROL);
  }

  private List<Question.Asked> ask(long number, List<String> destinations) {
    Question question = new Question(number, "ping", new byte[] {7}, destinations, 5_000);
    return node.control(question, (n, e, body) -> heard.add(new Heard(n, e, body)));
  }

  private Heard next() throws InterruptedException {
    return heard.poll(5, TimeUnit.SECONDS);
  }

  private void answer(long number, byte... body) throws IOException {
    supervisor.send(
        FrameKind.CONTROL_REPLY,
        LaneMessages.pack(
            p -> {
              p.packArrayHeader(2).packLong(number);
              p.packBinaryHeader(body.length).writePayload(body);
            }));
  }

  @Test
  void anAnswerFindsWhoAsked() throws Exception {
    assertEquals(List.of(new Question.Asked(epoch, "w1")), ask(41, null));
    List<Value> frame = Peer.values(supervisor.expect(FrameKind.CONTROL));
    assertEquals("ping", frame.get(1).asStringValue().asString());
    assertArrayEquals(new byte[] {7}, frame.get(2).asBinaryValue().asByteArray());
    answer(frame.get(0).asIntegerValue().asLong(), (byte) 9);
    Heard answer = next();
    assertEquals(41, answer.number());
    assertEquals(epoch, answer.epoch());
    assertArrayEquals(new byte[] {9}, answer.body());
  }

  @Test
  void onlyThoseThatAreMeantAreAsked() {
    assertEquals(List.of(), ask(1, List.of("w2")));
    assertEquals(1, ask(1, List.of("w2", "w1")).size());
  }

  @Test
  void aSecondAnswerAndOneToNobodyAreIgnored() throws Exception {
    ask(5, null);
    long number =
        Peer.values(supervisor.expect(FrameKind.CONTROL)).get(0).asIntegerValue().asLong();
    answer(number, (byte) 1);
    answer(number, (byte) 2);
    answer(12345, (byte) 3);
    assertEquals(1, next().body()[0]);
    ask(6, null);
    answer(
        Peer.values(supervisor.expect(FrameKind.CONTROL)).get(0).asIntegerValue().asLong(),
        (byte) 4);
    assertEquals(4, next().body()[0]);
  }

  @Test
  void aWorkerThatGoesIsNotWaitedFor() throws Exception {
    ask(8, null);
    supervisor.expect(FrameKind.CONTROL);
    supervisor.close();
    Heard gone = next();
    assertEquals(8, gone.number());
    assertNull(gone.body());
  }

  @Test
  void queuesThatChangeAreToldToTheHome() throws IOException {
    supervisor.send(
        FrameKind.QUEUES,
        LaneMessages.pack(p -> p.packArrayHeader(2).packString("a").packString("b")));
    home.await("joined again", () -> home.joined.size() == 2);
    assertEquals(List.of("a", "b"), home.joined.get(1).queues());
    assertEquals(epoch, home.joined.get(1).epoch());
    assertEquals(List.of("a", "b"), node.workers().get(0).queues());
  }

  @Test
  void moreQueuesThanThereCanBeAreRefused() throws IOException {
    supervisor.send(
        FrameKind.QUEUES,
        LaneMessages.pack(
            p -> {
              p.packArrayHeader(1_001);
              for (int i = 0; i <= 1_000; i++) {
                p.packString("q");
              }
            }));
    assertEquals("BAD_REQUEST", supervisor.error());
  }

  @Test
  void aSupervisorLearnsWhatItsWorkerHolds() throws IOException {
    Peer child = child(epoch, 3, 1);
    home.queue(epoch, records("h", 1, "slow"));
    Peer.Run run = child.run();
    List<Value> row = held(7).get(1).asArrayValue().list().get(0).asArrayValue().list();
    assertEquals(15, row.size());
    assertEquals(3, row.get(0).asIntegerValue().asInt());
    assertEquals(103, row.get(1).asIntegerValue().asInt());
    assertEquals(run.seq(), row.get(2).asIntegerValue().asLong());
    assertEquals("h0", row.get(5).asStringValue().asString());
    assertArrayEquals(new byte[] {'m', 1, 2, 3}, row.get(7).asBinaryValue().asByteArray());
    child.success(10, run);
    home.awaitKinds(Outcome.SUCCESS, "h0");
    List<Value> after = held(8);
    assertEquals(8, after.get(0).asIntegerValue().asInt());
    assertEquals(0, after.get(1).asArrayValue().size());
    assertEquals("{\"slow\":1}", after.get(2).toJson());
  }

  private List<Value> held(long number) throws IOException {
    supervisor.send(FrameKind.HELD, LaneMessages.pack(p -> p.packArrayHeader(1).packLong(number)));
    return Peer.values(supervisor.expect(FrameKind.HELD_REPLY));
  }

  @Test
  void eventsOfSupervisorsAndChildrenGoToTheFeed() throws IOException {
    Peer child = child(epoch, 0, 1);
    byte[] payload =
        LaneMessages.pack(
            p -> {
              p.packArrayHeader(2);
              p.packBinaryHeader(1).writePayload(new byte[] {1});
              p.packBinaryHeader(1).writePayload(new byte[] {2});
            });
    supervisor.send(FrameKind.EVENTS, payload);
    home.await("two events", () -> events.size() == 2);
    child.send(FrameKind.EVENTS, payload);
    home.await("four events", () -> events.size() == 4);
    assertEquals(2, events.get(3)[0]);
  }
}
