package org.ignitetasks.protocol;

import java.util.UUID;

/** Who wants to hear of a task's end: a session of the gateway on one node. */
public record Origin(UUID node, long session) {}
