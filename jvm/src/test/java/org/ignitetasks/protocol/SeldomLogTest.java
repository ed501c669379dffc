package org.ignitetasks.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.util.ArrayList;
import java.util.List;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

/** What fails again and again is said, and not as often. */
class SeldomLogTest {
  private final List<LogRecord> said = new ArrayList<>();
  private long now;

  private Logger logger() {
    Logger logger = Logger.getAnonymousLogger();
    logger.setUseParentHandlers(false);
    logger.addHandler(
        new Handler() {
          @Override
          public void publish(LogRecord entry) {
            said.add(entry);
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        });
    return logger;
  }

  @Test
  void theFirstIsSaidAndTheRestIsCounted() {
    SeldomLog log = new SeldomLog(logger(), 100, () -> now);
    RuntimeException why = new IllegalStateException("broken");
    log.say("it failed", why);
    log.say("it failed", why);
    now = 99;
    log.say("it failed", why);
    now = 100;
    log.say("it failed", why);
    now = 500;
    log.say("it failed", why);
    assertEquals(
        List.of("it failed", "it failed (and 2 like it)", "it failed"),
        said.stream().map(LogRecord::getMessage).toList());
    assertSame(why, said.get(0).getThrown());
  }
}
