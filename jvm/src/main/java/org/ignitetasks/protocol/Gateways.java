package org.ignitetasks.protocol;

import java.util.List;
import java.util.UUID;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterNode;

/** Homes' way to gateways: a direct call where both are in one JVM, else a topic message. */
public final class Gateways implements CompletionLink {
  private static final String TOPIC = "ignitetasks.completions";
  private static final String MOVED = "ignitetasks.moved";
  private static final Logger LOG = Logger.getLogger("ignitetasks.gateways");

  private final Ignite ignite;
  private final CompletionSink local;
  private final UUID localId;

  /** Also starts to listen for the messages of other homes to this gateway. */
  public Gateways(Ignite ignite, CompletionSink local) {
    this.ignite = ignite;
    this.local = local;
    this.localId = ignite.cluster().localNode().id();
    ignite
        .message()
        .localListen(
            TOPIC,
            (sender, message) -> {
              Object[] in = (Object[]) message;
              local.completed((Long) in[0], Parcels.completions(in[1]));
              return true;
            });
    ignite
        .message()
        .localListen(
            MOVED,
            (sender, message) -> {
              local.mayHaveMissed();
              return true;
            });
  }

  /**
   * Tells all gateways that a home has moved to this node, where nobody knows who waits for what.
   */
  public void homeMoved() {
    local.mayHaveMissed();
    // Each by itself: one that is going away must not keep the word from the others.
    for (ClusterNode node : ignite.cluster().forRemotes().nodes()) {
      try {
        ignite.message(ignite.cluster().forNode(node)).send(MOVED, "");
      } catch (IgniteException | IllegalStateException e) {
        LOG.log(Level.FINE, "a gateway did not hear of a new home", e);
      }
    }
  }

  @Override
  public void completed(Origin origin, List<Completion> completions) {
    if (origin.node().equals(localId)) {
      local.completed(origin.session(), completions);
      return;
    }
    ClusterNode node = ignite.cluster().node(origin.node());
    if (node == null) {
      return;
    }
    try {
      Object[] message = {origin.session(), Parcels.completions(completions)};
      ignite.message(ignite.cluster().forNode(node)).send(TOPIC, message);
    } catch (IgniteException | IllegalStateException e) {
      // The client asks again for what it misses.
      LOG.log(Level.FINE, "a gateway did not hear of ends", e);
    }
  }
}
