package org.ignitetasks.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Predicate;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;

/**
 * The task by which Python hears that the node itself has ended a task that something follows, or
 * of whose end a worker wants to hear: it does what the child would have done. Pure.
 */
public final class SettleTask {
  /** Its name; every worker knows it. */
  public static final String NAME = "ignitetasks.settle";

  private static final int MAX_DELIVERIES = 10;

  private SettleTask() {}

  /**
   * Says whether Python must be told of an end that no child has spoken of; never of this task's
   * own.
   *
   * @param heard says of which ends a worker wants to hear although nothing follows them
   */
  public static boolean follows(TaskRecord end, Predicate<TaskRecord> heard) {
    return end.has(TaskFlags.CONTINUES) || (!end.task.equals(NAME) && heard.test(end));
  }

  /**
   * Returns what follows these ends, of which no child has spoken.
   *
   * @param heard says of which ends a worker wants to hear although nothing follows them
   */
  public static List<TaskRecord> after(
      List<TaskRecord> ends, Predicate<TaskRecord> heard, long nowMillis) {
    List<TaskRecord> tasks = new ArrayList<>();
    for (TaskRecord end : ends) {
      if (follows(end, heard)) {
        tasks.add(after(end, nowMillis));
      }
    }
    return tasks;
  }

  /** Returns what follows one end. */
  public static TaskRecord after(TaskRecord end, long nowMillis) {
    TaskRecord task = new TaskRecord();
    task.id = id(end);
    task.task = NAME;
    task.queue = end.queue;
    task.priority = end.priority;
    task.flags = TaskFlags.IGNORE_RESULT;
    task.maxDeliveries = MAX_DELIVERIES;
    task.createdMillis = nowMillis;
    task.resultTtlMillis = end.resultTtlMillis;
    task.options = end.options;
    task.rootId = end.rootId == null ? end.id : end.rootId;
    task.parentId = end.id;
    task.body = body(end.id);
    return task;
  }

  /**
   * A function of the end: the id, and its time, since a dead letter that is run again may end so
   * again. It lies where the ended task lies.
   */
  private static String id(TaskRecord end) {
    String name = "settle/" + end.id + "/" + end.finishedMillis;
    String digest = UUID.nameUUIDFromBytes(name.getBytes(StandardCharsets.UTF_8)).toString();
    return digest.substring(0, 32) + String.format("%04x", Locator.of(end.id));
  }

  /** The call as Python writes it: the codec byte, positional and keyword arguments. */
  private static byte[] body(String id) {
    try (MessageBufferPacker packer = MessagePack.newDefaultBufferPacker()) {
      packer.packArrayHeader(2).packArrayHeader(1).packString(id).packMapHeader(0);
      byte[] call = packer.toByteArray();
      byte[] body = new byte[call.length + 1];
      body[0] = 'm';
      System.arraycopy(call, 0, body, 1, call.length);
      return body;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
