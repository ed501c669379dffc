package org.ignitetasks.gateway;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.ignitetasks.protocol.ControlApi;
import org.ignitetasks.protocol.EventsApi;
import org.ignitetasks.protocol.SettingsApi;
import org.ignitetasks.protocol.SharedApis;

/** What belongs to the cluster, in memory, with as much behaviour as the gateway's tests need. */
final class FakeShared implements SettingsApi, ControlApi, EventsApi {
  final Map<String, Setting> settings = new TreeMap<>();
  final List<byte[]> events = new ArrayList<>();
  volatile String lastPut;
  volatile boolean lastRepeated;
  volatile String lastRead;
  volatile String lastQuestion;

  SharedApis apis() {
    return new SharedApis(this, this, this);
  }

  @Override
  public List<Reply> control(
      String command, byte[] body, List<String> destinations, long timeoutMillis, int limit) {
    lastQuestion = command + ' ' + destinations + ' ' + timeoutMillis + ' ' + limit;
    return List.of(new Reply("w1", body), new Reply("w2", new byte[0]));
  }

  @Override
  public synchronized void append(List<byte[]> more, boolean repeated) {
    lastRepeated = repeated;
    events.addAll(more);
  }

  @Override
  public void offer(List<byte[]> more) {
    append(more, false);
  }

  @Override
  public synchronized Page read(long cursor, int limit, long waitMillis) {
    lastRead = cursor + " " + limit + ' ' + waitMillis;
    List<Event> found = new ArrayList<>();
    for (int at = (int) Math.max(0, cursor); at < events.size() && found.size() < limit; at++) {
      found.add(new Event(at + 1, events.get(at)));
    }
    return new Page(cursor + found.size(), found, 2);
  }

  @Override
  public synchronized Setting get(String bucket, String key) {
    return settings.get(bucket + '/' + key);
  }

  @Override
  public synchronized Put put(
      String bucket, String key, byte[] value, long expected, long ttlMillis, byte[] token) {
    lastPut = bucket + ' ' + key + ' ' + expected + ' ' + ttlMillis + ' ' + (token != null);
    Setting old = settings.get(bucket + '/' + key);
    long there = old == null ? 0 : old.version();
    if (expected != ANY && expected != there) {
      return new Put(false, there);
    }
    if (value == null) {
      settings.remove(bucket + '/' + key);
      return new Put(true, 0);
    }
    settings.put(bucket + '/' + key, new Setting(key, there + 1, value));
    return new Put(true, there + 1);
  }

  @Override
  public synchronized List<Setting> list(String bucket, String prefix, String after, int limit) {
    List<Setting> found = new ArrayList<>();
    settings.forEach(
        (id, setting) -> {
          boolean later = after == null || setting.key().compareTo(after) > 0;
          if (id.startsWith(bucket + '/' + prefix) && later && found.size() < limit) {
            found.add(setting);
          }
        });
    return found;
  }
}
