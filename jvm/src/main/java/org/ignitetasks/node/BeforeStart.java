package org.ignitetasks.node;

import java.util.function.Consumer;
import org.apache.ignite.Ignite;
import org.apache.ignite.internal.GridKernalContext;
import org.apache.ignite.internal.IgniteEx;
import org.apache.ignite.internal.processors.subscription.GridInternalSubscriptionProcessor;
import org.apache.ignite.lifecycle.LifecycleBean;
import org.apache.ignite.lifecycle.LifecycleEventType;
import org.apache.ignite.resources.IgniteInstanceResource;

/** Registers listeners with a node before it starts, and so before Ignite registers its own. */
final class BeforeStart implements LifecycleBean {
  private final Consumer<GridInternalSubscriptionProcessor> register;

  @IgniteInstanceResource private Ignite ignite;

  BeforeStart(Consumer<GridInternalSubscriptionProcessor> register) {
    this.register = register;
  }

  @Override
  public void onLifecycleEvent(LifecycleEventType event) {
    if (event == LifecycleEventType.BEFORE_NODE_START) {
      GridKernalContext context = ((IgniteEx) ignite).context();
      register.accept(context.internalSubscriptionProcessor());
    }
  }
}
