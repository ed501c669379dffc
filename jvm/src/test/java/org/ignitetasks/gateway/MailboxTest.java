package org.ignitetasks.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.ignitetasks.gateway.Mailbox.Letter;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.junit.jupiter.api.Test;

/** Numbering, confirming, overflow and waiting of one mailbox. */
class MailboxTest {
  private static final int MAX_ITEMS = 100;

  private final AtomicLong allBytes = new AtomicLong();
  private final List<Runnable> carried = new ArrayList<>();
  private final Mailbox mailbox = new Mailbox(TestGateway.limits(1_000), allBytes, carried::add);

  private static Completion end(String id) {
    return new Completion(id, 3, new byte[] {'m'}, false);
  }

  private static List<String> ids(Letter letter) {
    return letter.completions().stream().map(Completion::id).toList();
  }

  /** Polls without waiting. */
  private static Letter poll(Mailbox box, long ack, int max) {
    CompletableFuture<Letter> answer = new CompletableFuture<>();
    box.poll(ack, max, false, answer::complete);
    return answer.join();
  }

  private CompletableFuture<Letter> waiting() {
    CompletableFuture<Letter> answer = new CompletableFuture<>();
    mailbox.poll(0, 9, true, answer::complete);
    assertFalse(answer.isDone());
    return answer;
  }

  @Test
  void whatIsNotConfirmedComesAgain() {
    mailbox.add(List.of(end("a"), end("b")));
    Letter first = poll(mailbox, 0, 10);
    assertEquals(List.of("a", "b"), ids(first));
    mailbox.add(List.of(end("c")));
    assertEquals(List.of("a", "b", "c"), ids(poll(mailbox, 0, 10)));
    assertEquals(List.of("c"), ids(poll(mailbox, first.seq(), 10)));
    Letter empty = poll(mailbox, 3, 10);
    assertEquals(new Letter(3, false, List.of()), empty);
    assertEquals(0, allBytes.get());
  }

  @Test
  void aLetterHoldsNoMoreThanAskedFor() {
    mailbox.add(List.of(end("a"), end("b"), end("c")));
    Letter first = poll(mailbox, 0, 2);
    assertEquals(List.of("a", "b"), ids(first));
    assertEquals(List.of("c"), ids(poll(mailbox, first.seq(), 2)));
  }

  @Test
  void aNumberNeverGivenIsRefused() {
    mailbox.add(List.of(end("a")));
    assertThrows(TasksException.class, () -> poll(mailbox, 2, 1));
  }

  @Test
  void overflowDropsTheOldestAndSaysSoUntilThatIsConfirmed() {
    for (int i = 0; i < MAX_ITEMS + 5; i++) {
      mailbox.add(List.of(end("id" + i)));
    }
    Letter first = poll(mailbox, 0, 10);
    assertTrue(first.dropped());
    assertEquals("id5", ids(first).get(0));
    assertTrue(poll(mailbox, 0, 10).dropped());
    Letter second = poll(mailbox, first.seq(), 1_000);
    assertFalse(second.dropped());
    assertEquals(MAX_ITEMS - 10, second.completions().size());
  }

  @Test
  void overflowByBytesDropsToo() {
    byte[] payload = new byte[30_000];
    mailbox.add(List.of(new Completion("a", 3, payload, false), end("b")));
    mailbox.add(List.of(new Completion("c", 3, payload, false)));
    mailbox.add(List.of(new Completion("d", 3, payload, false)));
    Letter letter = poll(mailbox, 0, 10);
    assertTrue(letter.dropped());
    assertEquals(List.of("b", "c", "d"), ids(letter));
  }

  @Test
  void aMailboxKeepsLessWhileAllTogetherHoldTooMuch() {
    allBytes.set(2 << 20);
    mailbox.add(List.of(new Completion("a", 3, new byte[3_000], false)));
    mailbox.add(List.of(new Completion("b", 3, new byte[3_000], false)));
    assertEquals(List.of("b"), ids(poll(mailbox, 0, 10)));
  }

  @Test
  void missedIsToldOnceInItsTurnAndAgainIfUnconfirmed() {
    mailbox.add(List.of(end("a")));
    mailbox.mayHaveMissed();
    mailbox.mayHaveMissed();
    mailbox.add(List.of(end("b")));
    Letter first = poll(mailbox, 0, 1);
    assertFalse(first.dropped());
    Letter second = poll(mailbox, first.seq(), 5);
    assertTrue(second.dropped());
    assertEquals(List.of("b"), ids(second));
    assertTrue(poll(mailbox, first.seq(), 5).dropped());
    assertFalse(poll(mailbox, second.seq(), 5).dropped());
  }

