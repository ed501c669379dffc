/**
 * What the parts of the system say to each other, in one JVM or between several: the interfaces of
 * homes, workers and gateways, and the compute jobs and messages that carry their calls.
 *
 * <p>Carries and repeats, decides nothing: no task state is changed here. Every call is harmless
 * when it arrives twice, every error that leaves here is a {@code TasksException}, and Ignite's
 * marshaller is given arrays of plain values only.
 *
 * <p>Imports {@code model}; knows no implementation of its interfaces.
 */
package org.ignitetasks.protocol;
