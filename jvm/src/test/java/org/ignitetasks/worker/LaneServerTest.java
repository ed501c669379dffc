package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Random;
import java.util.zip.CRC32;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;
import org.junit.jupiter.api.Test;

/** Greeting, refusals and blobs over real sockets. */
class LaneServerTest extends LaneTestBase {
  private static final int MIB = 1 << 20;

  private Peer blobPeer() throws IOException {
    return peer(new Peer(socket).hello(Peer.TOKEN, "blob", p -> p.packMapHeader(0))).welcome();
  }

  private static byte[] put(String id, long size) {
    return LaneMessages.pack(
        p -> p.packArrayHeader(3).packString(id).packLong(size).packLong(60_000));
  }

  private static byte[] name(String id) {
    return LaneMessages.pack(p -> p.packArrayHeader(1).packString(id));
  }

  private static long crc(byte[] value) {
    CRC32 crc = new CRC32();
    crc.update(value);
    return crc.getValue();
  }

  @Test
  void socketIsPrivateReplacedAndRemoved() throws IOException {
    Path folder = socket.getParent();
    assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
    server.close();
    assertFalse(Files.exists(socket));
    Files.writeString(socket, "stale");
    server = new LaneServer(socket, Peer.TOKEN, node, blobs);
    blobPeer();
    assertEquals(1, server.connectionCount());
  }

  @Test
  void aPathThatIsTooLongIsAClearError() {
    Path path = socket.getParent().resolve("x".repeat(120));
    assertThrows(TasksException.class, () -> new LaneServer(path, Peer.TOKEN, node, blobs).close());
  }

  @Test
  void wrongTokenRoleKindAndFieldsAreRefused() throws IOException {
    LaneMessages.Fields nothing = p -> p.packMapHeader(0);
    Peer wrongToken = peer(new Peer(socket).hello("00", "blob", nothing));
    assertEquals("BAD_REQUEST", wrongToken.error());
    assertNull(wrongToken.next());
    assertEquals("BAD_REQUEST", peer(new Peer(socket).hello(Peer.TOKEN, "king", nothing)).error());
    assertEquals(
        "BAD_REQUEST", peer(new Peer(socket).hello(Peer.TOKEN, "worker", nothing)).error());
    assertEquals("UNKNOWN_SESSION", peer(Peer.child(socket, 5, 0, 1, 1)).error());
    Peer noHello = peer(new Peer(socket));
    noHello.send(FrameKind.DONE, new byte[0]);
    assertEquals("BAD_REQUEST", noHello.error());
    assertTrue(home.joined.isEmpty());
  }

  @Test
  void garbageAndOversizeBeforeHelloAreCutOff() throws IOException {
    Peer oversize = peer(new Peer(socket));
    oversize.sendRaw(new byte[] {0, 0x3f, 0, 0, 1});
    assertEquals("TOO_LARGE", oversize.error());
    assertNull(oversize.next());
    Random random = new Random(3);
    for (int i = 0; i < 50; i++) {
      byte[] bytes = new byte[1 + random.nextInt(200)];
      random.nextBytes(bytes);
      try (Peer peer = new Peer(socket)) {
        peer.sendRaw(bytes);
      }
    }
    // Lengths that promise gigabytes inside a small frame must not be believed.
    Peer greedy = peer(new Peer(socket));
    byte[] claim = {(byte) 0x93, (byte) 0xc6, 0x7f, (byte) 0xff, (byte) 0xff, (byte) 0xf0, 1};
    greedy.send(FrameKind.HELLO, claim);
    assertEquals("BAD_REQUEST", greedy.error());
    home.await("connections end", () -> server.connectionCount() <= 2);
    blobPeer();
  }

  @Test
  void deepNestingIsRefused() throws IOException {
    byte[] deep = new byte[200_000];
    java.util.Arrays.fill(deep, (byte) 0x91);
    Peer peer = peer(new Peer(socket));
    peer.send(FrameKind.HELLO, deep);
    assertEquals("BAD_REQUEST", peer.error());
  }

  @Test
  void anOversizedFrameEndsTheConnection() throws IOException {
    Peer peer = blobPeer();
    peer.sendRaw(new byte[] {0x00, 0x40, 0, 1, 31});
    assertEquals("TOO_LARGE", peer.error());
    assertNull(peer.next());
  }

