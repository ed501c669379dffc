package org.ignitetasks.home;

/**
 * The times a home lives by, in milliseconds.
 *
 * @param leaseTtlMillis a worker unheard of for this long has lost its leases
 * @param unknownTaskGraceMillis a task that no listening worker knows fails after this long
 * @param recordLeaseAfterMillis a delivery that runs this long is put on record
 * @param sweepMillis pause between two looks for expired records
 * @param maxTombstoneMillis how long, at the most, an expired record is told apart from none
 */
public record HomeSettings(
    long leaseTtlMillis,
    long unknownTaskGraceMillis,
    long recordLeaseAfterMillis,
    long sweepMillis,
    long maxTombstoneMillis) {
  public static HomeSettings defaults() {
    return new HomeSettings(10_000, 2_000, 1_000, 5_000, 7L * 24 * 3_600_000);
  }
}
