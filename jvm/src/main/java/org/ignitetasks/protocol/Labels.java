package org.ignitetasks.protocol;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * Labels of metrics as Prometheus writes them: what stands between the braces, "" for none.
 *
 * <p>Queues and tasks get their names from users, some of whom make them up at run time; a family
 * therefore keeps at most {@link #MAX_VALUES} of them apart and counts the rest as "other".
 */
public final class Labels {
  /** No label at all. */
  public static final String NONE = "";

  static final int MAX_VALUES = 200;
  private static final String OTHER = "other";

  private Labels() {}

  /** Returns {@code name="value"}. */
  public static String of(String name, String value) {
    String escaped = value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
    return name + "=\"" + escaped + "\"";
  }

  /**
   * Returns the series of a label value, made when there is none; that of "other" when there are
   * too many. Threads that meet the limit together may pass it by a few.
   *
   * @param series by label value, not by label string: a lookup per task must not build a string
   */
  public static <T> T series(Map<String, T> series, String value, Function<String, T> make) {
    T known = series.get(value);
    if (known != null) {
      return known;
    }
    return series.computeIfAbsent(series.size() < MAX_VALUES ? value : OTHER, make);
  }

  /** Returns an empty map of series. */
  public static <T> Map<String, T> map() {
    return new ConcurrentHashMap<>();
  }
}
