package org.ignitetasks.protocol;

import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.ignitetasks.model.TasksException;
import org.ignitetasks.model.TasksException.Code;
import org.msgpack.core.MessageFormat;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessagePackException;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.value.ValueType;

/**
 * Reads the msgpack fields of one message strictly: another type, length or range than the
 * protocol's is BAD_REQUEST and names the field.
 *
 * <p>Lengths are checked against the bytes that are there before anything is allocated: a request
 * of twenty bytes may claim an array of four billion items. Not thread-safe.
 */
public class FieldReader {
  /** Most characters of an id or a name. */
  public static final int MAX_NAME = 255;

  private static final BigInteger MAX_LONG = BigInteger.valueOf(Long.MAX_VALUE);

  private final int size;
  private final MessageUnpacker unpacker;

  /** Reads the bytes of a message from an offset on. */
  public FieldReader(byte[] message, int offset) {
    this(
        MessagePack.newDefaultUnpacker(message, offset, message.length - offset),
        message.length - offset);
  }

  /**
   * Reads on where somebody else has begun.
   *
   * @param size length of all that the unpacker reads
   */
  public FieldReader(MessageUnpacker unpacker, int size) {
    this.unpacker = unpacker;
    this.size = size;
  }

  /** Makes the exception for a field that is not as the protocol wants it. */
  public static TasksException bad(String field, String rule) {
    return new TasksException(Code.BAD_REQUEST, "The field '" + field + "' " + rule + ".");
  }

  /** Reads the head of an array of exactly this length. */
  public void array(String field, int length) throws IOException {
    int found = arrayHeader(field);
    if (found != length) {
      throw bad(field, "must have " + length + " entries, not " + found);
    }
  }

  /** Reads the head of an array of at most max entries; returns its length. */
  public int arrayUpTo(String field, int max) throws IOException {
    int found = arrayHeader(field);
    if (found > max) {
      throw new TasksException(
          Code.TOO_LARGE,
          "The field '" + field + "' has more than " + max + " entries; split the call.");
    }
    return found;
  }

  /** Reads the head of a map of at most max entries; returns their number. */
  public int mapUpTo(String field, int max) throws IOException {
    ValueType type = type(field);
    if (type != ValueType.MAP) {
      throw bad(field, "must be a map, not " + named(type));
    }
    int found = claimed(field, unpacker.unpackMapHeader());
    if (found > max) {
      throw bad(field, "has more than " + max + " entries");
    }
    return found;
  }

  /** Checks that nothing follows the request. */
  public void end() throws IOException {
    if (unpacker.hasNext()) {
      throw bad("request", "has more bytes after its end");
    }
  }

  /** Reads an integer within a range, both ends included. */
  public long integer(String field, long min, long max) throws IOException {
    ValueType type = type(field);
    if (type != ValueType.INTEGER) {
      throw bad(field, "must be an integer, not " + named(type));
    }
    MessageFormat format = unpacker.getNextFormat();
    long value;
    if (format == MessageFormat.UINT64) {
      // Above the range of a long, a valid number that no field allows.
      value = unpacker.unpackBigInteger().min(MAX_LONG).longValue();
    } else {
      value = unpacker.unpackLong();
    }
    if (value < min || value > max) {
      throw bad(field, "must be between " + min + " and " + max + ", not " + value);
    }
    return value;
  }

  /** Reads an integer that fits an int. */
  public int smallInteger(String field, int min, int max) throws IOException {
    return (int) integer(field, min, max);
  }

  /** Reads a set of flags, none of which is outside {@code known}. */
  public int flags(String field, int known) throws IOException {
    int flags = smallInteger(field, 0, Integer.MAX_VALUE);
    if ((flags & ~known) != 0) {
      throw bad(field, "must hold no other flags than those of " + known + ", not " + flags);
    }
    return flags;
  }

  public boolean bool(String field) throws IOException {
    ValueType type = type(field);
    if (type != ValueType.BOOLEAN) {
      throw bad(field, "must be true or false, not " + named(type));
    }
    return unpacker.unpackBoolean();
  }

  /** Says whether nil is next, and if so takes it. */
  public boolean nil(String field) throws IOException {
    type(field);
    return unpacker.tryUnpackNil();
  }

  /** Reads a string of 1 to {@link #MAX_NAME} characters. */
  public String name(String field) throws IOException {
    return text(field, 1, MAX_NAME);
  }

  public String nameOrNil(String field) throws IOException {
    return nil(field) ? null : name(field);
  }

  /** Reads a string of valid UTF-8 within bounds of length, in characters. */
  public String text(String field, int min, int max) throws IOException {
    ValueType type = type(field);
    if (type != ValueType.STRING) {
      throw bad(field, "must be a string, not " + named(type));
    }
    int length = claimed(field, unpacker.unpackRawStringHeader());
    if (length < min || length > 4L * max) {
      throw bad(field, "must have " + min + " to " + max + " characters");
    }
    String text = decode(field, unpacker.readPayload(length));
    if (text.length() > max && text.codePointCount(0, text.length()) > max) {
      throw bad(field, "must have " + min + " to " + max + " characters");
    }
    return text;
  }

  /** Reads bytes; more than max is TOO_LARGE. */
  public byte[] bytes(String field, int max) throws IOException {
    ValueType type = type(field);
    if (type != ValueType.BINARY) {
      throw bad(field, "must be bytes, not " + named(type));
    }
    int length = claimed(field, unpacker.unpackBinaryHeader());
    if (length > max) {
      throw new TasksException(
          Code.TOO_LARGE,
          "The field '" + field + "' has " + length + " bytes, at most " + max + " go in a call.");
    }
    return unpacker.readPayload(length);
  }

  public byte[] bytesOrNil(String field, int max) throws IOException {
    return nil(field) ? null : bytes(field, max);
  }

  /** Reads a list of names with at most max entries. */
  public List<String> names(String field, int max) throws IOException {
    int count = arrayUpTo(field, max);
    List<String> names = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      names.add(name(field));
    }
    return names;
  }

  private int arrayHeader(String field) throws IOException {
    ValueType type = type(field);
    if (type != ValueType.ARRAY) {
      throw bad(field, "must be an array, not " + named(type));
    }
    try {
      return claimed(field, unpacker.unpackArrayHeader());
    } catch (MessagePackException e) {
      throw bad(field, "claims more entries than there can be");
    }
  }

  /** Every entry takes at least one byte, so what is left bounds every count and length. */
  private int claimed(String field, int count) {
    if (count < 0 || count > size - unpacker.getTotalReadBytes()) {
      throw bad(field, "claims more than the request holds");
    }
    return count;
  }

  private ValueType type(String field) throws IOException {
    if (!unpacker.hasNext()) {
      throw bad(field, "is missing");
    }
    return unpacker.getNextFormat().getValueType();
  }

  private static String named(ValueType type) {
    return type.name().toLowerCase(Locale.ROOT);
  }

  private static String decode(String field, byte[] utf8) {
    for (byte b : utf8) {
      if (b < 0) {
        return decodeStrictly(field, utf8);
      }
    }
    return new String(utf8, StandardCharsets.ISO_8859_1);
  }

  private static String decodeStrictly(String field, byte[] utf8) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException e) {
      throw bad(field, "must be valid UTF-8");
    }
  }
}
