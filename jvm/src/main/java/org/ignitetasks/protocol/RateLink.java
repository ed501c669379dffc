package org.ignitetasks.protocol;

import java.util.Map;
import org.ignitetasks.model.Rate;

/**
 * What the whole cluster knows of rates: limits set at run time, and one bucket per task name for
 * all homes. Calls block for a commit at the most; all throw {@link
 * org.ignitetasks.model.TasksException}.
 */
public interface RateLink {
  /** Returns limits set at run time, by task; they win over what workers declare. */
  Map<String, String> overrides();

  /**
   * Takes starts of a task out of the cluster's bucket.
   *
   * @param most how many are wanted
   */
  Rate.Draw draw(String task, Rate rate, int most);
}
