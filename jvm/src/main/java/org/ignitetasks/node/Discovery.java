package org.ignitetasks.node;

import org.apache.ignite.spi.IgniteSpiException;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;

/**
 * How nodes find each other. One that is refused says goodbye to nobody: Ignite waits five seconds
 * for an answer to that, which a node that forgets its copy and comes again (see {@link
 * MetastorageCopy}) would lose.
 */
final class Discovery extends TcpDiscoverySpi {
  @Override
  public void spiStart(String name) {
    try {
      super.spiStart(name);
    } catch (IgniteSpiException e) {
      setNetworkTimeout(1);
      throw e;
    }
  }
}
