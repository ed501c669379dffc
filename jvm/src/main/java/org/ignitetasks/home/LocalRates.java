package org.ignitetasks.home;

import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.ignitetasks.model.Rate;
import org.ignitetasks.protocol.RateLink;

/** Buckets of this process alone, for a home that was given no others. Thread-safe. */
final class LocalRates implements RateLink {
  private final LongSupplier clockMillis;
  private final Map<String, Long> full = new HashMap<>();

  LocalRates(LongSupplier clockMillis) {
    this.clockMillis = clockMillis;
  }

  @Override
  public Map<String, String> overrides() {
    return Map.of();
  }

  @Override
  public synchronized Rate.Draw draw(String task, Rate rate, int most) {
    Rate.Draw draw = rate.draw(full.getOrDefault(task, 0L), clockMillis.getAsLong() * 1000, most);
    full.put(task, draw.fullMicros());
    return draw;
  }
}
