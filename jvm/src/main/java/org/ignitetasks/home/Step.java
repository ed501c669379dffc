package org.ignitetasks.home;

import java.util.function.Predicate;
import org.ignitetasks.model.SettleTask;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.protocol.Outcome;
import org.ignitetasks.protocol.Spawn;

/**
 * What is to become of one claimed delivery.
 *
 * @param before the record as the delivery had it, or null
 * @param record the record as it is to be
 * @param outcome kind of the outcome, or -1
 * @param spawn what the child wants written with it, or null
 * @param byNode no child has decided this: what follows the task has yet to be settled
 */
record Step(
    Entry entry,
    TaskRecord before,
    TaskRecord record,
    Outcomes.Next next,
    int outcome,
    Spawn spawn,
    boolean byNode) {

  /** Returns the step that an outcome leads to. */
  static Step of(Entry entry, TaskRecord record, Outcomes.Next next, Outcome outcome) {
    boolean ownWord =
        switch (outcome.kind()) {
          case Outcome.SUCCESS, Outcome.FAILURE, Outcome.IGNORE -> true;
          case Outcome.REJECT -> !outcome.requeue();
          case Outcome.RETRY -> next == Outcomes.Next.REQUEUE;
          case Outcome.REPLACED -> next == Outcomes.Next.PROMISE;
          default -> false;
        };
    Spawn spawn = ownWord ? outcome.spawn() : null;
    return new Step(entry, entry.record, record, next, outcome.kind(), spawn, !ownWord);
  }

  /** Returns the step of a claimed entry that no outcome has led to. */
  static Step ofNode(
      Entry entry, TaskRecord before, TaskRecord record, Outcomes.Next next, int kind) {
    return new Step(entry, before, record, next, kind, null, true);
  }

  /** Returns this step with another result, decided here. */
  Step instead(TaskRecord other, Outcomes.Next otherNext) {
    return ofNode(entry, before, other, otherNext, outcome);
  }

  /** Says whether the step's own record is to be written. */
  boolean writes() {
    return next != Outcomes.Next.REQUEUE_UNCHANGED && next != Outcomes.Next.AS_FOUND;
  }

  /**
   * Says whether Python must be told of this end by a task of its own.
   *
   * @param heard says of which ends a worker wants to hear although nothing follows them
   */
  boolean settles(Predicate<TaskRecord> heard) {
    return byNode && next == Outcomes.Next.END && SettleTask.follows(record, heard);
  }
}
