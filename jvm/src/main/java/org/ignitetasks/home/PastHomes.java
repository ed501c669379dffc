package org.ignitetasks.home;

import java.util.BitSet;
import org.ignitetasks.model.Locator;

/**
 * Which home has had each partition last, as its successor finds it.
 *
 * <p>What a home has given out is in its memory only, and so is that it has given something out
 * anew. When it dies together with the later delivery's worker nobody knows of that one any more;
 * an earlier worker may still hold an earlier delivery of the same task. So a home says here that a
 * partition is its own before it gives out anything of it, and puts on record what it goes on with
 * of its predecessor's: all else of the predecessor's is over, for it and for all after it.
 */
public interface PastHomes {
  /** Of a node that is alone: who held a delivery of an earlier home went down with that home. */
  PastHomes NONE =
      new PastHomes() {
        @Override
        public long[] last() {
          return new long[Locator.PARTITIONS];
        }

        @Override
        public void taken(BitSet partitions, long epoch) {
          // Nobody will ask.
        }
      };

  /** Returns by partition the epoch in which its last home took it, 0 if it had none. */
  long[] last();

  /** Notes a home's epoch for partitions; durable when this returns. */
  void taken(BitSet partitions, long epoch);
}
