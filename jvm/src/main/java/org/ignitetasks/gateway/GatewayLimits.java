package org.ignitetasks.gateway;

/**
 * Everything that bounds what clients may make the gateway hold or wait for.
 *
 * @param maxConnections connections at a time; more are closed at once
 * @param maxUnauthenticated connections without a token at a time; one more closes the oldest
 * @param authMillis time from accept to token
 * @param lineBeforeAuth bytes of a line before the token
 * @param lineAfterAuth bytes of a line after the token
 * @param maxSessions sessions at a time; more are refused as BUSY
 * @param sessionIdleMillis time without a call after which a session is forgotten
 * @param mailboxItems completions kept per session
 * @param mailboxBytes bytes of completions kept per session
 * @param allMailboxesBytes bytes over all sessions above which each keeps only a small share
 * @param maxPollMillis longest wait of one poll
 * @param stopMillis how long stop waits for calls that are being answered
 */
record GatewayLimits(
    int maxConnections,
    int maxUnauthenticated,
    long authMillis,
    int lineBeforeAuth,
    int lineAfterAuth,
    int maxSessions,
    long sessionIdleMillis,
    int mailboxItems,
    long mailboxBytes,
    long allMailboxesBytes,
    long maxPollMillis,
    long stopMillis) {

  static GatewayLimits defaults() {
    return new GatewayLimits(
        512,
        64,
        5_000,
        4 << 10,
        12 << 20,
        10_000,
        300_000,
        100_000,
        16L << 20,
        Math.max(32L << 20, Runtime.getRuntime().maxMemory() / 8),
        30_000,
        2_000);
  }

  /** Largest payload of a frame that fits a line as base64, leaving room for header and type. */
  int maxPayload() {
    return (lineAfterAuth - 64) / 4 * 3 - CallFrame.HEADER;
  }
}
