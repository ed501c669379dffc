package org.ignitetasks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** A package names only packages below it; foreign libraries stay where they belong. */
class LayersTest {
  private static final Path SOURCES = Path.of("src", "main", "java", "org", "ignitetasks");

  /** What each package may use of the others: home and worker never each other. */
  private static final Map<String, Set<String>> ALLOWED =
      Map.of(
          "model", Set.of(),
          "protocol", Set.of("model"),
          "ledger", Set.of("model"),
          "home", Set.of("model", "protocol", "ledger"),
          "worker", Set.of("model", "protocol"),
          "shared", Set.of("model", "protocol"),
          "gateway", Set.of("model", "protocol"),
          "node", Set.of("model", "protocol", "ledger", "home", "worker", "shared", "gateway"));

  private static final Pattern OWN = Pattern.compile("\\borg\\.ignitetasks\\.([a-z]+)\\.[A-Za-z*]");

  private static List<Path> sources() throws IOException {
    try (Stream<Path> files = Files.walk(SOURCES)) {
      return files.filter(file -> file.toString().endsWith(".java")).toList();
    }
  }

  private static String packageOf(Path file) {
    return SOURCES.relativize(file).getName(0).toString();
  }

  @Test
  void packagesUseOnlyThoseBelowThem() throws IOException {
    List<String> wrong = new ArrayList<>();
    for (Path file : sources()) {
      String own = packageOf(file);
      assertTrue(ALLOWED.containsKey(own), "a package that has no place in the layers: " + own);
      Matcher used = OWN.matcher(Files.readString(file));
      while (used.find()) {
        String other = used.group(1);
        if (!other.equals(own) && !ALLOWED.get(own).contains(other)) {
          wrong.add(file.getFileName() + " of " + own + " uses " + other);
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void foreignLibrariesAreUsedWhereTheyBelong() throws IOException {
    Map<String, Set<String>> places =
        Map.of(
            "org.apache.ignite", Set.of("protocol", "ledger", "home", "worker", "shared", "node"),
            "py4j", Set.of("gateway"),
            "com.google.gson", Set.of("node"),
            "org.msgpack", Set.of("model", "protocol", "worker", "gateway"));
    List<String> wrong = new ArrayList<>();
    for (Path file : sources()) {
      String text = Files.readString(file);
      places.forEach(
          (library, packages) -> {
            if (text.contains("import " + library + ".") && !packages.contains(packageOf(file))) {
              wrong.add(file.getFileName() + " uses " + library);
            }
          });
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void whatIsPureStaysPure() throws IOException {
    // The order of a home is tested without a node, a clock or a thread: it must not need any.
    for (String name : List.of("QueueState", "ReadyOrder", "Outcomes", "Entry")) {
      String text = Files.readString(SOURCES.resolve("home").resolve(name + ".java"));
      for (String forbidden :
          List.of("org.apache.ignite", "System.currentTimeMillis", "System.nanoTime", "java.io")) {
        assertTrue(!text.contains(forbidden), name + " uses " + forbidden);
      }
    }
  }

  @Test
  void onlyTheLedgerTouchesItsCache() throws IOException {
    for (Path file : sources()) {
      if (packageOf(file).equals("home")) {
        assertTrue(!Files.readString(file).contains("IgniteCache"), file.toString());
      }
    }
  }

  @Test
  void everyPackageSaysWhatItIsFor() throws IOException {
    for (String name : ALLOWED.keySet()) {
      Path file = SOURCES.resolve(name).resolve("package-info.java");
      assertTrue(Files.exists(file), file + " is missing");
      assertTrue(Files.readString(file).lines().count() >= 8, file + " says too little");
    }
  }
}
