package org.ignitetasks.worker;

/** Kinds of lane frames; part of the wire format, equal to those of Python's frames module. */
final class FrameKind {
  static final int HELLO = 1;
  static final int WELCOME = 2;
  static final int ERROR = 3;
  static final int RUN = 10;
  static final int DONE = 11;
  static final int STOP = 12;
  static final int BYE = 13;
  static final int STATE = 14;
  static final int TAKEN_BACK = 15;
  static final int DRAIN = 20;
  static final int DRAINED = 21;
  static final int CHILD_DIED = 22;
  static final int KILL = 23;
  static final int CONTROL = 24;
  static final int CONTROL_REPLY = 25;
  static final int QUEUES = 26;
  static final int EVENTS = 27;
  static final int HELD = 28;
  static final int HELD_REPLY = 29;
  static final int BLOB_PUT = 30;
  static final int BLOB_DATA = 31;
  static final int BLOB_OK = 32;
  static final int BLOB_GET = 33;
  static final int BLOB_END = 34;
  static final int BLOB_DROP = 35;
  static final int HEARS = 36;

  private FrameKind() {}
}
