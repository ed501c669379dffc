package org.ignitetasks.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.msgpack.core.MessagePack;
import org.msgpack.value.Value;

/** Failures made by the JVM have the form of those that Python writes. */
class FailuresTest {
  @Test
  void aCodecByteAndAMap() throws Exception {
    byte[] bytes = Failures.of(Failures.WORKER_LOST, "täsk 7: lost");
    assertEquals('m', bytes[0]);
    var in = MessagePack.newDefaultUnpacker(bytes, 1, bytes.length - 1);
    Value map = in.unpackValue();
    assertEquals(
        "{\"type\":\"WorkerLostError\",\"module\":\"ignitetasks.errors\","
            + "\"message\":\"täsk 7: lost\",\"args\":[\"täsk 7: lost\"],\"traceback\":\"\"}",
        map.toJson());
    assertEquals(false, in.hasNext());
  }

  @Test
  void bytesThatNeverChange() {
    assertArrayEquals(
        HexFormat.of()
            .parseHex(
                "6d85a474797065b0546173"
                    + "6b45787069726564"
                    + "4572726f72"
                    + "a66d6f64756c65b269676e6974657461736b732e6572726f7273"
                    + "a76d657373616765a178a46172677391a178a974726163656261636ba0"),
        Failures.of(Failures.EXPIRED, "x"));
  }
}
