package org.ignitetasks.node;

import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.plugin.extensions.communication.Message;
import org.apache.ignite.spi.IgniteSpiAdapter;
import org.apache.ignite.spi.IgniteSpiException;
import org.apache.ignite.spi.IgniteSpiMultipleInstancesSupport;
import org.apache.ignite.spi.communication.CommunicationListener;
import org.apache.ignite.spi.communication.CommunicationSpi;

/**
 * Communication of a node that is alone for ever: there is nobody to send to and no port on which a
 * stranger could be heard. What a node sends to itself does not come here.
 */
@IgniteSpiMultipleInstancesSupport(true)
final class NoCommunicationSpi extends IgniteSpiAdapter implements CommunicationSpi<Message> {
  @Override
  public void spiStart(String igniteInstanceName) {
    // Nothing to open.
  }

  @Override
  public void spiStop() {
    // Nothing to close.
  }

  @Override
  public void sendMessage(ClusterNode node, Message message) {
    throw new IgniteSpiException("an embedded node is alone: there is no node " + node.id());
  }

  @Override
  public void setListener(CommunicationListener<Message> listener) {
    // Nobody is heard.
  }

  @Override
  public int getSentMessagesCount() {
    return 0;
  }

  @Override
  public long getSentBytesCount() {
    return 0;
  }

  @Override
  public int getReceivedMessagesCount() {
    return 0;
  }

  @Override
  public long getReceivedBytesCount() {
    return 0;
  }

  @Override
  public int getOutboundMessagesQueueSize() {
    return 0;
  }

  @Override
  public void resetMetrics() {
    // There are none.
  }
}
