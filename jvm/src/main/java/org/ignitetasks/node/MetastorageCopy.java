package org.ignitetasks.node;

import java.io.Serializable;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.util.Map;
import java.util.UUID;
import java.util.logging.Logger;
import org.apache.ignite.IgniteException;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.internal.processors.metastorage.DistributedMetastorageLifecycleListener;
import org.apache.ignite.internal.processors.metastorage.ReadableDistributedMetaStorage;
import org.apache.ignite.internal.processors.metastorage.persistence.DistributedMetaStorageImpl;
import org.apache.ignite.internal.processors.subscription.GridInternalSubscriptionProcessor;
import org.apache.ignite.internal.util.typedef.X;
import org.apache.ignite.spi.IgniteSpiException;
import org.apache.ignite.spi.discovery.DiscoveryDataBag.GridDiscoveryData;

/**
 * A data node's own copy of Ignite's distributed metastorage, the cluster-wide settings of Ignite
 * itself. Nothing of ours is in it, and every member of the cluster has it.
 *
 * <p>After many deaths at once the copies may differ, and an active cluster then refuses the node
 * whose copy is ahead, whatever data it has. Such a node forgets its copy and takes the cluster's.
 * Whether its data belong to this cluster is told by the baseline's history, which stays.
 */
final class MetastorageCopy {
  private static final Logger LOG = Logger.getLogger("ignitetasks.node");
  private static final String INTERNALS =
      "org.apache.ignite.internal.processors.metastorage.persistence.DistributedMetaStorage";

  private MetastorageCopy() {}

  /** Tells whether a cluster has refused this node for its copy. */
  static boolean isRefused(IgniteException e) {
    return X.hasCause(e, "distributed metastorage", IgniteSpiException.class);
  }

  /** Lets a node that is started with this configuration forget its copy before it joins. */
  static IgniteConfiguration forgotten(IgniteConfiguration config) {
    LOG.warning(
        "the cluster has refused this node for its copy of Ignite's cluster-wide settings:"
            + " it takes the cluster's");
    return config.setLifecycleBeans(new BeforeStart(MetastorageCopy::forget));
  }

  private static void forget(GridInternalSubscriptionProcessor listeners) {
    listeners.registerDistributedMetastorageListener(
        new DistributedMetastorageLifecycleListener() {
          @Override
          public void onReadyForRead(ReadableDistributedMetaStorage copy) {
            // As if a cluster with empty settings had answered: memory and disk follow.
            ((DistributedMetaStorageImpl) copy).onGridDataReceived(new Answer(nothing()));
          }
        });
  }

  /** What a cluster answers that has no settings; the type is visible in its package only. */
  private static Serializable nothing() {
    try {
      Constructor<?> made = Class.forName(INTERNALS + "ClusterNodeData").getConstructors()[0];
      made.setAccessible(true);
      Field initial = Class.forName(INTERNALS + "Version").getField("INITIAL_VERSION");
      initial.setAccessible(true);
      Class<?>[] types = made.getParameterTypes();
      Object noPairs = Array.newInstance(types[1].getComponentType(), 0);
      Object noHistory = Array.newInstance(types[2].getComponentType(), 0);
      return (Serializable) made.newInstance(initial.get(null), noPairs, noHistory, null);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this version of Ignite keeps its settings otherwise", e);
    }
  }

  private record Answer(Serializable commonData) implements GridDiscoveryData {
    @Override
    public UUID joiningNodeId() {
      return null;
    }

    @Override
    public Map<UUID, Serializable> nodeSpecificData() {
      return null;
    }
  }
}
