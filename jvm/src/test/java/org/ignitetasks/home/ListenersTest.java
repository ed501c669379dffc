package org.ignitetasks.home;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Map;
import org.ignitetasks.protocol.HomeApi;
import org.ignitetasks.protocol.WorkerInfo;
import org.junit.jupiter.api.Test;

class ListenersTest {
  private static final long SECOND = 1_000_000_000L;
  private static final List<String> QUEUES = List.of("default");

  private final QueueState state = new QueueState(10 * SECOND, SECOND, entry -> {});
  private final Listeners listeners = new Listeners(state);

  private static final WorkerInfo WORKER = Make.worker(3, List.of("default"), List.of());

  private int at(long seconds) {
    return listeners.of(QUEUES, seconds * SECOND).get("default");
  }

  @Test
  void theFirstHomeOfAllHasNobodyToWaitFor() {
    listeners.began(1, 0);
    assertEquals(0, at(0));
  }

  @Test
  void workersOfAnEarlierHomeMayComeBackForAWhile() {
    assertEquals(HomeApi.PERHAPS_SOON, at(0), "it is not a home yet");
    listeners.began(7, 5 * SECOND);
    assertEquals(HomeApi.PERHAPS_SOON, at(14));
    assertEquals(0, at(15));
    listeners.began(8, 16 * SECOND);
    assertEquals(0, at(16), "a partition was gained: the workers are known to it");
  }

  @Test
  void aWorkerThatWasLostMayComeBackForAWhile() {
    listeners.began(1, 0);
    state.workerJoined(WORKER, SECOND);
    assertEquals(
        Map.of("default", 1, "other", 0), listeners.of(List.of("default", "other"), SECOND));
    state.workerLeft(3, 2_000);
    listeners.lost(WORKER, 2 * SECOND);
    assertEquals(HomeApi.PERHAPS_SOON, at(11));
    assertEquals(0, listeners.of(List.of("other"), 11 * SECOND).get("other"));
    assertEquals(0, at(12));
  }
}
