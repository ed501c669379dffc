package org.ignitetasks.worker;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The connected children of one epoch and when to cut them off. Guarded by the session's lock. */
final class Children {
  private static final Logger LOG = System.getLogger(Children.class.getName());

  /** After a report of death, how long a socket that somebody else keeps open may stay silent. */
  private static final long LEFTOVER_NANOS = 300_000_000;

  /** How long a child may leave a frame unread before it counts as hung. */
  private static final long STALLED_NANOS = 5_000_000_000L;

  private final Map<ChildState, ChildConnection> connections = new LinkedHashMap<>();

  void add(ChildConnection child) {
    connections.put(child.state, child);
  }

  void remove(ChildConnection child) {
    connections.remove(child.state);
  }

  boolean isEmpty() {
    return connections.isEmpty();
  }

  int size() {
    return connections.size();
  }

  /** Returns a copy, to be used without the lock. */
  List<ChildConnection> all() {
    return new ArrayList<>(connections.values());
  }

  /** Returns the connections of these children. */
  List<ChildConnection> of(Collection<ChildState> states) {
    List<ChildConnection> result = new ArrayList<>(states.size());
    states.forEach(child -> result.add(connections.get(child)));
    return result;
  }

  /** Gives none of them any more work. */
  void stop() {
    connections.keySet().forEach(ChildState::stop);
  }

  /** Notes a supervisor's report with the child it is about, if that is connected still. */
  void died(LaneMessages.ChildDied report, long now) {
    for (ChildState child : connections.keySet()) {
      if (child.child == report.child() && child.pid == report.pid() && child.death == null) {
        child.death = report.death();
        child.deathNanos = now;
      }
    }
  }

  /**
   * Closes the sockets of children that are gone or hung: a grandchild that inherited the socket
   * keeps it open after the child's death, and a stopped child reads nothing.
   */
  void cutOff(long now) {
    for (ChildConnection child : connections.values()) {
      ChildState state = child.state;
      boolean dead = state.death != null && now - state.deathNanos > LEFTOVER_NANOS;
      if ((dead && child.channel.silentNanos(now) > LEFTOVER_NANOS) || hung(child.channel, now)) {
        LOG.log(
            Level.WARNING,
            "child_cut_off child={0} pid={1}",
            state.child,
            Integer.toString(state.pid));
        child.channel.close();
      }
    }
  }

  /** Says whether a peer has not read what is being written to it for too long. */
  static boolean hung(LaneChannel channel, long now) {
    return channel.stalledNanos(now) > STALLED_NANOS;
  }
}
