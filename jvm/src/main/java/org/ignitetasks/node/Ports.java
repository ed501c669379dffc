package org.ignitetasks.node;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;

/** Finds out which port kept a node from starting: Ignite does not always say. */
final class Ports {
  private Ports() {}

  /**
   * Returns the sentence for somebody whose node met a taken port. Called after Ignite let go of
   * its own.
   */
  static String taken(NodeSettings s) {
    if (s.thinPort() > 0 && isTaken(NodeConfigs.LOOPBACK, s.thinPort())) {
      return sentence("thin_port", s.thinPort());
    }
    int discovery = s.discoveryPort > 0 ? s.discoveryPort : NodeConfigs.DISCOVERY_PORT;
    if (!s.embedded() && s.hasData() && isTaken(s.localHost, discovery)) {
      return sentence("discovery_port", discovery);
    }
    if (s.communicationPort > 0 && isTaken(s.localHost, s.communicationPort)) {
      return sentence("communication_port", s.communicationPort);
    }
    return "a port of this node is taken: name others, or stop what uses them";
  }

  private static String sentence(String setting, int port) {
    return "port " + port + " (" + setting + ") is taken: name another, or stop what uses it";
  }

  private static boolean isTaken(String host, int port) {
    try (ServerSocket probe = new ServerSocket(port, 1, InetAddress.getByName(host))) {
      return !probe.isBound();
    } catch (IOException e) {
      return true;
    }
  }
}
