package org.ignitetasks.protocol;

import org.ignitetasks.model.TaskRecord;

/**
 * One record on its way to a worker under one fence.
 *
 * <p>The record is the home's own object when home and worker share a JVM: workers only read it.
 */
public record Delivery(TaskRecord record, long fence) {}
