package org.ignitetasks.worker;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.msgpack.value.Value;

/** The other end of a lane connection: a supervisor, child or blob peer that tests play. */
final class Peer implements AutoCloseable {
  static final String TOKEN = "ab".repeat(32);

  /** What a child sees of a delivery. */
  record Run(long seq, String id, String task) {}

  private final SocketChannel socket;
  private final LaneChannel channel;
  private final ArrayDeque<Frame> frames = new ArrayDeque<>();
  final ArrayDeque<Run> runs = new ArrayDeque<>();
  private boolean ended;

  Peer(Path path) throws IOException {
    socket = SocketChannel.open(StandardProtocolFamily.UNIX);
    socket.connect(UnixDomainSocketAddress.of(path));
    channel = new LaneChannel(socket, FrameCodec.MAX_LENGTH);
  }

  /** Sends HELLO; returns this peer, greeted or not. */
  Peer hello(String token, String role, LaneMessages.Fields info) throws IOException {
    send(
        FrameKind.HELLO,
        LaneMessages.pack(
            p -> {
              p.packArrayHeader(3).packString(token).packString(role);
              info.pack(p);
            }));
    return this;
  }

  static Peer supervisor(Path path) throws IOException {
    return new Peer(path)
        .hello(
            TOKEN,
            "worker",
            p -> {
              p.packMapHeader(8).packString("name").packString("w1");
              p.packString("host").packString("box").packString("pid").packInt(4242);
              p.packString("queues").packArrayHeader(1).packString("default");
              p.packString("tasks").packArrayHeader(1).packString("noop");
              p.packString("concurrency").packInt(2).packString("pool").packString("prefork");
              p.packString("version").packString("0.1.0");
            });
  }

  static Peer child(Path path, long epoch, int index, int pid, int slots) throws IOException {
    return new Peer(path)
        .hello(
            TOKEN,
            "child",
            p -> {
              p.packMapHeader(4).packString("epoch").packLong(epoch);
              p.packString("child").packInt(index).packString("pid").packInt(pid);
              p.packString("slots").packInt(slots);
            });
  }

  void send(int kind, byte[] payload) throws IOException {
    channel.write(kind, payload);
  }

  void sendRaw(byte[] bytes) throws IOException {
    channel.write(ByteBuffer.wrap(bytes));
  }

  /** Returns the next frame, null at the end of the connection; fails after five seconds. */
  Frame next() {
    return next(5_000);
  }

  Frame next(long millis) {
    if (frames.isEmpty() && !ended) {
      CompletableFuture<List<Frame>> read =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return channel.read();
                } catch (IOException e) {
                  return null;
                }
              });
      try {
        List<Frame> got = read.get(millis, TimeUnit.MILLISECONDS);
        ended = got == null;
        if (got != null) {
          frames.addAll(got);
        }
      } catch (InterruptedException | ExecutionException e) {
        throw new AssertionError(e);
      } catch (TimeoutException e) {
        // The pending read owns the socket: after a timeout a peer is only good for closing.
        throw new AssertionError("no frame in " + millis + " ms", e);
      }
    }
    return frames.poll();
  }

  /** Returns the payload of the next frame, which must be of this kind. */
  byte[] expect(int kind) {
    Frame frame = next();
    if (frame == null || frame.kind() != kind) {
      throw new AssertionError("expected kind " + kind + ", got " + frame);
    }
    return frame.payload();
  }

  long welcomeEpoch() throws IOException {
    return LaneMessages.unpack(
        expect(FrameKind.WELCOME),
        u -> {
          u.unpackMapHeader();
          u.unpackString();
          return u.unpackLong();
        });
  }

  Peer welcome() {
    expect(FrameKind.WELCOME);
    return this;
  }

  /** Returns the code of the ERROR that comes next. */
  String error() throws IOException {
    return values(expect(FrameKind.ERROR)).get(0).asStringValue().asString();
  }

  static List<Value> values(byte[] payload) throws IOException {
    return LaneMessages.unpack(payload, u -> u.unpackValue().asArrayValue().list());
  }

  /** Waits until at least {@code count} deliveries are here that have not been taken. */
  Peer awaitRuns(int count) throws IOException {
    while (runs.size() < count) {
      takeRuns(expect(FrameKind.RUN));
    }
    return this;
  }

  void takeRuns(byte[] payload) throws IOException {
    for (Value delivery : values(payload)) {
      List<Value> fields = delivery.asArrayValue().list();
      runs.add(
          new Run(
              fields.get(0).asIntegerValue().asLong(),
              fields.get(1).asStringValue().asString(),
              fields.get(3).asStringValue().asString()));
    }
  }

  Run run() throws IOException {
    awaitRuns(1);
    return runs.poll();
  }

  /** Writes one DONE frame with an outcome for each number. */
  void done(int kind, long micros, String extra, Long... seqs) throws IOException {
    send(FrameKind.DONE, donePayload(kind, micros, extra, seqs));
  }

  static byte[] donePayload(int kind, long micros, String extra, Long... seqs) {
    return LaneMessages.pack(
        p -> {
          p.packArrayHeader(seqs.length);
          for (long seq : seqs) {
            p.packArrayHeader(7).packLong(seq).packInt(kind).packNil().packInt(0).packLong(micros);
            if (extra == null) {
              p.packNil();
            } else {
              p.packString(extra);
            }
            p.packNil();
          }
        });
  }

  void success(long micros, Run... done) throws IOException {
    List<Long> seqs = new ArrayList<>();
    for (Run run : done) {
      seqs.add(run.seq());
    }
    done(0, micros, null, seqs.toArray(new Long[0]));
  }

  void died(int child, int pid, String reason, long running) throws IOException {
    send(
        FrameKind.CHILD_DIED,
        LaneMessages.pack(
            p -> {
              p.packArrayHeader(5).packInt(child).packInt(pid).packString(reason);
              p.packLong(running).packString("test");
            }));
  }

  @Override
  public void close() {
    channel.close();
  }
}
