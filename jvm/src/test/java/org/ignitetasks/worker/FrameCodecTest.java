package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.ignitetasks.model.TaskFlags;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.Delivery;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;
import org.junit.jupiter.api.Test;

/** Frames against the golden file that Python reads too, and against bytes that are no frames. */
class FrameCodecTest {
  private record Golden(int kind, byte[] payload, byte[] frame) {}

  private static Map<String, Golden> golden() throws IOException {
    Path file = Path.of("..", "tests", "protocol", "golden", "lane_frames.json");
    Pattern entry =
        Pattern.compile(
            "\"name\": \"(\\w+)\",\\s*\"kind\": (\\d+),\\s*\"payload_hex\": \"([0-9a-f]*)\","
                + "\\s*\"frame_hex\": \"([0-9a-f]*)\"");
    Map<String, Golden> all = new HashMap<>();
    Matcher matcher = entry.matcher(Files.readString(file));
    while (matcher.find()) {
      HexFormat hex = HexFormat.of();
      all.put(
          matcher.group(1),
          new Golden(
              Integer.parseInt(matcher.group(2)),
              hex.parseHex(matcher.group(3)),
              hex.parseHex(matcher.group(4))));
    }
    assertTrue(all.size() >= 20, "golden entries: " + all.keySet());
    return all;
  }

  @Test
  void goldenFramesEncodeAndDecode() throws IOException {
    for (Golden golden : golden().values()) {
      assertArrayEquals(golden.frame, FrameCodec.encode(golden.kind, golden.payload).array());
      List<Frame> frames = new ArrayList<>();
      new FrameCodec(FrameCodec.MAX_LENGTH).feed(ByteBuffer.wrap(golden.frame), frames);
      assertEquals(1, frames.size());
      assertEquals(golden.kind, frames.get(0).kind());
      assertArrayEquals(golden.payload, frames.get(0).payload());
    }
  }

  @Test
  void piecesOfAnySizeGiveTheSameFrames() throws IOException {
    ByteBuffer all = ByteBuffer.allocate(1 << 16);
    List<Golden> sent = new ArrayList<>(golden().values());
    sent.forEach(golden -> all.put(golden.frame));
    byte[] stream = new byte[all.flip().remaining()];
    all.get(stream);
    Random random = new Random(7);
    for (int round = 0; round < 50; round++) {
      List<Frame> frames = new ArrayList<>();
      FrameCodec codec = new FrameCodec(FrameCodec.MAX_LENGTH);
      int at = 0;
      while (at < stream.length) {
        int count = Math.min(stream.length - at, 1 + random.nextInt(40));
        codec.feed(ByteBuffer.wrap(stream, at, count), frames);
        at += count;
      }
      assertEquals(sent.size(), frames.size());
      for (int i = 0; i < frames.size(); i++) {
        assertArrayEquals(sent.get(i).payload, frames.get(i).payload());
      }
    }
  }

  @Test
  void lengthsOutsideTheLimitsAreRefused() {
    for (int length : new int[] {0, FrameCodec.MAX_LENGTH + 1, -1}) {
      ByteBuffer in = ByteBuffer.allocate(5).putInt(length).put((byte) 1).flip();
      LaneException error =
          assertThrows(
              LaneException.class,
              () -> new FrameCodec(FrameCodec.MAX_LENGTH).feed(in, new ArrayList<>()));
      assertEquals(length == 0 ? Code.BAD_REQUEST : Code.TOO_LARGE, error.code());
    }
    byte[] tooLong = new byte[FrameCodec.MAX_LENGTH];
    assertThrows(IllegalArgumentException.class, () -> FrameCodec.encode(1, tooLong));
  }

