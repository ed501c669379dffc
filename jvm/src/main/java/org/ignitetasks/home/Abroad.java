package org.ignitetasks.home;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.ignitetasks.model.Locator;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;

/**
 * What outcomes bring to tasks of other homes: ids that callers chose, or that come from keys, lie
 * anywhere in a cluster.
 *
 * <p>There is no transaction over two homes, so that this part is brought before the outcome is
 * committed, and may be there although the outcome then is not: at least once, under the same ids.
 * The other way round a death between the two would lose it.
 */
final class Abroad {
  private final HomeContext home;
  private volatile HomeApi others;

  Abroad(HomeContext home) {
    this.home = home;
  }

  void others(HomeApi homes) {
    others = homes;
  }

  /** Brings what is for others; returns the outcomes with what is left for this home. */
  List<Outcome> bring(List<Outcome> outcomes) {
    boolean all = true;
    for (Outcome outcome : outcomes) {
      all &= outcome.spawn() == null || here(outcome.spawn());
    }
    if (all) {
      return outcomes;
    }
    List<Outcome> left = new ArrayList<>(outcomes.size());
    for (Outcome outcome : outcomes) {
      left.add(outcome.spawn() == null || here(outcome.spawn()) ? outcome : bringOthers(outcome));
    }
    return left;
  }

  private Outcome bringOthers(Outcome outcome) {
    Spawn spawn = outcome.spawn();
    for (Spawn.Growth growth : spawn.grow()) {
      if (!own(growth.id())) {
        throw new TasksException(
            TasksException.Code.BAD_REQUEST,
            "task "
                + outcome.id()
                + " cannot add members to "
                + growth.id()
                + ", which another node keeps: give both ids with the same last four digits");
      }
    }
    boolean current;
    synchronized (home.lock) {
      Entry lease = home.state.lease(outcome.id());
      current = lease != null && lease.fence == outcome.fence();
    }
    if (current) {
      others.bring(
          new Spawn(
              some(spawn.submit(), r -> r.id, false),
              some(spawn.end(), r -> r.id, false),
              List.of()));
    }
    return outcome.with(
        new Spawn(
            some(spawn.submit(), r -> r.id, true),
            some(spawn.end(), r -> r.id, true),
            spawn.grow()));
  }

  private <T> List<T> some(List<T> all, Function<T, String> id, boolean own) {
    return all.stream().filter(one -> own(id.apply(one)) == own).toList();
  }

  private boolean own(String id) {
    return home.owned.get(Locator.partition(id));
  }

  private boolean here(Spawn spawn) {
    return Continuations.ids(spawn).stream().allMatch(this::own);
  }
}
