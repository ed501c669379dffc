package org.ignitetasks.gateway;

import java.io.IOException;

/**
 * One operation of the gateway: takes the fields of a request and writes the payload of the answer.
 *
 * <p>It reads the request to its end before it does anything, so that a malformed one does nothing.
 */
interface Operation {
  void run(RequestReader in, AnswerPacker out) throws IOException;
}
