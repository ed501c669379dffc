package org.ignitetasks.home;

import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

/** The ids of dead letters (DEAD, REJECTED) of this home, oldest first. Thread-safe. */
final class DeadLetters {
  private final Set<String> ids = new LinkedHashSet<>();

  synchronized void add(String id) {
    ids.add(id);
  }

  synchronized void remove(Collection<String> gone) {
    if (!ids.isEmpty()) {
      ids.removeAll(gone);
    }
  }

  synchronized void removeIf(Predicate<String> gone) {
    ids.removeIf(gone);
  }

  synchronized List<String> first(int limit) {
    return ids.stream().limit(limit).toList();
  }
}
