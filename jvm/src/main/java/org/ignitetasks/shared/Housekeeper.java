package org.ignitetasks.shared;

import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

/** Runs what data nodes do for shared rows once a minute: delete what is past its time. */
public final class Housekeeper {
  private static final Logger LOG = Logger.getLogger("ignitetasks.shared");
  private static final long PERIOD_SECONDS = 60;

  private final ScheduledExecutorService timer;
  private final List<Runnable> chores;

  public Housekeeper(List<Runnable> chores) {
    this.chores = List.copyOf(chores);
    this.timer = Executors.newSingleThreadScheduledExecutor(Housekeeper::thread);
  }

  /** Starts the timer. */
  public void start() {
    timer.scheduleWithFixedDelay(this::run, PERIOD_SECONDS, PERIOD_SECONDS, TimeUnit.SECONDS);
  }

  /** Stops the timer. */
  public void stop() {
    timer.shutdownNow();
  }

  private void run() {
    for (Runnable chore : chores) {
      try {
        chore.run();
      } catch (RuntimeException e) {
        // An exception would end the timer; whatever is left is found a minute later.
        LOG.log(Level.INFO, "old shared rows could not be deleted: trying again", e);
      }
    }
  }

  private static Thread thread(Runnable work) {
    Thread thread = new Thread(work, "ignitetasks-housekeeper");
    thread.setDaemon(true);
    return thread;
  }
}
