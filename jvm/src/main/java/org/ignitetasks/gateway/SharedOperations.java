package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.ignitetasks.protocol.ControlApi;
import org.ignitetasks.protocol.ControlApi.Reply;
import org.ignitetasks.protocol.EventsApi;
import org.ignitetasks.protocol.SettingsApi;
import org.ignitetasks.protocol.SettingsApi.Put;
import org.ignitetasks.protocol.SettingsApi.Setting;
import org.ignitetasks.protocol.SharedApis;
import org.ignitetasks.protocol.SubmitReader;

/** The operations on what belongs to the cluster and not to one task; they need no session. */
final class SharedOperations {
  private static final int MAX_BUCKET = 64;
  private static final int MAX_TOKEN = 32;
  private static final int MAX_ENTRIES = 10_000;

  private final SharedApis apis;

  SharedOperations(SharedApis apis) {
    this.apis = apis;
  }

  private static final int MAX_COMMAND = 128;
  private static final int MAX_DESTINATIONS = 1_000;

  private static final int MAX_EVENTS = 10_000;
  private static final int MAX_READ_MILLIS = 30_000;

  /** Longest wait for answers; a gateway's connection is taken meanwhile. */
  private static final int MAX_WAIT_MILLIS = 60_000;

  /** Adds these operations under their names. */
  void register(Map<String, Operation> table) {
    table.put("kv_get", this::get);
    table.put("kv_put", this::put);
    table.put("kv_list", this::list);
    table.put("control", this::control);
    table.put("events_append", this::eventsAppend);
    table.put("events_read", this::eventsRead);
  }

  private static String bucket(RequestReader in) throws IOException {
    String bucket = in.text("bucket", 1, MAX_BUCKET);
    if (bucket.indexOf('/') >= 0) {
      throw RequestReader.bad("bucket", "must not contain '/'");
    }
    return bucket;
  }

  private void get(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 2);
    String bucket = bucket(in);
    String key = in.name("key");
    in.end();
    Setting found = apis.settings().get(bucket, key);
    if (found == null) {
      out.text(null);
      return;
    }
    out.array(2);
    out.integer(found.version());
    out.bytes(found.value());
  }

  private void put(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 6);
    String bucket = bucket(in);
    String key = in.name("key");
    byte[] value = in.bytesOrNil("value", SettingsApi.MAX_VALUE);
    long expected = in.integer("expected", SettingsApi.ANY, Long.MAX_VALUE);
    long ttlMillis = in.integer("ttl_ms", 0, SubmitReader.MAX_MILLIS);
    byte[] token = in.bytesOrNil("token", MAX_TOKEN);
    in.end();
    Put answer = apis.settings().put(bucket, key, value, expected, ttlMillis, token);
    out.array(2);
    out.bool(answer.done());
    out.integer(answer.version());
  }

  private void list(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 4);
    String bucket = bucket(in);
    String prefix = in.text("prefix", 0, RequestReader.MAX_NAME);
    String after = in.nil("after") ? null : in.text("after", 0, RequestReader.MAX_NAME);
    int limit = in.smallInteger("limit", 1, MAX_ENTRIES);
    in.end();
    List<Setting> found = apis.settings().list(bucket, prefix, after, limit);
    out.array(found.size());
    for (Setting setting : found) {
      out.array(3);
      out.text(setting.key());
      out.integer(setting.version());
      out.bytes(setting.value());
    }
  }

  private void control(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 5);
    String command = in.text("command", 1, MAX_COMMAND);
    byte[] body = in.bytes("body", ControlApi.MAX_BODY);
    List<String> destinations =
        in.nil("destinations") ? null : in.names("destinations", MAX_DESTINATIONS);
    long timeoutMillis = Math.min(in.integer("timeout_ms", 0, Long.MAX_VALUE), MAX_WAIT_MILLIS);
    int wanted = in.smallInteger("limit", 0, MAX_ENTRIES);
    in.end();
    int limit = wanted == 0 ? MAX_ENTRIES : wanted;
    List<Reply> replies = apis.control().control(command, body, destinations, timeoutMillis, limit);
    out.array(replies.size());
    for (Reply reply : replies) {
      out.array(2);
      out.text(reply.worker());
      out.bytes(reply.body());
    }
  }

  private void eventsAppend(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 2);
    int count = in.arrayUpTo("events", MAX_EVENTS);
    List<byte[]> events = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      events.add(in.bytes("event", EventsApi.MAX_EVENT));
    }
    boolean repeated = in.bool("repeated");
    in.end();
    apis.events().append(events, repeated);
    out.integer(count);
  }

  private void eventsRead(RequestReader in, AnswerPacker out) throws IOException {
    in.array("request", 3);
    long cursor = in.integer("cursor", EventsApi.NOW, Long.MAX_VALUE);
    int limit = in.smallInteger("limit", 1, MAX_EVENTS);
    long waitMillis = Math.min(in.integer("wait_ms", 0, Long.MAX_VALUE), MAX_READ_MILLIS);
    in.end();
    EventsApi.Page page = apis.events().read(cursor, limit, waitMillis);
    out.array(3);
    out.integer(page.cursor());
    out.array(page.events().size());
    for (EventsApi.Event event : page.events()) {
      out.array(2);
      out.integer(event.seq());
      out.bytes(event.body());
    }
    out.integer(page.dropped());
  }
}
