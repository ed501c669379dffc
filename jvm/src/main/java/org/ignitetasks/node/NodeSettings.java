package org.ignitetasks.node;

import com.google.gson.Gson;
import com.google.gson.JsonParseException;
import com.google.gson.annotations.SerializedName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;

/**
 * What the launcher wrote for this JVM, as it is in the JSON file; checked once, then only read.
 */
final class NodeSettings {
  String role = "embedded";

  @SerializedName("instance_dir")
  String instanceDir;

  String name = "node";
  String durability = "power";

  @SerializedName("region_max_mb")
  int regionMaxMb = 1024;

  List<String> addresses = List.of();

  @SerializedName("local_host")
  String localHost = "127.0.0.1";

  @SerializedName("discovery_port")
  int discoveryPort;

  @SerializedName("communication_port")
  int communicationPort;

  @SerializedName("thin_port")
  private int thinPort;

  @SerializedName("gateway_port")
  int gatewayPort;

  int backups;
  String namespace = "default";

  @SerializedName("idle_exit_seconds")
  int idleExitSeconds = 900;

  boolean lifeline;
  String lane;
  String version = "unknown";

  /** Reads and checks the file. */
  static NodeSettings read(Path file) {
    NodeSettings settings;
    try {
      settings = new Gson().fromJson(Files.readString(file), NodeSettings.class);
    } catch (IOException | JsonParseException e) {
      throw new TasksException(
          Code.BAD_REQUEST, "the node's configuration " + file + " cannot be read: " + e, e);
    }
    settings.check(file);
    return settings;
  }

  private void check(Path file) {
    boolean knownRole = List.of("embedded", "data", "client").contains(role);
    boolean knownDurability = List.of("power", "process").contains(durability);
    if (instanceDir == null || lane == null || !knownRole || !knownDurability) {
      throw new TasksException(
          Code.BAD_REQUEST,
          "the node's configuration "
              + file
              + " lacks instance_dir or lane, or has an unknown role or durability");
    }
  }

  boolean embedded() {
    return role.equals("embedded");
  }

  boolean hasData() {
    return !role.equals("client");
  }

  /**
   * Returns the port for Ignite's own clients on the loopback interface; 0 for none. Only nodes
   * with data have one: workers and clients of the same machine share its setting with them.
   */
  int thinPort() {
    return hasData() ? Math.max(0, thinPort) : 0;
  }

  /** Says whether what was acknowledged must survive the loss of power. */
  boolean power() {
    return durability.equals("power");
  }

  Path runDir() {
    return Path.of(instanceDir, "run");
  }

  Path storeDir() {
    return Path.of(instanceDir, "store");
  }

  /** Returns the full name of one of our caches in this namespace. */
  String cache(String kind) {
    return "ignitetasks-" + namespace + "-" + kind;
  }
}
