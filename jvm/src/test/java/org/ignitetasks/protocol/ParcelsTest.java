package org.ignitetasks.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.ignitetasks.model.TaskRecord;
import org.ignitetasks.model.TaskState;
import org.junit.jupiter.api.Test;

/** What travels between JVMs comes out as it went in, and is made of plain values only. */
class ParcelsTest {
  private static final List<Class<?>> PLAIN =
      List.of(String.class, Long.class, Integer.class, Boolean.class, UUID.class, byte[].class);

  private static Object plain(Object value) {
    if (value instanceof Object[] array) {
      assertTrue(array.getClass() == Object[].class || array.getClass() == String[].class);
      Arrays.stream(array).forEach(ParcelsTest::plain);
    } else if (value != null) {
      assertTrue(PLAIN.contains(value.getClass()), value.getClass() + " is not plain");
    }
    return value;
  }

  @Test
  void records() {
    TaskRecord r = new TaskRecord();
    r.id = "a";
    r.task = "shop.add";
    r.body = new byte[] {1, 2};
    TaskRecord marker = new TaskRecord();
    marker.id = "b";
    marker.expired = true;
    List<TaskRecord> back = Parcels.records(plain(Parcels.records(Arrays.asList(r, null, marker))));
    assertEquals("a", back.get(0).id);
    assertArrayEquals(r.body, back.get(0).body);
    assertNull(back.get(1));
    assertTrue(back.get(2).expired);
  }

  @Test
  void outcomes() {
    Outcome.Retry retry = new Outcome.Retry(5, new byte[] {1}, true, "q", 3, 9, new byte[] {8});
    TaskRecord member = new TaskRecord();
    member.id = "m";
    member.joinId = "body";
    TaskRecord ended = new TaskRecord();
    ended.id = "e";
    ended.state = TaskState.FAILURE;
    Spawn spawn = new Spawn(List.of(member), List.of(ended), List.of(new Spawn.Growth("body", 3)));
    Outcome full = new Outcome("a", 7, 2, new byte[] {4}, true, 11, "E", retry, true, spawn);
    Outcome bare = Outcome.plain("b", 8, Outcome.LOST);
    List<Outcome> back = Parcels.outcomes(plain(Parcels.outcomes(List.of(full, bare))));
    assertEquals(bare, back.get(1));
    assertEquals("a", back.get(0).id());
    assertEquals(7, back.get(0).fence());
    assertArrayEquals(new byte[] {4}, back.get(0).payload());
    assertArrayEquals(new byte[] {1}, back.get(0).retry().body());
    assertEquals("q", back.get(0).retry().queue());
    assertArrayEquals(new byte[] {8}, back.get(0).retry().options());
    Spawn brought = back.get(0).spawn();
    assertEquals("body", brought.submit().get(0).joinId);
    assertEquals(TaskState.FAILURE, brought.end().get(0).state);
    assertEquals(spawn.grow(), brought.grow());
    assertTrue(back.get(0).requeue() && back.get(0).payloadIsRef());
  }

  @Test
  void theRest() {
    Origin origin = new Origin(UUID.randomUUID(), 12);
    assertEquals(origin, Parcels.origin(plain(Parcels.origin(origin))));
    assertNull(Parcels.origin((Object) Parcels.origin((Origin) null)));
    assertNull(Parcels.strings((Object) Parcels.strings((List<String>) null)));
    assertEquals(List.of("x"), Parcels.strings(plain(Parcels.strings(List.of("x")))));

    WorkerInfo worker =
        new WorkerInfo(
            1,
            UUID.randomUUID(),
            "w",
            "h",
            2,
            List.of("q"),
            List.of("t"),
            4,
            "prefork",
            99,
            Map.of("t", "10/m"),
            true);
    assertEquals(worker, Parcels.worker(plain(Parcels.worker(worker))));

    assertEquals(List.of("z"), worker.listeningTo(List.of("z")).queues());
    assertFalse(worker.hearing(false).hears());
    assertTrue(worker.listeningTo(List.of("z")).hears());

    Question question = new Question(5, "ping", new byte[] {1}, List.of("w"), 100);
    Question asked = Parcels.question(plain(Parcels.question(question)));
    assertEquals(List.of("w"), asked.destinations());
    assertEquals(5, asked.number());
    List<Question.Asked> whom = List.of(new Question.Asked(7, "w"));
    assertEquals(whom, Parcels.asked(plain(Parcels.asked(whom))));

    Completion end = new Completion("a", 3, new byte[] {5}, false);
    Completion back = Parcels.completions(plain(Parcels.completions(List.of(end)))).get(0);
    assertEquals("a", back.id());
    assertArrayEquals(end.payload(), back.payload());

    TaskRecord r = new TaskRecord();
    r.id = "a";
    Delivery delivery =
        Parcels.deliveries(plain(Parcels.deliveries(List.of(new Delivery(r, 77))))).get(0);
    assertEquals(77, delivery.fence());
    assertEquals("a", delivery.record().id);
  }
}
