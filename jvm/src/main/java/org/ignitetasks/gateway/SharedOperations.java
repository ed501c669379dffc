package org.ignitetasks.gateway;

import java.io.IOException;
import java.util.List;
import java.util.Map;
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

  /** Adds these operations under their names. */
  void register(Map<String, Operation> table) {
    table.put("kv_get", this::get);
    table.put("kv_put", this::put);
    table.put("kv_list", this::list);
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
}
