package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.CompletionLink;
import org.ignitetasks.protocol.Origin;

/** Gateways that remember what each session was told. */
final class FakeGateways implements CompletionLink {
  private final Map<Origin, List<Completion>> told = new HashMap<>();
  volatile boolean broken;

  /** What a client does the moment it is told. */
  volatile Runnable heard = () -> {};

  @Override
  public synchronized void completed(Origin origin, List<Completion> completions) {
    if (broken) {
      throw new IllegalStateException("injected: the gateway is broken");
    }
    told.computeIfAbsent(origin, key -> new ArrayList<>()).addAll(completions);
    heard.run();
  }

  synchronized List<Completion> told(Origin origin) {
    return List.copyOf(told.getOrDefault(origin, List.of()));
  }

  synchronized Map<Origin, List<Completion>> all() {
    return Map.copyOf(told);
  }
}
