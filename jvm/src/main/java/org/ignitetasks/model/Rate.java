package org.ignitetasks.model;

/**
 * How often calls of one task may start, and the bucket that sees to it: one number, the time at
 * which the bucket would be full again, is all its state.
 *
 * @param intervalMicros time after which there is one start more
 */
public record Rate(long intervalMicros) {
  /**
   * Starts may come this much early after a pause or a late one: so fast rates need not be awaited
   * start by start, and timers that are a little late do not slow a rate down.
   */
  private static final long SPARE_MICROS = 20_000;

  private static final double MICROS = 1e6;

  /**
   * What a draw gave.
   *
   * @param count starts that are allowed now
   * @param fullMicros the bucket's new state
   * @param nextMicros when there is one more
   */
  public record Draw(int count, long fullMicros, long nextMicros) {}

  /**
   * Reads "10/s", "10/m", "1/h" or a plain number a second; null means that there is no limit, as
   * for null, an empty text and a rate of zero.
   */
  public static Rate parse(String text) {
    if (text == null || text.isEmpty()) {
      return null;
    }
    int slash = text.indexOf('/');
    String unit = slash < 0 ? "s" : text.substring(slash + 1);
    double seconds =
        switch (unit) {
          case "s" -> 1;
          case "m" -> 60;
          case "h" -> 3_600;
          default -> throw wrong(text);
        };
    double count;
    try {
      count = Double.parseDouble(slash < 0 ? text : text.substring(0, slash));
    } catch (NumberFormatException e) {
      throw wrong(text);
    }
    if (!(count >= 0) || Double.isInfinite(count)) {
      throw wrong(text);
    }
    return count == 0 ? null : perSecond(count / seconds);
  }

  private static Rate perSecond(double rate) {
    return new Rate(Math.max(1, Math.round(Math.min(Long.MAX_VALUE / 4.0, MICROS / rate))));
  }

  /** Returns how many starts a full bucket has. */
  public int burst() {
    return (int) (1 + SPARE_MICROS / intervalMicros);
  }

  private static TasksException wrong(String text) {
    return new TasksException(
        TasksException.Code.BAD_REQUEST,
        "a rate is a number and a unit such as 10/s, 10/m or 1/h, not " + text);
  }

  /**
   * Takes starts out of the bucket.
   *
   * @param fullMicros the bucket's state; 0 for a new one
   * @param nowMicros the present
   * @param most how many are wanted
   */
  public Draw draw(long fullMicros, long nowMicros, int most) {
    // A clock that was set back, or a rate that was slower before, must not close the bucket for
    // longer than this rate ever would.
    long full =
        Math.min(Math.max(fullMicros, nowMicros), nowMicros + SPARE_MICROS + intervalMicros);
    long room = nowMicros + SPARE_MICROS - full;
    int count = room < 0 ? 0 : (int) Math.min(most, room / intervalMicros + 1);
    long after = full + count * intervalMicros;
    return new Draw(count, after, after - SPARE_MICROS);
  }
}
