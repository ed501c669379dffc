/**
 * What belongs to the whole cluster and not to one task: small settings with versions, and the feed
 * of events. Both are rows of their own caches, changed in transactions from whatever node is
 * asked, so that nothing here has a home that could move.
 *
 * <p>Knows nothing of tasks and workers.
 *
 * <p>Imports {@code model} and {@code protocol}; {@code node} puts it together.
 */
package org.ignitetasks.shared;
