package org.ignitetasks.node;

import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.ignitetasks.model.Locator;

/**
 * Places keys by {@link Locator}: a task's record, its blobs and the queue it was sent to share a
 * partition, hence a home. Ignite's rendezvous hashing then places the partitions on nodes.
 */
public final class LocatorAffinity extends RendezvousAffinityFunction {
  private static final long serialVersionUID = 1L;

  public LocatorAffinity() {
    super(false, Locator.PARTITIONS);
  }

  @Override
  public int partition(Object key) {
    return Locator.partition(key.toString());
  }
}
