package org.ignitetasks.protocol;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.ignitetasks.model.RecordCodec;
import org.ignitetasks.model.TaskRecord;

/**
 * The plain forms in which values travel between JVMs: arrays of strings, numbers and bytes.
 *
 * <p>Ignite's marshaller is given nothing else, since it fills in Java records by means the JDK
 * forbids, and since arrays stay readable when the classes change.
 */
final class Parcels {
  private Parcels() {}

  static Object[] records(List<TaskRecord> records) {
    Object[] out = new Object[records.size() * 2];
    for (int i = 0; i < records.size(); i++) {
      TaskRecord record = records.get(i);
      out[2 * i] = record == null ? null : record.id;
      out[2 * i + 1] = record == null ? null : RecordCodec.encode(record);
    }
    return out;
  }

  static List<TaskRecord> records(Object parcel) {
    Object[] in = (Object[]) parcel;
    List<TaskRecord> records = new ArrayList<>(in.length / 2);
    for (int i = 0; i < in.length; i += 2) {
      records.add(in[i] == null ? null : RecordCodec.decode((String) in[i], (byte[]) in[i + 1]));
    }
    return records;
  }

  static Object[] origin(Origin origin) {
    return origin == null ? null : new Object[] {origin.node(), origin.session()};
  }

  static Origin origin(Object parcel) {
    Object[] in = (Object[]) parcel;
    return in == null ? null : new Origin((UUID) in[0], (Long) in[1]);
  }

  static Object[] outcomes(List<Outcome> outcomes) {
    return outcomes.stream().map(Parcels::outcome).toArray();
  }

  private static Object outcome(Outcome o) {
    Outcome.Retry r = o.retry();
    Object[] retry =
        r == null
            ? null
            : new Object[] {
              r.etaMillis(),
              r.body(),
              r.bodyIsRef(),
              r.queue(),
              r.priority(),
              r.expires(),
              r.options()
            };
    return new Object[] {
      o.id(),
      o.fence(),
      o.kind(),
      o.payload(),
      o.payloadIsRef(),
      o.runMicros(),
      o.errorType(),
      retry,
      o.requeue(),
      o.spawn() == null ? null : spawn(o.spawn())
    };
  }

  static Object[] spawn(Spawn spawn) {
    Object[] grow =
        spawn.grow().stream().map(growth -> new Object[] {growth.id(), growth.by()}).toArray();
    return new Object[] {records(spawn.submit()), records(spawn.end()), grow};
  }

  static Spawn spawn(Object parcel) {
    Object[] in = (Object[]) parcel;
    List<Spawn.Growth> grow = new ArrayList<>();
    for (Object item : (Object[]) in[2]) {
      Object[] growth = (Object[]) item;
      grow.add(new Spawn.Growth((String) growth[0], (Integer) growth[1]));
    }
    return new Spawn(records(in[0]), records(in[1]), grow);
  }

  static List<Outcome> outcomes(Object parcel) {
    List<Outcome> outcomes = new ArrayList<>();
    for (Object item : (Object[]) parcel) {
      Object[] in = (Object[]) item;
      Object[] r = (Object[]) in[7];
      Outcome.Retry retry =
          r == null
              ? null
              : new Outcome.Retry(
                  (Long) r[0],
                  (byte[]) r[1],
                  (Boolean) r[2],
                  (String) r[3],
                  (Integer) r[4],
                  (Long) r[5],
                  (byte[]) r[6]);
      outcomes.add(
          new Outcome(
              (String) in[0],
              (Long) in[1],
              (Integer) in[2],
              (byte[]) in[3],
              (Boolean) in[4],
              (Long) in[5],
              (String) in[6],
              retry,
              (Boolean) in[8],
              in[9] == null ? null : spawn(in[9])));
    }
    return outcomes;
  }

  static Object[] completions(List<Completion> ends) {
    return ends.stream()
        .map(e -> new Object[] {e.id(), e.state(), e.payload(), e.payloadIsRef()})
        .toArray();
  }

  static List<Completion> completions(Object parcel) {
    List<Completion> ends = new ArrayList<>();
    for (Object item : (Object[]) parcel) {
      Object[] in = (Object[]) item;
      ends.add(new Completion((String) in[0], (Integer) in[1], (byte[]) in[2], (Boolean) in[3]));
    }
    return ends;
  }

  static Object[] deliveries(List<Delivery> deliveries) {
    Object[] out = new Object[deliveries.size() * 3];
    for (int i = 0; i < deliveries.size(); i++) {
      Delivery delivery = deliveries.get(i);
      out[3 * i] = delivery.record().id;
      out[3 * i + 1] = RecordCodec.encode(delivery.record());
      out[3 * i + 2] = delivery.fence();
    }
    return out;
  }

  static List<Delivery> deliveries(Object parcel) {
    Object[] in = (Object[]) parcel;
    List<Delivery> deliveries = new ArrayList<>(in.length / 3);
    for (int i = 0; i < in.length; i += 3) {
      TaskRecord record = RecordCodec.decode((String) in[i], (byte[]) in[i + 1]);
      deliveries.add(new Delivery(record, (Long) in[i + 2]));
    }
    return deliveries;
  }

  static Object[] worker(WorkerInfo w) {
    return new Object[] {
      w.epoch(),
      w.node(),
      w.name(),
      w.host(),
      w.pid(),
      w.queues().toArray(new String[0]),
      w.tasks().toArray(new String[0]),
      w.concurrency(),
      w.pool(),
      w.startedMillis(),
      w.limits().keySet().toArray(new String[0]),
      w.limits().values().toArray(new String[0]),
      w.hears()
    };
  }

  static WorkerInfo worker(Object parcel) {
    Object[] in = (Object[]) parcel;
    return new WorkerInfo(
        (Long) in[0],
        (UUID) in[1],
        (String) in[2],
        (String) in[3],
        (Integer) in[4],
        List.of((String[]) in[5]),
        List.of((String[]) in[6]),
        (Integer) in[7],
        (String) in[8],
        (Long) in[9],
        map((String[]) in[10], (String[]) in[11]),
        (Boolean) in[12]);
  }

  private static Map<String, String> map(String[] keys, String[] values) {
    Map<String, String> map = new LinkedHashMap<>();
    for (int i = 0; i < keys.length; i++) {
      map.put(keys[i], values[i]);
    }
    return map;
  }

  static Object[] question(Question q) {
    return new Object[] {
      q.number(), q.command(), q.body(), strings(q.destinations()), q.patienceMillis()
    };
  }

  static Question question(Object parcel) {
    Object[] in = (Object[]) parcel;
    return new Question((Long) in[0], (String) in[1], (byte[]) in[2], strings(in[3]), (Long) in[4]);
  }

  static Object[] asked(List<Question.Asked> workers) {
    return workers.stream().map(w -> new Object[] {w.epoch(), w.worker()}).toArray();
  }

  static List<Question.Asked> asked(Object parcel) {
    List<Question.Asked> workers = new ArrayList<>();
    for (Object item : (Object[]) parcel) {
      Object[] in = (Object[]) item;
      workers.add(new Question.Asked((Long) in[0], (String) in[1]));
    }
    return workers;
  }

  static String[] strings(List<String> list) {
    return list == null ? null : list.toArray(new String[0]);
  }

  static List<String> strings(Object parcel) {
    return parcel == null ? null : List.of((String[]) parcel);
  }
}
