package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterNode;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;

/**
 * Remote control across the cluster: each node is sent the question by a short job and says at once
 * whom it has asked; the answers follow as messages, so that no thread of another node waits.
 */
public final class Controls implements ControlApi, AutoCloseable {
  private static final Logger LOG = Logger.getLogger("ignitetasks.control");
  private static final int MAX_OPEN = 64;
  private static final long MAX_BYTES = 32L << 20;

  private final Ignite ignite;
  private final WorkerApi local;
  private final Map<Long, Answering> open = new ConcurrentHashMap<>();
  private final AtomicLong numbers = new AtomicLong();
  private final AtomicLong bytes = new AtomicLong();
  private volatile boolean closed;

  /** Also starts to listen for the answers of other nodes' workers. */
  public Controls(Ignite ignite, WorkerApi local) {
    this.ignite = ignite;
    this.local = local;
    ignite
        .message()
        .localListen(
            WorkerJob.ANSWERS,
            (sender, message) -> {
              Object[] in = (Object[]) message;
              answered((Long) in[0], (Long) in[1], (byte[]) in[2]);
              return true;
            });
  }

  @Override
  public List<Reply> control(
      String command, byte[] body, List<String> destinations, long timeoutMillis, int limit) {
    if (timeoutMillis == 0) {
      ask(new Question(0, command, body, destinations, 0), new Answering(limit, bytes));
      return List.of();
    }
    if (closed || open.size() >= MAX_OPEN) {
      throw new TasksException(
          Code.BUSY, "The node waits for the answers to many questions already; try again.");
    }
    long number = numbers.incrementAndGet();
    Answering answering = new Answering(limit, bytes);
    open.put(number, answering);
    try {
      ask(new Question(number, command, body, destinations, timeoutMillis), answering);
      return answering.await(timeoutMillis);
    } finally {
      open.remove(number);
      answering.close();
    }
  }

  private void ask(Question question, Answering answering) {
    answering.asking(1);
    UUID here = localId();
    for (ClusterNode node : ignite.cluster().forRemotes().nodes()) {
      answering.asking(1);
      try {
        ignite
            .compute(ignite.cluster().forNode(node))
            .withNoFailover()
            .withExecutor(Workers.EXECUTOR)
            .callAsync(new WorkerJob("control", Parcels.question(question), here))
            .listen(
                future -> {
                  try {
                    answering.asked(Parcels.asked(future.get()));
                  } catch (IgniteException e) {
                    LOG.log(Level.FINE, "a node could not be asked", e);
                    answering.asked(List.of());
                  }
                });
      } catch (IgniteException | IllegalStateException e) {
        LOG.log(Level.FINE, "a node has left before it was asked", e);
        answering.asked(List.of());
      }
    }
    answering.asked(local.control(question, this::answered));
  }

  /** Asked anew each time: a client node that was cut off comes back under another id. */
  private UUID localId() {
    try {
      return ignite.cluster().localNode().id();
    } catch (IgniteException | IllegalStateException e) {
      throw new TasksException(
          Code.UNAVAILABLE, "this node has lost its cluster and looks for it: try again", e);
    }
  }

  private void answered(long number, long epoch, byte[] body) {
    Answering answering = open.get(number);
    if (answering != null) {
      answering.answered(epoch, body);
    }
  }

  /** Ends all waiting with what has been answered so far. */
  @Override
  public void close() {
    closed = true;
    open.values().forEach(Answering::enough);
  }

  /** The answers to one question, as far as they have come. */
  private static final class Answering {
    private final int limit;
    private final AtomicLong allBytes;
    private final Map<Long, String> asked = new ConcurrentHashMap<>();
    private final Map<Long, byte[]> answers = new ConcurrentHashMap<>();
    private int nodesLeft;
    private int silent;
    private long bytes;
    private boolean enough;
    private boolean tooLarge;

    Answering(int limit, AtomicLong allBytes) {
      this.limit = limit;
      this.allBytes = allBytes;
    }

    synchronized void asking(int nodes) {
      nodesLeft += nodes;
    }

    synchronized void asked(List<Question.Asked> workers) {
      nodesLeft--;
      workers.forEach(worker -> asked.put(worker.epoch(), worker.worker()));
      notifyAll();
    }

    synchronized void answered(long epoch, byte[] body) {
      if (body == null) {
        silent++;
      } else if (allBytes.get() + body.length > MAX_BYTES) {
        tooLarge = true;
      } else if (!enough && answers.putIfAbsent(epoch, body) == null) {
        bytes += body.length;
        allBytes.addAndGet(body.length);
      }
      notifyAll();
    }

    synchronized void enough() {
      enough = true;
      notifyAll();
    }

    synchronized List<Reply> await(long millis) {
      long end = System.nanoTime() + millis * 1_000_000;
      try {
        while (!over()) {
          long left = (end - System.nanoTime() + 999_999) / 1_000_000;
          if (left <= 0) {
            break;
          }
          wait(left);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      if (tooLarge) {
        throw new TasksException(
            Code.TOO_LARGE, "The answers are too large together; ask fewer workers at a time.");
      }
      List<Reply> replies = new ArrayList<>();
      answers.forEach(
          (epoch, body) -> {
            if (asked.containsKey(epoch) && replies.size() < limit) {
              replies.add(new Reply(asked.get(epoch), body));
            }
          });
      return replies;
    }

    private boolean over() {
      return enough
          || tooLarge
          || (nodesLeft == 0 && answers.size() + silent >= Math.min(asked.size(), limit));
    }

    synchronized void close() {
      enough = true;
      allBytes.addAndGet(-bytes);
      bytes = 0;
    }
  }
}
