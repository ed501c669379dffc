package org.ignitetasks.ledger;

/** Makes changes of a cache as durable as was promised. Must not swallow what a change throws. */
public interface Commit {
  /** The cache itself makes its changes durable. */
  Commit PLAIN =
      new Commit() {
        @Override
        public void write(Runnable change) {
          change.run();
        }

        @Override
        public void await() {}
      };

  /** Makes a change that others can see at once and that is durable after {@link #await}. */
  void write(Runnable change);

  /** Returns when all is durable that was written, by whomever, before this call. */
  void await();

  /** Makes a change; when this returns, it has happened and stays. */
  default void run(Runnable change) {
    try {
      write(change);
    } finally {
      // After a failure too: what was written of the change must not be less durable than what
      // others conclude from reading it.
      await();
    }
  }
}
