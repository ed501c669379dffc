package org.ignitetasks.worker;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.ignitetasks.protocol.BlobStore;

/**
 * The lane's listener: a Unix-domain socket in a private folder, one reader thread per connection.
 *
 * <p>It greets and checks the token; what follows is for the role's own class. It never speaks with
 * homes.
 */
public final class LaneServer implements AutoCloseable {
  private static final Logger LOG = System.getLogger(LaneServer.class.getName());
  private static final int MAX_CONNECTIONS = 1_024;
  private static final int BACKLOG = 128;
  private static final long HELLO_MILLIS = 5_000;

  /** A worker names its tasks in HELLO: enough for thousands, too little to fill the heap. */
  private static final int MAX_HELLO = 512 << 10;

  private final Path path;
  private final byte[] token;
  private final WorkerNode worker;
  private final BlobStore blobs;
  private final ServerSocketChannel server;
  private final Set<LaneChannel> connections = ConcurrentHashMap.newKeySet();
  private volatile boolean stopped;

  /**
   * Listens at once.
   *
   * @param path of the socket; the folder above is made, and closed to others
   * @param token every peer must show
   * @throws TasksException UNAVAILABLE if the path cannot be listened at
   */
  public LaneServer(Path path, String token, WorkerNode worker, BlobStore blobs) {
    this.path = path;
    this.token = token.getBytes(StandardCharsets.UTF_8);
    this.worker = worker;
    this.blobs = blobs;
    try {
      Path folder = path.toAbsolutePath().getParent();
      Files.createDirectories(folder);
      Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
      // Whoever starts a node holds the instance's lock, so a socket that is there is a dead one's.
      Files.deleteIfExists(path);
      this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
      server.bind(UnixDomainSocketAddress.of(path), BACKLOG);
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    } catch (IOException e) {
      throw new TasksException(
          Code.UNAVAILABLE,
          "the lane cannot listen at "
              + path
              + " ("
              + e.getMessage()
              + "); choose a data folder"
              + " that is writable and whose path is shorter than 90 bytes",
          e);
    }
    start(this::accept, "ignitetasks-lane-accept");
  }

  /** Returns how many peers are connected, greeted or not. */
  public int connectionCount() {
    return connections.size();
  }

  private static void start(Runnable work, String name) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() {
    while (!stopped) {
      try {
        SocketChannel socket = server.accept();
        LaneChannel channel = new LaneChannel(socket, MAX_HELLO);
        if (connections.size() >= MAX_CONNECTIONS) {
          refuse(channel, Code.BUSY, "the lane has " + MAX_CONNECTIONS + " connections; use fewer");
          channel.close();
          continue;
        }
        connections.add(channel);
        start(() -> serve(channel), "ignitetasks-lane");
      } catch (IOException e) {
        if (!stopped) {
          LOG.log(Level.WARNING, "lane_accept_failed error={0}", e.toString());
          pause();
        }
      }
    }
  }

  /** Out of descriptors, most likely: accepting again at once would only burn the processor. */
  private static void pause() {
    try {
      Thread.sleep(100);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void serve(LaneChannel channel) {
    try {
      greetAndServe(channel);
    } catch (LaneException e) {
      LOG.log(Level.WARNING, "lane_peer_refused code={0} error={1}", e.code(), e.getMessage());
      refuse(channel, e.code(), e.getMessage());
    } catch (IOException e) {
      LOG.log(Level.DEBUG, "lane_connection_ended error={0}", e.toString());
    } catch (RuntimeException e) {
      LOG.log(Level.ERROR, "lane_connection_failed", e);
      refuse(channel, Code.INTERNAL, "the lane failed; see the node's log");
    } finally {
      channel.close();
      connections.remove(channel);
    }
  }

  private void greetAndServe(LaneChannel channel) throws IOException {
    Greeting greeting = new Greeting(channel);
    worker.after(HELLO_MILLIS, greeting::expire);
    List<Frame> frames = channel.read();
    if (frames == null || !greeting.arrived()) {
      return;
    }
    Frame first = frames.get(0);
    if (first.kind() != FrameKind.HELLO) {
      throw LaneMessages.malformed("the first frame is not HELLO", null);
    }
    Hello hello = Hello.decode(first.payload());
    if (!MessageDigest.isEqual(token, hello.token().getBytes(StandardCharsets.UTF_8))) {
      throw new LaneException(
          Code.BAD_REQUEST, "the token is wrong; read it from the connection file again");
    }
    if (frames.size() > 1) {
      throw LaneMessages.malformed("frames before WELCOME", null);
    }
    Thread.currentThread().setName("ignitetasks-lane-" + hello.role());
    channel.widen(FrameCodec.MAX_LENGTH, 0);
    switch (hello.role()) {
      case "worker" -> worker.serveWorker(hello, channel);
      case "child" -> worker.serveChild(hello, channel);
      case "blob" -> new BlobConnection(channel, blobs).serve();
      default -> throw LaneMessages.malformed("unknown role", null);
    }
  }

  private static void refuse(LaneChannel channel, Code code, String message) {
    channel.tell(FrameKind.ERROR, LaneMessages.error(code, message));
  }

  /** The deadline of a HELLO; a peer that says nothing must not keep a connection. */
  private static final class Greeting {
    private final LaneChannel channel;
    private boolean over;

    Greeting(LaneChannel channel) {
      this.channel = channel;
    }

    synchronized boolean arrived() {
      boolean inTime = !over;
      over = true;
      return inTime;
    }

    synchronized void expire() {
      if (!over) {
        over = true;
        refuse(channel, Code.BAD_REQUEST, "no HELLO within 5 s; connect again");
        channel.close();
      }
    }
  }

  /** Stops listening; connections stay until the worker node is closed or {@link #close}. */
  public void stopListening() {
    stopped = true;
    try {
      server.close();
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.log(Level.WARNING, "lane_stop_failed error={0}", e.toString());
    }
  }

  /** Stops listening and cuts all connections. */
  @Override
  public void close() {
    stopListening();
    connections.forEach(LaneChannel::close);
  }
}
