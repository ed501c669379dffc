package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import org.ignitetasks.protocol.Completion;
import org.ignitetasks.protocol.Origin;

/**
 * Which sessions wait for which tasks, beside the session that submitted a task, which its entry
 * names. Guarded by the home's lock.
 */
final class Watchers {
  private final Map<String, List<Origin>> byTask = new HashMap<>();

  void add(String id, Origin origin) {
    List<Origin> origins = byTask.computeIfAbsent(id, key -> new ArrayList<>(1));
    if (!origins.contains(origin)) {
      origins.add(origin);
    }
  }

  void remove(String id, Origin origin) {
    List<Origin> origins = byTask.get(id);
    if (origins != null && origins.remove(origin) && origins.isEmpty()) {
      byTask.remove(id);
    }
  }

  void sessionClosed(Origin origin) {
    byTask.values().removeIf(origins -> origins.remove(origin) && origins.isEmpty());
  }

  /** Forgets the sessions of a node that has left the cluster. */
  void nodeLeft(UUID node) {
    byTask
        .values()
        .removeIf(
            origins -> origins.removeIf(origin -> origin.node().equals(node)) && origins.isEmpty());
  }

  /** Forgets tasks that have another home now; sessions are told to ask again. */
  void forget(Predicate<String> gone) {
    byTask.keySet().removeIf(gone);
  }

  /** Adds a completion to the mail of everybody who waits for it, and forgets that they did. */
  void collect(Completion end, Origin submitter, Map<Origin, List<Completion>> mail) {
    if (submitter != null) {
      mail.computeIfAbsent(submitter, key -> new ArrayList<>()).add(end);
    }
    if (byTask.isEmpty()) {
      return;
    }
    List<Origin> origins = byTask.remove(end.id());
    if (origins != null) {
      for (Origin origin : origins) {
        if (!origin.equals(submitter)) {
          mail.computeIfAbsent(origin, key -> new ArrayList<>()).add(end);
        }
      }
    }
  }

  /** Adds word of a task that runs on to the mail of everybody who waits for it. */
  void tell(Completion word, Origin submitter, Map<Origin, List<Completion>> mail) {
    if (submitter != null) {
      mail.computeIfAbsent(submitter, key -> new ArrayList<>()).add(word);
    }
    for (Origin origin : byTask.getOrDefault(word.id(), List.of())) {
      if (!origin.equals(submitter)) {
        mail.computeIfAbsent(origin, key -> new ArrayList<>()).add(word);
      }
    }
  }

  int size() {
    return byTask.size();
  }

  static Map<Origin, List<Completion>> mail() {
    return new LinkedHashMap<>();
  }
}
