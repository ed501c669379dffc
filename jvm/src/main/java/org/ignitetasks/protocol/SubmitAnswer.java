package org.ignitetasks.protocol;

import java.util.List;

/** What became of a batch: all items not listed were created. */
public record SubmitAnswer(int created, List<Exception> exceptions) {
  /** The id is there with the same fingerprint (or none was given). */
  public static final int EXISTS = 1;

  /** The id is there with another fingerprint. */
  public static final int CONFLICT = 2;

  /** One item that was not created: its index in the batch, why, and the state found. */
  public record Exception(int index, int code, int state) {}
}
