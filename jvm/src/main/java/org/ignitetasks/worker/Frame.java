package org.ignitetasks.worker;

/** One lane frame: its kind (see {@link FrameKind}) and its bytes. */
record Frame(int kind, byte[] payload) {}
