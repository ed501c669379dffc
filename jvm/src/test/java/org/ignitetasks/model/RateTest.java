package org.ignitetasks.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Rates: how they are read, and that no window of time ever has more starts than they allow. */
class RateTest {
  private static final long SECOND = 1_000_000;

  @Test
  void readsUnitsAndPlainNumbers() {
    assertEquals(new Rate(SECOND / 10), Rate.parse("10/s"));
    assertEquals(new Rate(6 * SECOND), Rate.parse("10/m"));
    assertEquals(new Rate(3_600 * SECOND), Rate.parse("1/h"));
    assertEquals(new Rate(2 * SECOND), Rate.parse("0.5"));
    assertEquals(new Rate(1_000), Rate.parse("1000/s"));
    assertEquals(21, Rate.parse("1000/s").burst());
    assertEquals(1, Rate.parse("10/s").burst());
    assertNull(Rate.parse(null));
    assertNull(Rate.parse(""));
    assertNull(Rate.parse("0/m"));
  }

  @Test
  void refusesWhatIsNoRate() {
    for (String text : new String[] {"ten/s", "10/d", "-1/s", "/s", "10/", "NaN", "Infinity"}) {
      assertThrows(TasksException.class, () -> Rate.parse(text), text);
    }
  }

  @Test
  void anyWindowHasWhatTheRateAllowsAndNoMore() {
    Random random = new Random(7);
    for (String text : new String[] {"1/h", "10/m", "7/s", "100/s", "3000/s"}) {
      Rate rate = Rate.parse(text);
      long now = 1_700_000_000L * SECOND;
      long start = now;
      long full = 0;
      long given = 0;
      for (int i = 0; i < 5_000; i++) {
        Rate.Draw draw = rate.draw(full, now, rate.burst());
        full = draw.fullMicros();
        given += draw.count();
        assertTrue(draw.count() == rate.burst() || draw.nextMicros() > now, text);
        long allowed = 1 + (now - start + 20_000) / rate.intervalMicros();
        assertTrue(given <= allowed, text + ": " + given + " of " + allowed);
        // As late as timers are: nothing of the rate may be lost by that.
        now = Math.max(now, draw.nextMicros()) + random.nextInt(15_000);
      }
      assertTrue(given >= (now - start) / rate.intervalMicros() - 20, text + " gave too few");
    }
  }

  @Test
  void aClockSetBackOrAnotherRateClosesTheBucketForOneIntervalAtMost() {
    Rate fast = Rate.parse("10/s");
    long now = 1_700_000_000L * SECOND;
    Rate.Draw draw = fast.draw(now + 3_600 * SECOND, now, 1);
    assertEquals(0, draw.count());
    assertTrue(draw.nextMicros() <= now + fast.intervalMicros());
  }
}