  @Test
  void aSingleEndIsToldByWhoBringsIt() {
    CompletableFuture<Letter> poll = waiting();
    mailbox.add(List.of(end("a")));
    assertEquals(List.of("a"), ids(poll.join()));
    assertEquals(List.of(), carried);
  }

  @Test
  void manyEndsAreToldByACarrierTogetherWithWhatCameSince() {
    CompletableFuture<Letter> poll = waiting();
    mailbox.add(List.of(end("a"), end("b")));
    mailbox.add(List.of(end("c")));
    assertFalse(poll.isDone());
    carried.forEach(Runnable::run);
    assertEquals(List.of("a", "b", "c"), ids(poll.join()));
    assertEquals(1, carried.size());
  }

  @Test
  void aLongEndIsToldByACarrier() {
    CompletableFuture<Letter> poll = waiting();
    mailbox.add(List.of(new Completion("a", 3, new byte[9_000], false)));
    assertFalse(poll.isDone());
    carried.forEach(Runnable::run);
    assertEquals(List.of("a"), ids(poll.join()));
  }

  @Test
  void aPollIsToldWhenSomethingMayHaveBeenMissed() {
    CompletableFuture<Letter> poll = waiting();
    mailbox.mayHaveMissed();
    carried.forEach(Runnable::run);
    assertTrue(poll.join().dropped());
  }

  @Test
  void aPollThatIsEndedGetsNothing() {
    CompletableFuture<Letter> answer = new CompletableFuture<>();
    Mailbox.Reader reader = answer::complete;
    mailbox.poll(0, 9, true, reader);
    assertTrue(mailbox.end(reader));
    assertEquals(new Letter(0, false, List.of()), answer.join());
    assertFalse(mailbox.end(reader));
    mailbox.add(List.of(end("a")));
    assertEquals(List.of("a"), ids(poll(mailbox, 0, 9)));
  }

  @Test
  void theNewerOfTwoPollsWins() {
    CompletableFuture<Letter> older = waiting();
    CompletableFuture<Letter> newer = waiting();
    assertEquals(new Letter(0, false, List.of()), older.join());
    mailbox.add(List.of(end("a")));
    assertEquals(List.of("a"), ids(newer.join()));
  }

  /**
   * The older poll's letter is on its way when the newer one comes: only one may carry the item.
   */
  @Test
  void aNewerPollTakesTheItemsFromACarrier() {
    CompletableFuture<Letter> older = waiting();
    mailbox.add(List.of(end("a"), end("b")));
    assertEquals(List.of("a", "b"), ids(poll(mailbox, 0, 9)));
    carried.forEach(Runnable::run);
    assertEquals(new Letter(0, false, List.of()), older.join());
  }

  @Test
  void aClosedMailboxTakesNothingAndHoldsNothing() {
    CompletableFuture<Letter> poll = waiting();
    mailbox.close();
    assertTrue(poll.join().completions().isEmpty());
    mailbox.add(List.of(end("a")));
    mailbox.mayHaveMissed();
    CompletableFuture<Letter> late = new CompletableFuture<>();
    mailbox.poll(0, 9, true, late::complete);
    assertEquals(new Letter(0, false, List.of()), late.join());
    assertEquals(0, allBytes.get());
  }

  /** Whatever is lost on the way: each item arrives at least once or the client is told. */
  @Test
  void nothingIsLostUntoldInAnyOrderOfEvents() {
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      Mailbox box = new Mailbox(TestGateway.limits(1_000), new AtomicLong(), Runnable::run);
      List<String> sent = new ArrayList<>();
      Set<String> received = new HashSet<>();
      boolean told = false;
      long ack = 0;
      for (int step = 0; step < 120; step++) {
        if (random.nextInt(3) > 0) {
          for (int i = random.nextInt(6); i >= 0; i--) {
            String id = "id" + sent.size();
            sent.add(id);
            box.add(List.of(end(id)));
          }
        } else {
          Letter letter = poll(box, ack, 1 + random.nextInt(20));
          if (random.nextBoolean()) {
            ack = letter.seq();
            told |= letter.dropped();
            received.addAll(ids(letter));
          }
        }
      }
      Letter rest = poll(box, ack, 10_000);
      told |= rest.dropped();
      received.addAll(ids(rest));
      assertEquals(!told, received.size() == sent.size(), "seed " + seed);
    }
  }
}
