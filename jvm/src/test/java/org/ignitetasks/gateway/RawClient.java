package org.ignitetasks.gateway;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import org.msgpack.core.MessagePack;
import org.msgpack.value.Value;

/** A client that speaks the protocol byte by byte, and can therefore also speak it wrongly. */
final class RawClient implements Closeable {
  private static final int READ_TIMEOUT_MILLIS = 5_000;

  final Socket socket;
  private final InputStream in;

  RawClient(int port) throws IOException {
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    socket.setSoTimeout(READ_TIMEOUT_MILLIS);
    socket.setTcpNoDelay(true);
    in = new BufferedInputStream(socket.getInputStream());
  }

  /** What a call answered. */
  record Answer(int status, Object value) {
    String errorCode() {
      return status == CallFrame.ERROR ? (String) ((List<?>) value).get(0) : "";
    }

    String errorMessage() {
      return (String) ((List<?>) value).get(1);
    }

    List<?> list() {
      return (List<?>) value;
    }

    Map<?, ?> map() {
      return (Map<?, ?>) value;
    }
  }

  void send(String text) throws IOException {
    send(text.getBytes(StandardCharsets.ISO_8859_1));
  }

  void send(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
    socket.getOutputStream().flush();
  }

  /** Returns the next line, or null when the other side closed or reset the connection. */
  String line() throws IOException {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    try {
      int b = in.read();
      while (b >= 0 && b != '\n') {
        line.write(b);
        b = in.read();
      }
      return b < 0 ? null : line.toString(StandardCharsets.ISO_8859_1);
    } catch (SocketException e) {
      return null;
    }
  }

  RawClient login(String token) throws IOException {
    send("A\n" + token + "\n");
    String answer = line();
    if (!"!yv".equals(answer)) {
      throw new IOException("login answered " + answer);
    }
    return this;
  }

  Answer call(String op, Object... fields) throws IOException {
    return callPayload(op, pack(new ArrayList<>(Arrays.asList(fields))));
  }

  Answer callPayload(String op, byte[] payload) throws IOException {
    return callFrame(op, CallFrame.encode(CallFrame.OK, payload));
  }

  Answer callFrame(String op, byte[] frame) throws IOException {
    sendCall(op, frame);
    return answer();
  }

  void sendCall(String op, byte[] frame) throws IOException {
    send("c\nt\n" + op + "\nj" + Base64.getEncoder().encodeToString(frame) + "\ne\n");
  }

  Answer answer() throws IOException {
    String line = line();
    if (line == null || !line.startsWith("!ys")) {
      throw new IOException("the call answered " + line);
    }
    byte[] frame = Base64.getDecoder().decode(line.substring(3));
    ByteBuffer header = ByteBuffer.wrap(frame);
    CRC32 crc = new CRC32();
    crc.update(frame, 12, frame.length - 12);
    if (header.getShort() != 0x4954 || header.get() != 1) {
      throw new IOException("bad magic or version");
    }
    int status = header.get();
    if (header.getInt() != frame.length - 12 || header.getInt() != (int) crc.getValue()) {
      throw new IOException("bad length or checksum");
    }
    return new Answer(status, unpack(frame));
  }

  static byte[] pack(Object value) throws IOException {
    AnswerPacker packer = new AnswerPacker();
    packer.value(value);
    return packer.toBytes();
  }

  private static Object unpack(byte[] frame) throws IOException {
    try (var unpacker = MessagePack.newDefaultUnpacker(frame, 12, frame.length - 12)) {
      return plain(unpacker.unpackValue());
    }
  }

  private static Object plain(Value value) {
    switch (value.getValueType()) {
      case NIL:
        return null;
      case BOOLEAN:
        return value.asBooleanValue().getBoolean();
      case INTEGER:
        return value.asIntegerValue().asLong();
      case FLOAT:
        return value.asFloatValue().toDouble();
      case STRING:
        return value.asStringValue().asString();
      case BINARY:
        return value.asBinaryValue().asByteArray();
      case ARRAY:
        List<Object> list = new ArrayList<>();
        value.asArrayValue().forEach(item -> list.add(plain(item)));
        return list;
      default:
        Map<Object, Object> map = new HashMap<>();
        value.asMapValue().map().forEach((k, v) -> map.put(plain(k), plain(v)));
        return map;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
