package org.ignitetasks.node;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.logging.ConsoleHandler;
import java.util.logging.Formatter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.ignitetasks.model.TasksException;

/**
 * The JVM's entry: {@code NodeMain --config FILE [--exit-when-ready]}.
 *
 * <p>Prints {@code READY port} when it can be used; on failure one line {@code ERROR CODE sentence}
 * to standard error and exit code 1. SIGTERM stops it cleanly; with a lifeline, so does the end of
 * standard input, so that it never outlives the process that owns it.
 */
public final class NodeMain {
  /** Loggers are weakly held by the JDK: without this their levels would be collected. */
  private static final List<Logger> KEPT = new ArrayList<>();

  private NodeMain() {}

  public static void main(String[] args) {
    // Ours decides the order in which things stop; Ignite's own hook would run beside it.
    System.setProperty("IGNITE_NO_SHUTDOWN_HOOK", "true");
    System.setProperty("IGNITE_QUIET", "false");
    System.setProperty("IGNITE_NO_ASCII", "true");
    System.setProperty("IGNITE_PERFORMANCE_SUGGESTIONS_DISABLED", "true");
    logging();
    List<String> words = List.of(args);
    int config = words.indexOf("--config");
    if (config < 0 || config + 1 >= words.size()) {
      fail("BAD_REQUEST", "usage: NodeMain --config FILE [--exit-when-ready]");
      return;
    }
    try {
      run(NodeSettings.read(Path.of(words.get(config + 1))), words.contains("--exit-when-ready"));
    } catch (TasksException e) {
      Logger.getLogger("ignitetasks.node").log(Level.SEVERE, "the node did not start", e);
      fail(e.code().name(), e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException | Error e) {
      Logger.getLogger("ignitetasks.node").log(Level.SEVERE, "the node did not start", e);
      fail("INTERNAL", "the node did not start: " + e);
    }
  }

  private static void run(NodeSettings settings, boolean exitWhenReady)
      throws InterruptedException {
    Node node = new Node(settings);
    int port = node.start();
    System.out.println("READY " + port);
    System.out.flush();
    Thread hook = new Thread(node::stop, "ignitetasks-stop");
    if (!exitWhenReady) {
      Runtime.getRuntime().addShutdownHook(hook);
      if (settings.lifeline) {
        watchLifeline(node);
      }
      node.awaitStop();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // A signal came first: the hook is stopping the node, and that is what ended the wait.
        return;
      }
    }
    node.stop();
    System.exit(0);
  }

  private static void watchLifeline(Node node) {
    Thread thread =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {
                  // Whatever the owner writes only says that it lives.
                }
              } catch (IOException e) {
                // The pipe broke: the owner is gone.
              }
              node.askStop();
            },
            "ignitetasks-lifeline");
    thread.setDaemon(true);
    thread.start();
  }

  private static void fail(String code, String sentence) {
    System.err.println("ERROR " + code + " " + sentence.replace('\n', ' '));
    System.err.flush();
    // Not exit(): threads of a half-started Ignite must not hold the process.
    Runtime.getRuntime().halt(1);
  }

  private static void logging() {
    Logger root = Logger.getLogger("");
    for (var handler : root.getHandlers()) {
      root.removeHandler(handler);
    }
    ConsoleHandler console = new ConsoleHandler();
    console.setLevel(Level.ALL);
    console.setFormatter(
        new Formatter() {
          @Override
          public String format(LogRecord entry) {
            StringBuilder line =
                new StringBuilder()
                    .append(entry.getInstant())
                    .append(' ')
                    .append(entry.getLevel())
                    .append(' ')
                    .append(entry.getLoggerName())
                    .append(' ')
                    .append(formatMessage(entry))
                    .append('\n');
            if (entry.getThrown() != null) {
              StringWriter trace = new StringWriter();
              entry.getThrown().printStackTrace(new PrintWriter(trace));
              line.append(trace);
            }
            return line.toString();
          }
        });
    root.addHandler(console);
    root.setLevel(Level.INFO);
    // Its warnings are advice about sizes that are ours by intent, and notes about its own logging.
    Logger ignite = Logger.getLogger("org.apache.ignite");
    ignite.setLevel(Level.SEVERE);
    KEPT.addAll(List.of(root, ignite));
  }
}
