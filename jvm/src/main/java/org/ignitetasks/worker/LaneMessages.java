package org.ignitetasks.worker;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.ignitetasks.model.Progress;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;
import org.ignitetasks.protocol.FieldReader;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;
import org.ignitetasks.protocol.SubmitReader;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessagePackException;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.Value;

/**
 * Payloads of lane frames: the only place in this package that knows msgpack.
 *
 * <p>All decoders throw {@link LaneException} with BAD_REQUEST on anything but the agreed layout.
 */
final class LaneMessages {
  private static final int DELIVERY_FIELDS = 19;
  static final int OUTCOME_FIELDS = 7;

  /** Fields of a retry; new options follow where a retry has some. */
  private static final int RETRY_FIELDS = 7;

  private static final int MAX_QUEUES = 1_000;
  private static final byte FAILURE_CODEC = 'm';

  /**
   * An outcome as a child writes it: {@code seq} instead of id and fence, reason of a give-back.
   */
  record Answer(long seq, int kind, Outcome body, String reason) {}

  /** How far a task is, in a child's words. */
  record State(long seq, String name, byte[] result) {}

  /** A supervisor's answer to remote control. */
  record ControlReply(long number, byte[] body) {}

  /** A supervisor's report of a child's end. */
  record ChildDied(int child, int pid, Death death) {}

  /** Writes fields; lets encoders be lambdas although msgpack declares IOException. */
  interface Fields {
    void pack(MessageBufferPacker packer) throws IOException;
  }

  /** Reads fields of one frame. */
  interface Reader<T> {
    T read(MessageUnpacker unpacker) throws IOException;
  }

  private LaneMessages() {}

