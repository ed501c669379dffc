package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The status of several homes as one. A worker is known to all homes: its running numbers add up,
 * its free slots do not.
 */
final class StatusSum {
  private static final Set<String> LARGEST = Set.of("workers", "oldest_ms");
  private static final Set<String> SAME =
      Set.of("epoch", "pid", "concurrency", "started_ms", "tasks");

  private StatusSum() {}

  static Map<String, Object> of(List<Map<String, Object>> parts) {
    Map<String, Object> all = new LinkedHashMap<>();
    List<Map<String, Object>> queues = merged(parts, "queues", "name");
    List<Map<String, Object>> workers = merged(parts, "workers", "epoch");
    countFree(queues, workers);
    all.put("queues", queues);
    all.put("workers", workers);
    Map<String, Object> states = new LinkedHashMap<>();
    for (Map<String, Object> part : parts) {
      map(part.get("states")).forEach((name, n) -> states.merge(name, n, StatusSum::plus));
    }
    all.put("states", states);
    return all;
  }

  /** A home knows only what runs for itself: what is free follows from the sum. */
  private static void countFree(
      List<Map<String, Object>> queues, List<Map<String, Object>> workers) {
    for (Map<String, Object> worker : workers) {
      worker.put("free", Math.max(0, number(worker, "concurrency") - number(worker, "running")));
    }
    for (Map<String, Object> queue : queues) {
      long free = 0;
      for (Map<String, Object> worker : workers) {
        boolean here = ((List<?>) worker.get("queues")).contains(queue.get("name"));
        free += here ? number(worker, "free") : 0;
      }
      queue.put("free_slots", free);
    }
  }

  private static long number(Map<String, Object> row, String field) {
    return row.get(field) instanceof Number n ? n.longValue() : 0;
  }

  private static List<Map<String, Object>> merged(
      List<Map<String, Object>> parts, String list, String key) {
    Map<Object, Map<String, Object>> rows = new LinkedHashMap<>();
    for (Map<String, Object> part : parts) {
      for (Object item : (List<?>) part.get(list)) {
        Map<String, Object> row = map(item);
        Map<String, Object> known = rows.putIfAbsent(row.get(key), new LinkedHashMap<>(row));
        if (known != null) {
          row.forEach((field, value) -> known.merge(field, value, (a, b) -> one(field, a, b)));
        }
      }
    }
    return new ArrayList<>(rows.values());
  }

  private static Object one(String field, Object a, Object b) {
    if (!(a instanceof Number) || SAME.contains(field)) {
      return a;
    }
    return LARGEST.contains(field)
        ? (Object) Math.max(((Number) a).longValue(), ((Number) b).longValue())
        : plus(a, b);
  }

  static Map<String, Object> metrics(List<Map<String, Object>> parts) {
    Map<String, Object> all = new LinkedHashMap<>();
    for (Map<String, Object> part : parts) {
      part.forEach((name, value) -> all.merge(name, value, StatusSum::added));
    }
    return all;
  }

  /** Adds numbers, lists of numbers element by element, and maps key by key. */
  private static Object added(Object a, Object b) {
    if (a instanceof Map<?, ?>) {
      Map<String, Object> sum = new LinkedHashMap<>(map(a));
      map(b).forEach((k, v) -> sum.merge(k, v, (x, y) -> k.equals("bounds_ms") ? x : added(x, y)));
      return sum;
    }
    if (a instanceof List<?> list) {
      List<Object> sum = new ArrayList<>();
      for (int i = 0; i < list.size(); i++) {
        sum.add(plus(list.get(i), ((List<?>) b).get(i)));
      }
      return sum;
    }
    return plus(a, b);
  }

  private static Object plus(Object a, Object b) {
    if (a instanceof Double || b instanceof Double) {
      return ((Number) a).doubleValue() + ((Number) b).doubleValue();
    }
    return ((Number) a).longValue() + ((Number) b).longValue();
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> map(Object value) {
    return (Map<String, Object>) value;
  }
}
