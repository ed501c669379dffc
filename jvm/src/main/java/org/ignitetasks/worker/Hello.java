package org.ignitetasks.worker;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.msgpack.value.Value;

/**
 * The first frame of every lane connection: who is there, and for which of the three roles.
 *
 * @param token what the connection file holds; never logged
 * @param role "worker", "child" or "blob"
 * @param info fields of the role
 */
record Hello(String token, String role, Map<String, Value> info) {
  static Hello decode(byte[] payload) throws LaneException {
    return LaneMessages.unpack(
        payload,
        u -> {
          LaneMessages.expectArray(u, 3);
          String token = u.unpackString();
          String role = u.unpackString();
          int size = u.unpackMapHeader();
          Map<String, Value> info = new HashMap<>();
          for (int i = 0; i < size; i++) {
            info.put(u.unpackString(), u.unpackValue());
          }
          return new Hello(token, role, info);
        });
  }

  /** Returns a field that must be a whole number within bounds. */
  long number(String name, long least, long most) throws LaneException {
    Value value = info.get(name);
    if (value == null || !value.isIntegerValue() || !value.asIntegerValue().isInLongRange()) {
      throw LaneMessages.malformed("HELLO needs the number " + name, null);
    }
    long number = value.asIntegerValue().asLong();
    if (number < least || number > most) {
      throw LaneMessages.malformed("HELLO has " + name + "=" + number, null);
    }
    return number;
  }

  /** Returns a field that must be true or false where it is given at all. */
  boolean flag(String name) throws LaneException {
    Value value = info.get(name);
    if (value == null) {
      return false;
    }
    if (!value.isBooleanValue()) {
      throw LaneMessages.malformed("HELLO needs true or false for " + name, null);
    }
    return value.asBooleanValue().getBoolean();
  }

  /** Returns a field that must be a text. */
  String text(String name) throws LaneException {
    Value value = info.get(name);
    if (value == null || !value.isStringValue()) {
      throw LaneMessages.malformed("HELLO needs the text " + name, null);
    }
    return value.asStringValue().asString();
  }

  /** Returns a field that must be a map of texts where it is given at all. */
  Map<String, String> textsByName(String name) throws LaneException {
    Value value = info.get(name);
    if (value == null || value.isNilValue()) {
      return new HashMap<>();
    }
    Map<String, String> texts = new HashMap<>();
    if (value.isMapValue()) {
      for (Map.Entry<Value, Value> item : value.asMapValue().entrySet()) {
        if (!item.getKey().isStringValue() || !item.getValue().isStringValue()) {
          throw LaneMessages.malformed("HELLO has something else than texts in " + name, null);
        }
        texts.put(
            item.getKey().asStringValue().asString(), item.getValue().asStringValue().asString());
      }
      return texts;
    }
    throw LaneMessages.malformed("HELLO needs a map for " + name, null);
  }

  /** Returns a field that must be a list of texts. */
  List<String> texts(String name) throws LaneException {
    Value value = info.get(name);
    if (value == null || !value.isArrayValue()) {
      throw LaneMessages.malformed("HELLO needs the list " + name, null);
    }
    for (Value item : value.asArrayValue()) {
      if (!item.isStringValue()) {
        throw LaneMessages.malformed("HELLO has something else than texts in " + name, null);
      }
    }
    return LaneMessages.texts(value);
  }
}
