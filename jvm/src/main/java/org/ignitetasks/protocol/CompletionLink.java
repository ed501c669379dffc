package org.ignitetasks.protocol;

import java.util.List;

/** How homes tell gateways of ends, wherever those are. Does not block. */
public interface CompletionLink {
  /** Hands ends to the session they are for. */
  void completed(Origin origin, List<Completion> completions);
}
