package org.ignitetasks.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/**
 * Where ids live: the same for every part of the system, hence by the vectors shared with Python.
 */
class LocatorTest {
  private static final Path GOLDEN = Path.of("..", "tests", "protocol", "golden", "ids.json");

  private static JsonObject golden() throws IOException {
    return JsonParser.parseString(Files.readString(GOLDEN)).getAsJsonObject();
  }

  @Test
  void idsAreWhereTheGoldenFileSays() throws IOException {
    JsonArray ids = golden().getAsJsonArray("locators");
    assertTrue(ids.size() > 5);
    for (JsonElement element : ids) {
      JsonObject vector = element.getAsJsonObject();
      String id = vector.get("id").getAsString();
      assertEquals(vector.get("locator").getAsInt(), Locator.of(id), id);
      assertEquals(vector.get("partition").getAsInt(), Locator.partition(id), id);
    }
  }

  @Test
  void queuesAreWhereTheGoldenFileSays() throws IOException {
    JsonArray queues = golden().getAsJsonArray("queues");
    assertTrue(queues.size() > 2);
    for (JsonElement element : queues) {
      JsonObject vector = element.getAsJsonObject();
      String queue = vector.get("queue").getAsString();
      assertEquals(vector.get("locator").getAsInt(), Locator.ofQueue(queue), queue);
    }
  }

  @Test
  void keysThatStartWithAnIdLiveWithIt() {
    for (String id : new String[] {"3f2b8c1e-0d4a-4b6c-8a9e-0000002af1d3", "report-2026"}) {
      for (String rest : new String[] {"/a", "/r12", "/a/17", "/\u0001sheet"}) {
        assertEquals(Locator.partition(id), Locator.partition(id + rest), id + rest);
      }
    }
  }

  @Test
  void onlyLowerCaseUuidsCarryTheirLocator() {
    String id = "3f2b8c1e-0d4a-4b6c-8a9e-0000002af1d3";
    assertEquals(0xf1d3, Locator.of(id));
    assertTrue(Locator.uuidShaped(id));
    for (String other :
        new String[] {id.toUpperCase(), id.replace("-", ""), id + "0", id.replace('f', 'g'), ""}) {
      assertTrue(!Locator.uuidShaped(other), other);
    }
  }
}