  @Test
  void runIsWrittenAsPythonReadsIt() throws IOException {
    TaskRecord full = LaneTestBase.record("0f3a5c7e-1b2d-4e5f-8a6b-00000001c0de", "shop.add");
    full.body = HexFormat.of().parseHex("6d9292020380");
    full.flags = 4 | TaskFlags.RESULT_REF;
    full.options = new byte[] {(byte) 0x80};
    full.attempt = 1;
    full.deliveries = 2;
    full.softLimitMillis = 1500;
    full.hardLimitMillis = 3000;
    full.priority = 128;
    full.etaMillis = 1_700_000_001_000L;
    full.expiresMillis = 1_700_000_600_000L;
    full.rootId = full.id;
    full.parentId = "0f3a5c7e-1b2d-4e5f-8a6b-00000002c0de";
    full.groupId = "group-1";
    full.createdMillis = 1_700_000_000_000L;
    TaskRecord bare = LaneTestBase.record("own-id", "shop.noop");
    bare.body = HexFormat.of().parseHex("6d929080");
    bare.createdMillis = 1_700_000_000_000L;
    Held first = new Held(new Delivery(full, 7), 1, 0);
    Held second = new Held(new Delivery(bare, 1), 2, 0);
    first.seq = 1;
    second.seq = 2;
    assertArrayEquals(
        golden().get("run_two").frame, LaneMessages.run(List.of(first, second)).array());
  }

  @Test
  void doneIsReadAsPythonWritesIt() throws IOException {
    List<LaneMessages.Answer> all = LaneMessages.done(golden().get("done_every_kind").payload);
    assertEquals(11, all.size());
    assertEquals("ValueError", all.get(1).body().errorType());
    Outcome.Retry retry = all.get(2).body().retry();
    assertEquals("slow", retry.queue());
    assertEquals(9, retry.priority());
    assertEquals(-1, retry.expires());
    assertEquals("IOError", all.get(2).body().errorType());
    assertTrue(all.get(4).body().requeue());
    assertEquals("slow", all.get(6).reason());
    assertEquals(Outcome.STARTED, all.get(8).kind());
    assertTrue(all.get(9).body().payloadIsRef());
    assertEquals(4_294_967_295L, all.get(10).seq());
    assertEquals(4_294_967_296L, all.get(10).body().runMicros());
  }

  @Test
  void spawnsAreReadAsPythonWritesThem() throws IOException {
    List<LaneMessages.Answer> all = LaneMessages.done(golden().get("done_with_spawns").payload);
    Spawn spawn = all.get(0).body().spawn();
    String join = "00000000-0000-4000-8000-0000000fabcd";
    assertEquals(4, spawn.submit().size());
    TaskRecord member = spawn.submit().get(0);
    assertEquals("00000000-0000-4000-8000-00000001abcd", member.id);
    assertEquals(join, member.joinId);
    assertEquals(TaskFlags.CONTINUES, member.flags);
    assertEquals(16, spawn.submit().get(1).fingerprint.length);
    assertEquals(2, spawn.submit().get(2).joinSize);
    assertTrue(spawn.submit().get(3).promised());
    TaskRecord end = spawn.end().get(0);
    assertEquals(TaskState.FAILURE, end.state);
    assertEquals("ValueError", end.errorType);
    assertArrayEquals(new byte[] {'m', (byte) 0x80}, end.payload);
    assertEquals("shop.tail", end.task);
    assertEquals(List.of(new Spawn.Growth(join, 2)), spawn.grow());
    assertEquals(Outcome.REPLACED, all.get(1).kind());
    assertEquals("own-id", all.get(1).body().spawn().submit().get(0).id);
    assertEquals("OSError", all.get(2).body().errorType());
    assertEquals(1, all.get(2).body().spawn().grow().size());
    assertEquals(new Spawn(List.of(), List.of(), List.of()), all.get(3).body().spawn());
    assertNull(all.get(4).body().spawn());
  }

  @Test
  void damagedPayloadsAreRefusedNotBelieved() throws IOException {
    byte[] plain = golden().get("done_every_kind").payload;
    byte[] spawning = golden().get("done_with_spawns").payload;
    Random random = new Random(11);
    for (int round = 0; round < 6000; round++) {
      byte[] good = round % 2 == 0 ? plain : spawning;
      byte[] bad = good.clone();
      for (int flips = 1 + random.nextInt(3); flips > 0; flips--) {
        bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
      }
      try {
        LaneMessages.done(bad);
        LaneMessages.childDied(bad);
        Hello.decode(bad);
      } catch (LaneException e) {
        assertEquals(Code.BAD_REQUEST, e.code());
      }
    }
  }
}
