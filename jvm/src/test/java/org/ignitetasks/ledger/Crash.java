package org.ignitetasks.ledger;

/** Ends a ledger as kill -9 would. */
public final class Crash {
  private Crash() {}

  /** What the ledger has not brought into the cache yet is in its log only. */
  public static void of(LoneLedger ledger) {
    ledger.abandon();
  }
}
