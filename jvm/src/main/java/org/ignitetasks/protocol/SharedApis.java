package org.ignitetasks.protocol;

/** What gateways offer beside the homes: parts that belong to the whole cluster. */
public record SharedApis(SettingsApi settings, ControlApi control, EventsApi events) {
  /** Returns none of them, for a gateway that only submits. */
  public static SharedApis none() {
    return new SharedApis(null, null, null);
  }
}
