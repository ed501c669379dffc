package org.ignitetasks.model;

import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/**
 * Where a task lives, derived from its id alone: every part of the system can compute it.
 *
 * <p>Ids made by a client carry their queue's locator in the last four hex digits, so that one
 * queue has one home; ids from idempotency keys and ids chosen by callers have a locator of their
 * own, so that the same id is one record whatever queue it was sent to.
 */
public final class Locator {
  /** Partitions of every cache that is placed by locator; part of the on-disk format. */
  public static final int PARTITIONS = 64;

  private static final int UUID_LENGTH = 36;

  private Locator() {}

  /** Returns the locator (0 to 65535) of a task id, or of a key that starts with one and '/'. */
  public static int of(String key) {
    int slash = key.indexOf('/');
    String id = slash < 0 ? key : key.substring(0, slash);
    return uuidShaped(id) ? Integer.parseInt(id, 32, UUID_LENGTH, 16) : checksum(id);
  }

  /** Returns the partition (0 to 63) that holds the record of this task id. */
  public static int partition(String id) {
    return of(id) % PARTITIONS;
  }

  /** Returns the locator of a queue by its name: ids of its tasks end with it. */
  public static int ofQueue(String queue) {
    return checksum(queue);
  }

  private static int checksum(String text) {
    CRC32 crc = new CRC32();
    crc.update(text.getBytes(StandardCharsets.UTF_8));
    return (int) crc.getValue() & 0xffff;
  }

  /** Says whether an id has the shape of a lower-case UUID. */
  static boolean uuidShaped(String id) {
    if (id.length() != UUID_LENGTH) {
      return false;
    }
    // Asked several times for each task. As bytes: a call for each character would cost far more;
    // what has no byte of its own becomes a question mark, which is no digit.
    byte[] chars = id.getBytes(StandardCharsets.ISO_8859_1);
    for (int i = 0; i < UUID_LENGTH; i++) {
      byte c = chars[i];
      boolean hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      boolean dash = i == 8 || i == 13 || i == 18 || i == 23;
      if (dash ? c != '-' : !hex) {
        return false;
      }
    }
    return true;
  }
}
