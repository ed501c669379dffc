package org.ignitetasks.protocol;

import java.util.List;

/**
 * The feed of events of a cluster: durable, in one order for everybody, bounded by number, size and
 * age. What an event says is between those who write and those who read.
 */
public interface EventsApi {
  /** Largest event in bytes. */
  int MAX_EVENT = 32 << 10;

  /** Cursor of a reader that wants what comes from now on. */
  long NOW = -1;

  /** An event and its place in the order; places start at 1 and leave no gap. */
  record Event(long seq, byte[] body) {}

  /**
   * What a reader gets.
   *
   * @param cursor to read on with
   * @param dropped how many events after the reader's cursor were deleted before they were read
   */
  record Page(long cursor, List<Event> events, long dropped) {}

  /**
   * Appends events in this order, and nothing between them; returns when they are durable.
   *
   * @param repeated true if the same call may have been made in the last two minutes: if its first
   *     event is there, nothing is appended. So no two events of a writer may be equal byte by
   *     byte.
   * @throws org.ignitetasks.model.TasksException BUSY if too much waits to be written
   */
  void append(List<byte[]> events, boolean repeated);

  /**
   * Appends events soon; those that are too large, or for which there is no room because the feed
   * is slower than its writers, are dropped and counted.
   */
  void offer(List<byte[]> events);

  /**
   * Returns events after a cursor, waiting for some while there are none.
   *
   * @param cursor place of the last event that was read, 0 to begin with the oldest, or {@link
   *     #NOW}
   */
  Page read(long cursor, int limit, long waitMillis);
}
