/**
 * The gateway: what a Python process may ask of this JVM over Py4J, and nothing else.
 * Authenticates, checks every frame and field, keeps the sessions' mailboxes, and calls the homes.
 *
 * <p>No Java object, class or method is ever reached by name from outside; answers are framed and
 * checksummed, exceptions become error codes, and input is refused before it is held in memory.
 *
 * <p>Imports {@code model} and {@code protocol}; the only package that imports Py4J.
 */
package org.ignitetasks.gateway;
