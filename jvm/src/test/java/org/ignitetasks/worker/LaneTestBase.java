package org.ignitetasks.worker;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import org.ignitetasks.model.TaskRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A lane with a fake home, and records to push. */
abstract class LaneTestBase {
  final FakeHome home = new FakeHome();
  final MemoryBlobs blobs = new MemoryBlobs();
  final List<byte[]> events = new CopyOnWriteArrayList<>();
  final List<Peer> peers = new ArrayList<>();
  Path socket;
  WorkerNode node;
  LaneServer server;

  @BeforeEach
  void startLane() throws IOException {
    Path folder = Files.createTempDirectory("lane");
    socket = folder.resolve("run").resolve("lane.sock");
    node = new WorkerNode(home, UUID.randomUUID(), events::addAll);
    home.worker = node;
    server = new LaneServer(socket, Peer.TOKEN, node, blobs);
  }

  @AfterEach
  void stopLane() throws IOException {
    peers.forEach(Peer::close);
    server.stopListening();
    node.close();
    server.close();
    Files.deleteIfExists(socket);
    Files.deleteIfExists(socket.getParent());
    Files.deleteIfExists(socket.getParent().getParent());
  }

  Peer peer(Peer peer) {
    peers.add(peer);
    return peer;
  }

  Peer child(long epoch, int index, int slots) throws IOException {
    Peer child = peer(Peer.child(socket, epoch, index, 100 + index, slots));
    return child.welcome();
  }

  static TaskRecord record(String id, String task) {
    TaskRecord record = new TaskRecord();
    record.id = id;
    record.task = task;
    record.queue = "default";
    record.maxDeliveries = 3;
    record.createdMillis = 1;
    record.body = new byte[] {'m', 1, 2, 3};
    return record;
  }

  static List<TaskRecord> records(String prefix, int count, String task) {
    List<TaskRecord> records = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      records.add(record(prefix + i, task));
    }
    return records;
  }
}