  @Test
  void blobsGoInAndOutWhole() throws IOException {
    byte[] value = new byte[2 * MIB + 12_345];
    new Random(1).nextBytes(value);
    Peer peer = blobPeer();
    // Pieces smaller than a chunk are joined, the last is what is left.
    for (int piece : new int[] {MIB, 300_000, 7}) {
      byte[] part = piece == 7 ? java.util.Arrays.copyOf(value, 7_000) : value;
      peer.send(FrameKind.BLOB_PUT, put("t/a", part.length));
      for (int at = 0; at < part.length; at += piece) {
        peer.send(
            FrameKind.BLOB_DATA,
            java.util.Arrays.copyOfRange(part, at, Math.min(part.length, at + piece)));
      }
      long answered = Peer.values(peer.expect(FrameKind.BLOB_OK)).get(0).asIntegerValue().asLong();
      assertEquals(crc(part), answered);
      peer.send(FrameKind.BLOB_GET, name("t/a"));
      byte[] back = new byte[part.length];
      int filled = 0;
      while (filled < back.length) {
        byte[] chunk = peer.expect(FrameKind.BLOB_DATA);
        assertTrue(chunk.length <= BlobStore.CHUNK);
        System.arraycopy(chunk, 0, back, filled, chunk.length);
        filled += chunk.length;
      }
      assertArrayEquals(part, back);
      assertEquals(
          crc(part), Peer.values(peer.expect(FrameKind.BLOB_END)).get(1).asIntegerValue().asLong());
    }
    peer.send(FrameKind.BLOB_DROP, name("t/a"));
    peer.expect(FrameKind.BLOB_OK);
    peer.send(FrameKind.BLOB_GET, name("t/a"));
    assertEquals("NOT_FOUND", peer.error());
    peer.send(FrameKind.BLOB_PUT, put("t/a", 0));
    peer.expect(FrameKind.BLOB_OK);
  }

  @Test
  void damagedBlobsAndMissingChunksAreReported() throws IOException {
    Peer peer = blobPeer();
    peer.send(FrameKind.BLOB_PUT, put("d/a", 3));
    peer.send(FrameKind.BLOB_DATA, new byte[] {1, 2, 3});
    peer.expect(FrameKind.BLOB_OK);
    blobs.chunks.put("d/a/0", new byte[] {1, 2, 4});
    peer.send(FrameKind.BLOB_GET, name("d/a"));
    peer.expect(FrameKind.BLOB_DATA);
    assertEquals("INTERNAL", peer.error());
    blobs.chunks.clear();
    peer.send(FrameKind.BLOB_GET, name("d/a"));
    assertEquals("NOT_FOUND", peer.error());
  }

  @Test
  void wrongSizesEndTheConnection() throws IOException {
    Peer tooMuch = blobPeer();
    tooMuch.send(FrameKind.BLOB_PUT, put("s/a", 2));
    tooMuch.send(FrameKind.BLOB_DATA, new byte[3]);
    assertEquals("BAD_REQUEST", tooMuch.error());
    Peer tooLarge = blobPeer();
    tooLarge.send(FrameKind.BLOB_PUT, put("s/b", (1L << 30) + 1));
    assertEquals("TOO_LARGE", tooLarge.error());
    Peer early = blobPeer();
    early.send(FrameKind.BLOB_DATA, new byte[1]);
    assertEquals("BAD_REQUEST", early.error());
    assertTrue(blobs.seals.isEmpty());
  }

  @Test
  void anInterruptedPutLeavesNothing() throws IOException {
    Peer peer = blobPeer();
    peer.send(FrameKind.BLOB_PUT, put("i/a", 3 * MIB));
    peer.send(FrameKind.BLOB_DATA, new byte[MIB]);
    home.await("first chunk", () -> !blobs.chunks.isEmpty());
    peer.close();
    home.await("dropped", () -> blobs.chunks.isEmpty());
  }

  @Test
  void aStorageErrorIsAnsweredAndTheConnectionGoesOn() throws IOException {
    Peer peer = blobPeer();
    blobs.failure = new TasksException(Code.STORAGE_FULL, "full");
    peer.send(FrameKind.BLOB_PUT, put("f/a", 2 * MIB));
    peer.send(FrameKind.BLOB_DATA, new byte[MIB]);
    peer.send(FrameKind.BLOB_DATA, new byte[MIB]);
    assertEquals("STORAGE_FULL", peer.error());
    blobs.failure = null;
    peer.send(FrameKind.BLOB_PUT, put("f/a", 1));
    peer.send(FrameKind.BLOB_DATA, new byte[1]);
    peer.expect(FrameKind.BLOB_OK);
  }
}
