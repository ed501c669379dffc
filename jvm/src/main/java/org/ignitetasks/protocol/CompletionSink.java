package org.ignitetasks.protocol;

import java.util.List;

/** Where a gateway hears of ends; called by home threads, must not block. */
public interface CompletionSink {
  /** Hands ends to a session; a session that is gone is no error. */
  void completed(long session, List<Completion> completions);

  /** Says that completions may have been missed (a home moved): sessions must watch again. */
  void mayHaveMissed();
}