  /** Returns the bytes that {@code fields} writes. */
  static byte[] pack(Fields fields) {
    try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
      fields.pack(packer);
      return packer.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException("packing into memory cannot fail", e);
    }
  }

  /** Reads a payload to its end. */
  static <T> T unpack(byte[] payload, Reader<T> reader) throws LaneException {
    try (MessageUnpacker check = MessagePack.newDefaultUnpacker(payload);
        MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(payload)) {
      // The unpacker allocates what a length says before it looks whether the bytes are there; a
      // walk without reading proves all lengths, so that a few bytes cannot ask for gigabytes.
      check.skipValue();
      T result = reader.read(unpacker);
      if (unpacker.hasNext()) {
        throw malformed("more bytes than the frame's fields", null);
      }
      return result;
    } catch (LaneException e) {
      throw e;
    } catch (MessagePackException | IOException | IllegalArgumentException e) {
      // IllegalArgumentException covers lengths that the buffer cannot hold.
      throw malformed(e.getClass().getSimpleName(), e);
    } catch (StackOverflowError e) {
      throw malformed("nested too deeply", e);
    }
  }

  /** Returns an empty map, the payload of frames that say nothing. */
  static byte[] empty() {
    return pack(p -> p.packMapHeader(0));
  }

  static byte[] welcome(long epoch) {
    return pack(p -> p.packMapHeader(1).packString("epoch").packLong(epoch));
  }

  static byte[] blobWelcome(BlobStore.Folder folder) {
    if (folder == null) {
      return empty();
    }
    return pack(
        p -> {
          p.packMapHeader(2).packString("files").packString(folder.path());
          p.packString("sync").packBoolean(folder.sync());
        });
  }

  static byte[] error(Code code, String message) {
    return pack(p -> p.packArrayHeader(2).packString(code.name()).packString(message));
  }

  static byte[] kill(int child, int pid, long seq, String signal) {
    return pack(
        p -> p.packArrayHeader(4).packInt(child).packInt(pid).packLong(seq).packString(signal));
  }

  /** Returns one RUN frame with these deliveries in this order. */
  static ByteBuffer run(List<Held> batch) {
    byte[] payload =
        pack(
            p -> {
              p.packArrayHeader(batch.size());
              for (Held delivery : batch) {
                delivery(p, delivery);
              }
            });
    return FrameCodec.encode(FrameKind.RUN, payload);
  }

  private static void delivery(MessageBufferPacker p, Held delivery) throws IOException {
    TaskRecord task = delivery.record;
    p.packArrayHeader(DELIVERY_FIELDS);
    p.packLong(delivery.seq);
    p.packString(task.id);
    p.packLong(delivery.key.fence());
    p.packString(task.task);
    binary(p, task.body);
    p.packInt(task.flags & TaskFlags.WIRE);
    binary(p, task.options);
    p.packInt(task.attempt);
    p.packInt(task.deliveries);
    p.packInt(task.softLimitMillis);
    p.packInt(task.hardLimitMillis);
    p.packString(task.queue);
    p.packInt(task.priority);
    p.packLong(task.etaMillis);
    p.packLong(task.expiresMillis);
    text(p, task.rootId);
    text(p, task.parentId);
    text(p, task.groupId);
    p.packLong(task.createdMillis);
  }

  /** Returns the answers of one DONE frame in their order. */
  static List<Answer> done(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          int count = u.unpackArrayHeader();
          List<Answer> answers = new ArrayList<>(Math.min(count, payload.length));
          for (int i = 0; i < count; i++) {
            answers.add(answer(u, payload.length));
          }
          return answers;
        });
  }

  private static Answer answer(MessageUnpacker u, int size) throws IOException {
    expectArray(u, OUTCOME_FIELDS);
    long seq = u.unpackLong();
    int kind = u.unpackInt();
    byte[] body = binary(u);
    boolean ref = (u.unpackInt() & 1) != 0;
    long micros = Math.max(0, u.unpackLong());
    String errorType = null;
    String reason = null;
    Outcome.Retry retry = null;
    boolean requeue = false;
    switch (kind) {
      case Outcome.FAILURE -> errorType = text(u);
      case Outcome.GIVE_BACK -> reason = text(u);
      case Outcome.REJECT -> requeue = u.unpackBoolean();
      case Outcome.RETRY -> {
        int fields = u.unpackArrayHeader();
        if (fields != RETRY_FIELDS && fields != RETRY_FIELDS + 1) {
          throw malformed(fields + " fields instead of " + RETRY_FIELDS, null);
        }
        long eta = u.unpackLong();
        byte[] newBody = binary(u);
        String queue = text(u);
        int priority = u.unpackInt();
        errorType = text(u);
        long expires = u.unpackLong();
        boolean bodyRef = (u.unpackInt() & TaskFlags.BODY_REF) != 0;
        byte[] options = fields > RETRY_FIELDS ? binary(u) : null;
        retry = new Outcome.Retry(eta, newBody, bodyRef, queue, priority, expires, options);
      }
      case Outcome.SUCCESS, Outcome.IGNORE, Outcome.STARTED, Outcome.REVOKED, Outcome.REPLACED ->
          u.skipValue();
      default -> throw malformed("outcome kind " + kind, null);
    }
    Spawn spawn = u.tryUnpackNil() ? null : spawn(u, size);
    Outcome outcome =
        new Outcome(null, 0, kind, body, ref, micros, errorType, retry, requeue, spawn);
    return new Answer(seq, kind, outcome, reason);
  }

  private static Spawn spawn(MessageUnpacker u, int size) throws IOException {
    try {
      return new SubmitReader(new FieldReader(u, size), System.currentTimeMillis()).spawn();
    } catch (TasksException e) {
      throw malformed(e.getMessage(), e);
    }
  }

  static ChildDied childDied(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          expectArray(u, 5);
          int child = u.unpackInt();
          int pid = u.unpackInt();
          String reason = u.unpackString();
          long running = u.unpackLong();
          String detail = text(u);
          return new ChildDied(child, pid, new Death(reason, running, detail));
        });
  }

  static byte[] control(long number, String command, byte[] body) {
    return pack(
        p -> {
          p.packArrayHeader(3).packLong(number).packString(command);
          binary(p, body);
        });
  }

  static ControlReply controlReply(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          expectArray(u, 2);
          return new ControlReply(u.unpackLong(), u.readPayload(u.unpackBinaryHeader()));
        });
  }

  /** Returns the number of a HELD frame. */
  static long held(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          expectArray(u, 1);
          return u.unpackLong();
        });
  }

  /** Returns the events of an EVENTS frame. */
  static List<byte[]> events(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          int count = u.unpackArrayHeader();
          List<byte[]> events = new ArrayList<>(Math.min(count, payload.length));
          for (int i = 0; i < count; i++) {
            events.add(u.readPayload(u.unpackBinaryHeader()));
          }
          return events;
        });
  }

  static State state(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          expectArray(u, 3);
          State state = new State(u.unpackLong(), u.unpackString(), binary(u));
          boolean fits =
              !state.name.isEmpty()
                  && state.name.length() <= Progress.MAX_NAME
                  && state.result != null
                  && state.result.length <= Progress.MAX_BYTES;
          if (!fits) {
            throw malformed(
                "a state without name or result, or a larger one than is possible", null);
          }
          return state;
        });
  }

  /** Returns the queues of a QUEUES frame. */
  static List<String> queues(byte[] payload) throws LaneException {
    return unpack(
        payload,
        u -> {
          int count = u.unpackArrayHeader();
          if (count > MAX_QUEUES) {
            throw malformed(count + " queues, at most " + MAX_QUEUES + " are possible", null);
          }
          List<String> queues = new ArrayList<>(count);
          for (int i = 0; i < count; i++) {
            queues.add(u.unpackString());
          }
          return queues;
        });
  }

  /** Returns what a HEARS frame says. */
  static boolean hears(byte[] payload) throws LaneException {
    return unpack(payload, u -> u.unpackBoolean());
  }

  /** Returns failure bytes as Python writes them, for ends that Python cannot report itself. */
  static byte[] failure(String type, String message) {
    byte[] map =
        pack(
            p -> {
              p.packMapHeader(5);
              p.packString("type").packString(type);
              p.packString("module").packString("ignitetasks.errors");
              p.packString("message").packString(message);
              p.packString("args").packArrayHeader(1).packString(message);
              p.packString("traceback").packString("");
            });
    return ByteBuffer.allocate(map.length + 1).put(FAILURE_CODEC).put(map).array();
  }

  static void expectArray(MessageUnpacker u, int size) throws IOException {
    int found = u.unpackArrayHeader();
    if (found != size) {
      throw malformed(found + " fields instead of " + size, null);
    }
  }

  static LaneException malformed(String what, Throwable cause) {
    LaneException error =
        new LaneException(Code.BAD_REQUEST, "a lane frame cannot be read: " + what);
    if (cause != null) {
      error.initCause(cause);
    }
    return error;
  }

  static void binary(MessageBufferPacker p, byte[] bytes) throws IOException {
    if (bytes == null) {
      p.packNil();
    } else {
      p.packBinaryHeader(bytes.length).writePayload(bytes);
    }
  }

  private static void text(MessageBufferPacker p, String value) throws IOException {
    if (value == null) {
      p.packNil();
    } else {
      p.packString(value);
    }
  }

  private static byte[] binary(MessageUnpacker u) throws IOException {
    return u.tryUnpackNil() ? null : u.readPayload(u.unpackBinaryHeader());
  }

  private static String text(MessageUnpacker u) throws IOException {
    return u.tryUnpackNil() ? null : u.unpackString();
  }

  /** Returns the texts of an array value. */
  static List<String> texts(Value value) {
    List<String> texts = new ArrayList<>();
    value.asArrayValue().forEach(item -> texts.add(item.asStringValue().asString()));
    return texts;
  }
}
