package org.ignitetasks.gateway;

import java.net.InetAddress;
import py4j.Gateway;
import py4j.Py4JPythonClient;

/**
 * Stands where Py4J wants a client for calls from Java into Python: there are none.
 *
 * <p>Py4J's own client would keep a non-daemon thread alive and know a port to call.
 */
final class NoCallbacks implements Py4JPythonClient {
  @Override
  public String sendCommand(String command) {
    throw refused();
  }

  @Override
  public String sendCommand(String command, boolean blocking) {
    throw refused();
  }

  @Override
  public void shutdown() {}

  @Override
  public Py4JPythonClient copyWith(InetAddress pythonAddress, int pythonPort) {
    return this;
  }

  @Override
  public boolean isMemoryManagementEnabled() {
    return false;
  }

  @Override
  public int getPort() {
    return 0;
  }

  @Override
  public int getReadTimeout() {
    return 0;
  }

  @Override
  public InetAddress getAddress() {
    return InetAddress.getLoopbackAddress();
  }

  @Override
  @SuppressWarnings("rawtypes")
  public Object getPythonServerEntryPoint(Gateway gateway, Class[] interfacesToImplement) {
    throw refused();
  }

  private static UnsupportedOperationException refused() {
    return new UnsupportedOperationException("this gateway never calls into Python");
  }
}
