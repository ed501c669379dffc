package org.ignitetasks.gateway;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.CompletionSink;
import org.ignitetasks.protocol.SubmitReader;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/**
 * A client inside the JVM that calls a gateway which does not listen, as clients do from outside
 * but for the socket; it makes the gateway's code warm. Must never call a gateway that serves
 * users.
 */
public final class RehearsalClient {
  private static final byte[] BODY = {'m', (byte) 0x92, (byte) 0x90, (byte) 0x80};
  private static final long KEEP_MILLIS = 60_000;
  private static final int WAIT_MILLIS = 2_000;

  private final Gateway gateway;
  private final long session;
  private final String queue;
  private final String task;
  private long confirmed;

  public RehearsalClient(Gateway gateway, String queue, String task) throws IOException {
    this.gateway = gateway;
    this.queue = queue;
    this.task = task;
    this.session = hello();
  }

  /** Returns whom the gateway tells of ends. */
  public CompletionSink sink() {
    return gateway;
  }

  private long hello() throws IOException {
    MessageUnpacker answer =
        call(
            "hello",
            p -> p.packArrayHeader(4).packString("r").packInt(1).packString("0").packString(""));
    int size = answer.unpackMapHeader();
    for (int i = 0; i < size; i++) {
      if (answer.unpackString().equals("session")) {
        return answer.unpackLong();
      }
      answer.skipValue();
    }
    throw new IOException("hello told no session");
  }

  /** Submits these ids in one call. */
  public void submit(List<String> ids) throws IOException {
    call(
        "submit",
        p -> {
          p.packArrayHeader(3).packLong(session).packInt(0);
          p.packArrayHeader(1).packArrayHeader(2);
          p.packArrayHeader(SubmitReader.TEMPLATE_FIELDS).packString(task).packString(queue);
          p.packInt(0).packLong(0).packLong(0).packInt(0).packInt(1).packInt(0).packInt(0);
          p.packLong(KEEP_MILLIS);
          for (int rest = 10; rest < SubmitReader.TEMPLATE_FIELDS - 1; rest++) {
            p.packNil();
          }
          p.packInt(0);
          p.packArrayHeader(ids.size());
          for (String id : ids) {
            p.packArrayHeader(3).packString(id);
            p.packBinaryHeader(BODY.length).writePayload(BODY).packNil();
          }
        });
  }

  /** Waits for ends; returns how many came. */
  public int poll() throws IOException {
    MessageUnpacker answer =
        call(
            "poll",
            p ->
                p.packArrayHeader(4)
                    .packLong(session)
                    .packLong(confirmed)
                    .packInt(WAIT_MILLIS)
                    .packInt(1_000));
    answer.unpackArrayHeader();
    confirmed = answer.unpackLong();
    answer.unpackBoolean();
    return answer.unpackArrayHeader();
  }

  private interface Fields {
    void pack(MessageBufferPacker packer) throws IOException;
  }

  private MessageUnpacker call(String op, Fields fields) throws IOException {
    MessageBufferPacker packer = MessagePack.newDefaultBufferPacker();
    fields.pack(packer);
    byte[] frame = CallFrame.encode(CallFrame.OK, packer.toByteArray());
    // There and back as text, as on the wire.
    String line = Base64.getEncoder().encodeToString(frame);
    byte[] answer = answer(gateway.call(op, Base64.getDecoder().decode(line)));
    Base64.getEncoder().encodeToString(answer);
    MessageUnpacker unpacker =
        MessagePack.newDefaultUnpacker(answer, CallFrame.HEADER, answer.length - CallFrame.HEADER);
    if (answer[3] != CallFrame.OK) {
      unpacker.unpackArrayHeader();
      throw new TasksException(Code.INTERNAL, op + ": " + unpacker.unpackString());
    }
    return unpacker;
  }

  private static byte[] answer(CompletableFuture<byte[]> coming) throws IOException {
    try {
      return coming.get(WAIT_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted");
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException("the gateway did not answer in time", e);
    }
  }
}
