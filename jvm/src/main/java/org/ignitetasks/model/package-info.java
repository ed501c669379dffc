/**
 * What a task is: its record and states, the stored form of both, where its id lives, and the one
 * exception with its codes.
 *
 * <p>Values and pure functions only: no I/O, no Ignite, no threads, no clock. A change of a stored
 * form needs a new version number and a new golden file beside the old one.
 *
 * <p>Imports nothing of the other packages; all of them import it.
 */
package org.ignitetasks.model;
