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
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.ignitetasks.gateway.Mailbox.Letter;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.protocol.Completion;
import org.junit.jupiter.api.Test;

/** Numbering, confirming, overflow and waiting of one mailbox. */
class MailboxTest {
  private static final int MAX_ITEMS = 100;

  private final AtomicLong allBytes = new AtomicLong();
  private final Mailbox mailbox = new Mailbox(TestGateway.limits(1_000), allBytes);

  private static Completion end(String id) {
    return new Completion(id, 3, new byte[] {'m'}, false);
  }

  private static List<String> ids(Letter letter) {
    return letter.completions().stream().map(Completion::id).toList();
  }

  @Test
  void whatIsNotConfirmedComesAgain() {
    mailbox.add(List.of(end("a"), end("b")));
    Letter first = mailbox.poll(0, 0, 10);
    assertEquals(List.of("a", "b"), ids(first));
    mailbox.add(List.of(end("c")));
    assertEquals(List.of("a", "b", "c"), ids(mailbox.poll(0, 0, 10)));
    assertEquals(List.of("c"), ids(mailbox.poll(first.seq(), 0, 10)));
    Letter empty = mailbox.poll(3, 0, 10);
    assertEquals(new Letter(3, false, List.of()), empty);
    assertEquals(0, allBytes.get());
  }

  @Test
  void aLetterHoldsNoMoreThanAskedFor() {
    mailbox.add(List.of(end("a"), end("b"), end("c")));
    Letter first = mailbox.poll(0, 0, 2);
    assertEquals(List.of("a", "b"), ids(first));
    assertEquals(List.of("c"), ids(mailbox.poll(first.seq(), 0, 2)));
  }

  @Test
  void aNumberNeverGivenIsRefused() {
    mailbox.add(List.of(end("a")));
    assertThrows(TasksException.class, () -> mailbox.poll(2, 0, 1));
  }

  @Test
  void overflowDropsTheOldestAndSaysSoUntilThatIsConfirmed() {
    for (int i = 0; i < MAX_ITEMS + 5; i++) {
      mailbox.add(List.of(end("id" + i)));
    }
    Letter first = mailbox.poll(0, 0, 10);
    assertTrue(first.dropped());
    assertEquals("id5", ids(first).get(0));
    assertTrue(mailbox.poll(0, 0, 10).dropped());
    Letter second = mailbox.poll(first.seq(), 0, 1_000);
    assertFalse(second.dropped());
    assertEquals(MAX_ITEMS - 10, second.completions().size());
  }

  @Test
  void overflowByBytesDropsToo() {
    byte[] payload = new byte[30_000];
    mailbox.add(List.of(new Completion("a", 3, payload, false), end("b")));
    mailbox.add(List.of(new Completion("c", 3, payload, false)));
    mailbox.add(List.of(new Completion("d", 3, payload, false)));
    Letter letter = mailbox.poll(0, 0, 10);
    assertTrue(letter.dropped());
    assertEquals(List.of("b", "c", "d"), ids(letter));
  }

  @Test
  void aMailboxKeepsLessWhileAllTogetherHoldTooMuch() {
    allBytes.set(2 << 20);
    mailbox.add(List.of(new Completion("a", 3, new byte[3_000], false)));
    mailbox.add(List.of(new Completion("b", 3, new byte[3_000], false)));
    assertEquals(List.of("b"), ids(mailbox.poll(0, 0, 10)));
  }

  @Test
  void missedIsToldOnceInItsTurnAndAgainIfUnconfirmed() {
    mailbox.add(List.of(end("a")));
    mailbox.mayHaveMissed();
    mailbox.mayHaveMissed();
    mailbox.add(List.of(end("b")));
    Letter first = mailbox.poll(0, 0, 1);
    assertFalse(first.dropped());
    Letter second = mailbox.poll(first.seq(), 0, 5);
    assertTrue(second.dropped());
    assertEquals(List.of("b"), ids(second));
    assertTrue(mailbox.poll(first.seq(), 0, 5).dropped());
    assertFalse(mailbox.poll(second.seq(), 0, 5).dropped());
  }

  @Test
  void aPollWakesAtTheFirstCompletion() throws Exception {
    CompletableFuture<Letter> poll = CompletableFuture.supplyAsync(() -> mailbox.poll(0, 9_000, 9));
    Thread.sleep(50);
    assertFalse(poll.isDone());
    mailbox.add(List.of(end("a")));
    assertEquals(List.of("a"), ids(poll.get(1, TimeUnit.SECONDS)));
  }

  @Test
  void aPollWakesWhenSomethingMayHaveBeenMissed() throws Exception {
    CompletableFuture<Letter> poll = CompletableFuture.supplyAsync(() -> mailbox.poll(0, 9_000, 9));
    Thread.sleep(50);
    mailbox.mayHaveMissed();
    assertTrue(poll.get(1, TimeUnit.SECONDS).dropped());
  }

  @Test
  void aPollEndsAtItsTimeout() {
    long start = System.nanoTime();
    assertEquals(new Letter(0, false, List.of()), mailbox.poll(0, 60, 9));
    assertTrue(System.nanoTime() - start >= 60_000_000);
  }

  @Test
  void theNewerOfTwoPollsWins() throws Exception {
    CompletableFuture<Letter> older =
        CompletableFuture.supplyAsync(() -> mailbox.poll(0, 9_000, 9));
    Thread.sleep(50);
    CompletableFuture<Letter> newer =
        CompletableFuture.supplyAsync(() -> mailbox.poll(0, 9_000, 9));
    assertEquals(new Letter(0, false, List.of()), older.get(1, TimeUnit.SECONDS));
    mailbox.add(List.of(end("a")));
    assertEquals(List.of("a"), ids(newer.get(1, TimeUnit.SECONDS)));
  }

  @Test
  void aClosedMailboxTakesNothingAndHoldsNothing() throws Exception {
    CompletableFuture<Letter> poll = CompletableFuture.supplyAsync(() -> mailbox.poll(0, 9_000, 9));
    Thread.sleep(50);
    mailbox.close();
    assertTrue(poll.get(1, TimeUnit.SECONDS).completions().isEmpty());
    mailbox.add(List.of(end("a")));
    mailbox.mayHaveMissed();
    assertEquals(new Letter(0, false, List.of()), mailbox.poll(0, 0, 9));
    assertEquals(0, allBytes.get());
  }

  /** Whatever is lost on the way: each item arrives at least once or the client is told. */
  @Test
  void nothingIsLostUntoldInAnyOrderOfEvents() {
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      Mailbox box = new Mailbox(TestGateway.limits(1_000), new AtomicLong());
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
          Letter letter = box.poll(ack, 0, 1 + random.nextInt(20));
          if (random.nextBoolean()) {
            ack = letter.seq();
            told |= letter.dropped();
            received.addAll(ids(letter));
          }
        }
      }
      Letter rest = box.poll(ack, 0, 10_000);
      told |= rest.dropped();
      received.addAll(ids(rest));
      assertEquals(!told, received.size() == sent.size(), "seed " + seed);
    }
  }
}
