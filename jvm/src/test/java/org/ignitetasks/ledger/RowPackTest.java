package org.ignitetasks.ledger;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TasksException;
import org.junit.jupiter.api.Test;

class RowPackTest {
  private static String id(int counter) {
    return String.format("01234567-89ab-4cde-8f01-%08x3a5c", counter);
  }

  @Test
  void neighboursHaveOnePackAndAPlaceEach() {
    Set<String> packs = new HashSet<>();
    for (int counter = 0; counter < 4 * RowPack.ROWS; counter++) {
      String key = RowPack.keyOf(id(counter));
      packs.add(key);
      assertEquals(counter % RowPack.ROWS, RowPack.place(id(counter)));
      assertEquals(id(counter), RowPack.keyAt(key, RowPack.place(id(counter))));
      assertEquals(Locator.of(id(counter)), Locator.of(key));
    }
    assertEquals(4, packs.size());
  }

  @Test
  void otherKeysAreInNoPack() {
    assertNull(RowPack.keyOf("invoice-42"));
    assertNull(RowPack.keyOf("01234567-89ab-5cde-8f01-000000003a5c"));
    assertNull(RowPack.keyOf("01234567-89AB-4CDE-8F01-000000003A5C"));
    assertNull(RowPack.keyOf(RowPack.keyOf(id(1))));
  }

  @Test
  void whatIsStoredComesBack() {
    RowPack pack = new RowPack();
    assertTrue(pack.isEmpty());
    pack.set(0, new byte[] {1});
    pack.set(RowPack.ROWS - 1, new byte[300]);
    pack.set(7, new byte[0]);
    byte[] stored = pack.encode();
    assertTrue(RowPack.is(stored));
    RowPack again = RowPack.decode("k", stored);
    assertArrayEquals(new byte[] {1}, again.get(0));
    assertArrayEquals(new byte[300], again.get(RowPack.ROWS - 1));
    assertArrayEquals(new byte[0], again.get(7));
    assertNull(again.get(8));
    again.set(0, null);
    again.set(7, null);
    again.set(RowPack.ROWS - 1, null);
    assertTrue(again.isEmpty());
  }

  @Test
  void aDamagedPackIsNamed() {
    RowPack pack = new RowPack();
    pack.set(3, "value".getBytes());
    byte[] stored = pack.encode();
    byte[] cut = Arrays.copyOf(stored, stored.length - 1);
    byte[] odd = stored.clone();
    odd[1] = -1;
    byte[] negative = stored.clone();
    negative[2] = -1;
    for (byte[] damaged : new byte[][] {cut, odd, negative}) {
      TasksException e =
          assertThrows(TasksException.class, () -> RowPack.decode("some key", damaged));
      assertEquals(TasksException.Code.INTERNAL, e.code());
      assertTrue(e.getMessage().contains("some key"), e.getMessage());
    }
    assertFalse(RowPack.is(new byte[] {3}));
  }
}
