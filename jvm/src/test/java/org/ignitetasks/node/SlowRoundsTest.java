package org.ignitetasks.node;

import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class SlowRoundsTest {
  private static final long SECOND = 1_000_000_000L;

  @Test
  void aRoundThatDoesNotEndIsToldOfWithThePlaceWhereItStands() {
    SlowRounds rounds = new SlowRounds(15 * SECOND);
    assertNull(rounds.look(100 * SECOND), "none has begun");
    rounds.begin(100 * SECOND);
    assertNull(rounds.look(114 * SECOND));
    String said = rounds.look(115 * SECOND);
    assertTrue(said.contains(Thread.currentThread().getName() + " has waited for 15 s"), said);
    assertTrue(said.contains("SlowRoundsTest.aRoundThatDoesNotEnd"), said);
    assertNull(rounds.look(116 * SECOND), "not again at once");
    assertNotNull(rounds.look(130 * SECOND));
    rounds.end();
    assertNull(rounds.look(200 * SECOND));
  }
}
