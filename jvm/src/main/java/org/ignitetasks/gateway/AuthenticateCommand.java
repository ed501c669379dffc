package org.ignitetasks.gateway;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import py4j.commands.AbstractCommand;

/**
 * Command {@code A}: compares the token in constant time; see {@link GuardedConnection}.
 *
 * <p>Py4J's own check compares with {@code String.equals} and answers with a stack trace.
 */
final class AuthenticateCommand extends AbstractCommand {
  static final String NAME = "A";
  private static final String ACCEPTED = "!yv\n";

  private final byte[] tokenDigest;
  private boolean authenticated;

  /** Takes the SHA-256 of the token, so that comparing never depends on a length. */
  AuthenticateCommand(byte[] tokenDigest) {
    this.commandName = NAME;
    this.tokenDigest = tokenDigest;
  }

  @Override
  public void execute(String command, BufferedReader reader, BufferedWriter writer)
      throws IOException {
    String shown = reader.readLine();
    if (shown == null) {
      throw new RefusedException("the connection ended before the token");
    }
    byte[] digest = Digests.sha256(shown.getBytes(StandardCharsets.ISO_8859_1));
    if (!MessageDigest.isEqual(tokenDigest, digest)) {
      authenticated = false;
      throw new RefusedException("wrong token");
    }
    authenticated = true;
    writer.write(ACCEPTED);
    writer.flush();
  }

  boolean authenticated() {
    return authenticated;
  }
}
