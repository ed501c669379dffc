package org.ignitetasks.protocol;

import java.util.List;

/**
 * Small values of the cluster under a bucket and a key, each with a version: durable when a call
 * returns, changed by compare-and-set. Calls block for a commit at the most; all throw {@link
 * org.ignitetasks.model.TasksException}.
 */
public interface SettingsApi {
  /** Accepts whatever version there is. */
  long ANY = -1;

  /** Largest value in bytes. */
  int MAX_VALUE = 1 << 20;

  /** A value and its version; versions of one key only grow, also when it was deleted between. */
  record Setting(String key, long version, byte[] value) {}

  /**
   * Whether a change was made, and the version that is there now: 0 where nothing is.
   *
   * @param done false if the version expected was not there
   */
  record Put(boolean done, long version) {}

  /** Returns a setting, or null. */
  Setting get(String bucket, String key);

  /**
   * Stores or deletes a value.
   *
   * @param value null deletes
   * @param expected version that must be there, 0 for none, {@link #ANY} for whatever is
   * @param ttlMillis time after which it is no longer there, 0 for ever
   * @param token what the caller made for this very change, or null: a change that is repeated
   *     because its answer was lost is recognised by it and is done once
   */
  Put put(String bucket, String key, byte[] value, long expected, long ttlMillis, byte[] token);

  /**
   * Returns settings whose key begins with a prefix, by key, up to a limit and some megabytes; more
   * of them are to be had after the last key. Empty at the end.
   *
   * @param after the key after which to begin, or null
   */
  List<Setting> list(String bucket, String prefix, String after, int limit);
}
