package org.ignitetasks.protocol;

/**
 * The end of a task as told to those that wait for it.
 *
 * @param id the task
 * @param state code of the terminal state
 * @param payload result or failure bytes, or null
 * @param payloadIsRef whether the payload names a blob
 */
public record Completion(String id, int state, byte[] payload, boolean payloadIsRef) {}
