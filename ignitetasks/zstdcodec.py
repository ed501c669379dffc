"""Compression by zstd; imported only where values are compressed by it. Must not know what is compressed."""

from __future__ import annotations

from collections.abc import Callable

import zstandard

#: Raised for damaged bytes.
Damaged: type[Exception] = zstandard.ZstdError


def compress(data: bytes) -> bytes:
    """Returns data compressed."""
    packed: bytes = zstandard.ZstdCompressor().compress(data)
    return packed


def reader() -> Callable[[bytes], bytes]:
    """Returns what reads compressed data piece by piece."""
    read: Callable[[bytes], bytes] = zstandard.ZstdDecompressor().decompressobj().decompress
    return read
