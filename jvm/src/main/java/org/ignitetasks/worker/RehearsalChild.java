package org.ignitetasks.worker;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.ignitetasks.protocol.Outcome;
import org.msgpack.value.Value;

/**
 * A worker with one child that succeeds in everything at once; it runs in the JVM whose lane it
 * talks to and makes that lane's code warm. Must never connect to a lane that serves users.
 */
public final class RehearsalChild implements AutoCloseable {
  private static final byte[] RESULT = {'m', (byte) 0xc0};

  private final LaneChannel supervisor;
  private final LaneChannel child;

  /**
   * Connects both.
   *
   * @param slots how many deliveries the child takes at a time
   */
  public RehearsalChild(Path lane, String token, String queue, String task, int slots)
      throws IOException {
    supervisor = connect(lane);
    supervisor.write(
        FrameKind.HELLO,
        hello(
            token,
            "worker",
            p -> {
              p.packMapHeader(8).packString("name").packString("rehearsal");
              p.packString("host").packString("").packString("pid").packInt(1);
              p.packString("queues").packArrayHeader(1).packString(queue);
              p.packString("tasks").packArrayHeader(1).packString(task);
              p.packString("concurrency").packInt(1).packString("pool").packString("solo");
              p.packString("version").packString("");
            }));
    long epoch = epoch(supervisor.read().get(0).payload());
    child = connect(lane);
    child.write(
        FrameKind.HELLO,
        hello(
            token,
            "child",
            p -> {
              p.packMapHeader(4).packString("epoch").packLong(epoch);
              p.packString("child").packInt(0).packString("pid").packInt(1);
              p.packString("slots").packInt(slots);
            }));
    Thread thread = new Thread(this::answer, "ignitetasks-rehearsal-child");
    thread.setDaemon(true);
    thread.start();
  }

  private static LaneChannel connect(Path lane) throws IOException {
    SocketChannel socket = SocketChannel.open(StandardProtocolFamily.UNIX);
    socket.connect(UnixDomainSocketAddress.of(lane));
    return new LaneChannel(socket, FrameCodec.MAX_LENGTH);
  }

  private static byte[] hello(String token, String role, LaneMessages.Fields info) {
    return LaneMessages.pack(
        p -> {
          p.packArrayHeader(3).packString(token).packString(role);
          info.pack(p);
        });
  }

  private static long epoch(byte[] welcome) throws LaneException {
    return LaneMessages.unpack(
        welcome,
        u -> {
          u.unpackMapHeader();
          u.unpackString();
          return u.unpackLong();
        });
  }

  private void answer() {
    try {
      List<Frame> frames = child.read();
      while (frames != null) {
        for (Frame frame : frames) {
          if (frame.kind() == FrameKind.RUN) {
            child.write(FrameKind.DONE, done(numbers(frame.payload())));
          }
        }
        frames = child.read();
      }
    } catch (IOException e) {
      // Closed: the rehearsal is over.
      return;
    }
  }

  private static List<Long> numbers(byte[] run) throws LaneException {
    return LaneMessages.unpack(
        run,
        u -> {
          List<Long> numbers = new ArrayList<>();
          for (Value delivery : u.unpackValue().asArrayValue()) {
            numbers.add(delivery.asArrayValue().get(0).asIntegerValue().asLong());
          }
          return numbers;
        });
  }

  private static byte[] done(List<Long> numbers) {
    return LaneMessages.pack(
        p -> {
          p.packArrayHeader(numbers.size());
          for (long number : numbers) {
            p.packArrayHeader(LaneMessages.OUTCOME_FIELDS).packLong(number);
            p.packInt(Outcome.SUCCESS).packBinaryHeader(RESULT.length).writePayload(RESULT);
            p.packInt(0).packLong(1);
            for (int rest = 5; rest < LaneMessages.OUTCOME_FIELDS; rest++) {
              p.packNil();
            }
          }
        });
  }

  @Override
  public void close() {
    child.close();
    supervisor.close();
  }
}
