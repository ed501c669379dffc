package org.ignitetasks.protocol;

/** What gateways offer beside the homes: parts that belong to the whole cluster. */
public record SharedApis(SettingsApi settings, ControlApi control) {}
