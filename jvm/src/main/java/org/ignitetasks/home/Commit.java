package org.ignitetasks.home;

/**
 * Makes a change of the ledger as durable as was promised: when {@link #run} returns, the change
 * has happened and stays. Must not swallow what the change throws.
 */
@FunctionalInterface
public interface Commit {
  /** The ledger itself makes its changes durable. */
  Commit PLAIN = Runnable::run;

  void run(Runnable change);
}
