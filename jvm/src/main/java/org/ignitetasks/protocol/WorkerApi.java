package org.ignitetasks.protocol;

import java.util.List;

/** What a worker's JVM answers to homes. Short calls; they may come twice or for a gone epoch. */
public interface WorkerApi {
  /** Takes deliveries; those it cannot take go back by an outcome GIVE_BACK, never silently. */
  void push(long epoch, List<Delivery> deliveries);

  /** Terminates a running delivery with a signal, or drops it if it has not started. */
  void kill(long epoch, String id, long fence, String signal);

  /** Returns the deliveries this JVM still holds (all epochs), for a home that was rebuilt. */
  List<Running> running();

  /**
   * Passes a remote control command to the supervisors of this JVM that it is for. Returns at once
   * whom it has asked; each of them is heard of once by {@code answers}, if the question has a
   * number.
   */
  List<Question.Asked> control(Question question, Question.Answers answers);

  /** One delivery a worker holds. */
  record Running(long epoch, String id, long fence) {}
}
