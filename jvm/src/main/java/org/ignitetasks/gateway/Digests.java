package org.ignitetasks.gateway;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** The one hash of this package; every Java platform has it. */
final class Digests {
  private Digests() {}

  static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no SHA-256", e);
    }
  }
}
