"""Compression by brotli; imported only where values are compressed by it. Must not know what is compressed."""

from __future__ import annotations

from collections.abc import Callable

import brotli

#: Raised for damaged bytes.
Damaged: type[Exception] = brotli.error


def compress(data: bytes) -> bytes:
    """Returns data compressed."""
    packed: bytes = brotli.compress(data)
    return packed


def reader() -> Callable[[bytes], bytes]:
    """Returns what reads compressed data piece by piece."""
    read: Callable[[bytes], bytes] = brotli.Decompressor().process
    return read
