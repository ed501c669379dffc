package org.ignitetasks.protocol;

import java.util.List;

/** Ids that have ended already, ids no home has heard of, and ids whose record has expired. */
public record WatchAnswer(List<Completion> done, List<String> unknown, List<String> expired) {}
