package org.ignitetasks.gateway;

import java.io.IOException;

/** An answer was sent in part, or not at all: the connection is of no use any more. */
final class AnswerLostException extends IOException {
  private static final long serialVersionUID = 1L;

  AnswerLostException(IOException cause) {
    super("the answer could not be sent", cause);
  }
}
