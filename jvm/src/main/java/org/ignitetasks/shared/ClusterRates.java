package org.ignitetasks.shared;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.ignitetasks.model.Rate;
import org.ignitetasks.protocol.RateLink;
import org.ignitetasks.protocol.SettingsApi;
import org.ignitetasks.protocol.SettingsApi.Put;
import org.ignitetasks.protocol.SettingsApi.Setting;

/**
 * Limits set at run time, and one bucket per task name, in the settings store: the same for all
 * homes, and the same after a restart, so that "once an hour" does not begin anew. Thread-safe.
 */
public final class ClusterRates implements RateLink {
  /** Limits set at run time: the rate as text, by task name; an empty text lifts the limit. */
  public static final String LIMITS = "rate";

  private static final String BUCKETS = "rate-state";
  private static final int PAGE = 500;
  private static final int TRIES = 20;

  /** Buckets of tasks that nobody runs any more go by themselves. */
  private static final long KEEP_MILLIS = 3_600_000;

  private final SettingsApi settings;
  private final LongSupplier clockMillis;

  public ClusterRates(SettingsApi settings, LongSupplier clockMillis) {
    this.settings = settings;
    this.clockMillis = clockMillis;
  }

  @Override
  public Map<String, String> overrides() {
    Map<String, String> limits = new HashMap<>();
    List<Setting> page = settings.list(LIMITS, "", null, PAGE);
    while (!page.isEmpty()) {
      for (Setting setting : page) {
        limits.put(setting.key(), new String(setting.value(), StandardCharsets.UTF_8));
      }
      page = settings.list(LIMITS, "", page.get(page.size() - 1).key(), PAGE);
    }
    return limits;
  }

  @Override
  public Rate.Draw draw(String task, Rate rate, int most) {
    long now = clockMillis.getAsLong() * 1000;
    for (int i = 0; i < TRIES; i++) {
      Setting found = settings.get(BUCKETS, task);
      long full = found == null ? 0 : ByteBuffer.wrap(found.value()).getLong();
      Rate.Draw draw = rate.draw(full, now, most);
      if (draw.count() == 0 && full <= draw.fullMicros()) {
        return draw;
      }
      // Also where a slower rate, or a clock that was ahead, had closed the bucket for longer.
      byte[] value = ByteBuffer.allocate(Long.BYTES).putLong(draw.fullMicros()).array();
      long keep = KEEP_MILLIS + 2 * (rate.intervalMicros() / 1000);
      Put put = settings.put(BUCKETS, task, value, found == null ? 0 : found.version(), keep, null);
      if (put.done()) {
        return draw;
      }
    }
    // Other homes were faster each time: they have had what there was.
    return new Rate.Draw(0, 0, now + Math.max(1_000, rate.intervalMicros() / 2));
  }
}
