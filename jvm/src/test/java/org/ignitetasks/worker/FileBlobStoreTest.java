package org.ignitetasks.worker;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Random;
import java.util.stream.Stream;
import org.ignitetasks.protocol.BlobStore;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileBlobStoreTest {
  @TempDir Path folder;
  private FileBlobStore store;

  @BeforeEach
  void open() {
    store = new FileBlobStore(folder.resolve("blobs"), true);
  }

  private long files() throws IOException {
    try (Stream<Path> list = Files.list(folder.resolve("blobs"))) {
      return list.count();
    }
  }

  private static byte[] bytes(int seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return bytes;
  }

  @Test
  void aValueIsInvisibleUntilItIsSealedAndThenWhole() {
    byte[] first = bytes(1, BlobStore.CHUNK);
    byte[] last = bytes(2, 17);
    store.putChunk("t/a", 0, first);
    store.putChunk("t/a", 1, last);
    assertNull(store.find("t/a"));
    store.seal("t/a", first.length + last.length, 42, 0);
    assertEquals(new BlobStore.Seal(first.length + 17L, 42, 0), store.find("t/a"));
    assertArrayEquals(first, store.chunk("t/a", 0));
    assertArrayEquals(last, store.chunk("t/a", 1));
    assertNull(store.chunk("t/a", 2));
  }

  @Test
  void anotherStoreOnTheSameFolderFindsIt() {
    store.putChunk("t/a", 0, bytes(1, 10));
    store.seal("t/a", 10, 7, 0);
    FileBlobStore later = new FileBlobStore(folder.resolve("blobs"), false);
    assertArrayEquals(bytes(1, 10), later.chunk("t/a", 0));
  }

  @Test
  void aRepeatedPutReplacesAndAnEmptyValueIsAValue() {
    store.putChunk("t/a", 0, bytes(1, 10));
    store.seal("t/a", 10, 1, 0);
    store.putChunk("t/a", 0, bytes(2, 5));
    store.seal("t/a", 5, 2, 0);
    assertArrayEquals(bytes(2, 5), store.chunk("t/a", 0));
    store.seal("t/empty", 0, 0, 0);
    assertEquals(0, store.find("t/empty").size());
  }

  @Test
  void dropDeletesWholeAndHalfWrittenValues() throws IOException {
    store.putChunk("t/a", 0, bytes(1, 10));
    store.seal("t/a", 10, 1, 0);
    store.putChunk("t/b", 0, bytes(1, 10));
    store.drop("t/a");
    store.drop("t/b");
    store.drop("t/none");
    assertEquals(0, files());
  }

  @Test
  void sweepTakesWhatIsDueAndWhatWasAbandoned() throws IOException {
    long now = System.currentTimeMillis();
    store.putChunk("due", 0, bytes(1, 10));
    store.seal("due", 10, 1, 1_000);
    store.putChunk("kept", 0, bytes(1, 10));
    store.seal("kept", 10, 1, 0);
    Path abandoned = folder.resolve("blobs").resolve("0123.part");
    Files.write(abandoned, bytes(1, 3));
    Files.setLastModifiedTime(abandoned, FileTime.fromMillis(now - 7_200_000));
    assertEquals(1, store.sweep(now));
    assertEquals(1, store.sweep(now + 5_000));
    assertEquals(1, files());
    assertEquals(10, store.find("kept").size());
  }
}
