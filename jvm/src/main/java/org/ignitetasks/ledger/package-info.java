/**
 * Rows by key that stay: what the record store stands on.
 *
 * <p>On a cluster a row is durable when a transaction of Ignite says so. On a lone node it is
 * durable when it is in the commit log, and in Ignite's cache a moment later: the log costs one
 * write of the file system where the cache costs a walk through the database.
 *
 * <p>Only this package touches the ledger's cache. It knows rows as bytes: what is in them, who
 * owns a task and what a state means have no place here.
 *
 * <p>Imports {@code model}.
 */
package org.ignitetasks.ledger;
