package org.ignitetasks.protocol;

import java.util.function.Supplier;
import org.apache.ignite.IgniteException;
import org.ignitetasks.model.TasksException;

/**
 * Announces a worker's credit to one remote home: at most one message under way, the newest number
 * wins. A home that does not know the worker (it has just become one) is told of it.
 */
final class CreditSender {
  private final RemoteHome home;
  private final Supplier<WorkerInfo> worker;
  private int newest = -1;
  private boolean busy;

  CreditSender(RemoteHome home, Supplier<WorkerInfo> worker) {
    this.home = home;
    this.worker = worker;
  }

  synchronized void announce(int free) {
    newest = free;
    if (!busy) {
      send();
    }
  }

  private synchronized void send() {
    if (newest < 0) {
      busy = false;
      return;
    }
    busy = true;
    int free = newest;
    newest = -1;
    try {
      home.creditsAsync(worker.get().epoch(), free).listen(sent -> answered(sent::get, free));
    } catch (IgniteException | IllegalStateException e) {
      // The next heartbeat tries again, at the home that is then there.
      busy = false;
    }
  }

  private void answered(Runnable get, int free) {
    try {
      get.run();
    } catch (RuntimeException e) {
      // Whatever it is, it must not end the sending for ever.
      if (RemoteHome.translated(e).code() == TasksException.Code.NOT_FOUND) {
        joinAgain(free);
        return;
      }
    }
    send();
  }

  private void joinAgain(int free) {
    Thread thread =
        new Thread(
            () -> {
              try {
                WorkerInfo sent;
                do {
                  // Its queues may change meanwhile, and the word of that may have come first.
                  sent = worker.get();
                  home.workerJoined(sent);
                } while (!sent.equals(worker.get()));
                synchronized (this) {
                  newest = newest < 0 ? free : newest;
                }
              } catch (RuntimeException e) {
                // As above: the next heartbeat tries again.
              } finally {
                send();
              }
            },
            "ignitetasks-join");
    thread.setDaemon(true);
    thread.start();
  }
}
