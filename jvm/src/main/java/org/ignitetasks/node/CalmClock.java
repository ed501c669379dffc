package org.ignitetasks.node;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.internal.util.IgniteUtils;

/**
 * Keeps Ignite's coarse clock with a quarter of the wake-ups.
 *
 * <p>Ignite 2.17 has a thread that sets a variable a hundred times a second, which is two thirds of
 * what an idle lone node costs. Nothing of a lone node is timed by it more finely than a tenth of a
 * second. Where this version of Ignite is built otherwise, its own thread stays.
 */
final class CalmClock {
  private static final Logger LOG = Logger.getLogger("ignitetasks.node");
  private static final String THEIRS = "ignite-clock";
  private static final long PAUSE_MILLIS = 40;
  private static final long END_MILLIS = 1_000;

  private CalmClock() {}

  /** Takes the clock over, for as long as this JVM lives. */
  static void takeOver() {
    try {
      VarHandle clock =
          MethodHandles.privateLookupIn(IgniteUtils.class, MethodHandles.lookup())
              .findStaticVarHandle(IgniteUtils.class, "curTimeMillis", long.class);
      Thread ours = new Thread(() -> keep(clock), "ignitetasks-clock");
      ours.setDaemon(true);
      ours.start();
      endTheirs();
    } catch (ReflectiveOperationException | InterruptedException e) {
      LOG.log(Level.FINE, "Ignite keeps its own clock", e);
    }
  }

  private static void keep(VarHandle clock) {
    while (true) {
      clock.setVolatile(System.currentTimeMillis());
      try {
        Thread.sleep(PAUSE_MILLIS);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  /** Their thread ends when it is interrupted; Ignite does not miss it when it stops. */
  private static void endTheirs() throws InterruptedException {
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      if (thread.getName().equals(THEIRS)) {
        thread.interrupt();
        thread.join(END_MILLIS);
      }
    }
  }
}
