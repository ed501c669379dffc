package org.ignitetasks.gateway;

import py4j.Py4JException;

/**
 * The other side said something that is not in the protocol: it gets {@code !x} and no more.
 *
 * <p>The message goes to the log only; it never contains what the other side sent.
 */
final class RefusedException extends Py4JException {
  RefusedException(String message) {
    super(message);
  }
}
