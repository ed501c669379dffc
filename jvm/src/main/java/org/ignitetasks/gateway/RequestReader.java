package org.ignitetasks.gateway;

import org.ignitetasks.protocol.FieldReader;

/** Reads the fields of one request, behind the head of its frame. */
final class RequestReader extends FieldReader {
  /** Reads the payload of a frame that {@link CallFrame#checkRequest} found whole. */
  RequestReader(byte[] frame) {
    super(frame, CallFrame.HEADER);
  }
}
