/**
 * The worker side of a JVM: the lane, a Unix socket to supervisors and their children, which runs
 * deliveries in Python and brings their outcomes home; and large values, which pass it in chunks.
 *
 * <p>Decides nothing about a task but how its delivery ended; keeps nothing that a crash may not
 * take. No lock is held while a home is called, since homes push back on the same thread.
 *
 * <p>Imports {@code model} and {@code protocol}, never {@code home}: it reaches homes by their
 * interface.
 */
package org.ignitetasks.worker;
