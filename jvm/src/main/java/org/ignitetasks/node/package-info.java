/**
 * One JVM put together: its settings and files, Ignite's configuration, the cluster's topology, and
 * home, lane and gateway started and stopped in order.
 *
 * <p>Wiring only: a rule about tasks belongs into {@code home}, about messages into {@code
 * protocol}. {@code NodeConfigs} is the only builder of Ignite configuration.
 *
 * <p>Imports all packages; none imports it.
 */
package org.ignitetasks.node;
