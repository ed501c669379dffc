package org.ignitetasks.model;

import java.util.Random;

/** Records with every field at random: absent, empty, at its limits, or with odd characters. */
final class RandomRecords {
  private static final String[] TEXTS = {
    null,
    "",
    "a",
    "shop.tasks.add",
    "größe",
    "任务",
    "\ud83d\ude80 rocket",
    "a\u0000b",
    "x".repeat(300)
  };
  private static final long[] NUMBERS = {
    0, 1, 127, 128, 16_383, 16_384, 253_402_300_799_999L, Long.MAX_VALUE, -1
  };

  private RandomRecords() {}

  static TaskRecord next(Random random) {
    TaskRecord r = new TaskRecord();
    r.id = "id-" + random.nextInt(1000);
    r.state = TaskState.of(random.nextInt(TaskState.values().length));
    r.task = text(random);
    r.queue = text(random);
    r.priority = random.nextInt(256);
    r.flags = random.nextInt(256);
    r.maxDeliveries = random.nextInt(65_536);
    r.deliveries = random.nextInt(100);
    r.workerLosses = random.nextInt(100);
    r.attempt = random.nextInt(1_000_000);
    r.fence = number(random);
    r.createdMillis = number(random);
    r.etaMillis = number(random);
    r.expiresMillis = number(random);
    r.startedMillis = number(random);
    r.finishedMillis = number(random);
    r.runMicros = number(random);
    r.softLimitMillis = (int) number(random);
    r.hardLimitMillis = (int) number(random);
    r.resultTtlMillis = number(random);
    r.worker = text(random);
    r.errorType = text(random);
    r.rootId = text(random);
    r.parentId = text(random);
    r.groupId = text(random);
    r.joinId = text(random);
    r.joinSize = random.nextInt(5) == 0 ? random.nextInt() : random.nextInt(4) - 2;
    r.replacedFence = number(random);
    r.note = text(random);
    r.overFence = number(random);
    r.fingerprint = bytes(random);
    r.options = bytes(random);
    r.body = bytes(random);
    r.payload = bytes(random);
    return r;
  }

  private static String text(Random random) {
    return TEXTS[random.nextInt(TEXTS.length)];
  }

  private static long number(Random random) {
    return random.nextBoolean()
        ? NUMBERS[random.nextInt(NUMBERS.length)]
        : random.nextLong(Long.MAX_VALUE);
  }

  private static byte[] bytes(Random random) {
    int length = random.nextInt(5) == 0 ? random.nextInt(70_000) : random.nextInt(40) - 1;
    if (length < 0) {
      return null;
    }
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return bytes;
  }
}
