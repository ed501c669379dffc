"""Large values made smaller: what is compressed says by its first bytes how. This file must not know encodings.

compressed = ``z`` + one letter for the method + the compressed bytes of an encoded value.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks.errors import SerializationError

Data = bytes | bytearray | memoryview

MARK = b"z"
#: Smaller values are left as they are: they would not get smaller.
SMALLEST_BYTES = 1024
#: What a value may grow to; the same bound as that of ``max_payload_bytes``.
LARGEST_BYTES = 1 << 30

_METHODS: Mapping[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"g", lambda data: zlib.compress(data, 6)),
    "zlib": (b"g", lambda data: zlib.compress(data, 6)),
    "application/x-gzip": (b"g", lambda data: zlib.compress(data, 6)),
    "bzip2": (b"b", bz2.compress),
    "bz2": (b"b", bz2.compress),
    "application/x-bz2": (b"b", bz2.compress),
    "lzma": (b"x", lzma.compress),
    "xz": (b"x", lzma.compress),
}
_READERS: Mapping[bytes, Callable[[], Any]] = {
    b"g": zlib.decompressobj,
    b"b": bz2.BZ2Decompressor,
    b"x": lzma.LZMADecompressor,
}
#: Names of the methods there are.
COMPRESSIONS = frozenset(_METHODS)


def compress(data: Data, method: str | None) -> Data:
    """Returns an encoded value, compressed where that makes it smaller.

    Args:
        data: The encoded value.
        method: One of `COMPRESSIONS`, or None.
    """
    if method is None or len(data) < SMALLEST_BYTES:
        return data
    letter, apply = _METHODS[method]
    packed = MARK + letter + apply(bytes(data))
    return packed if len(packed) < len(data) else data


def decompress(data: bytes) -> bytes:
    """Returns the encoded value behind a compressed one.

    Raises:
        SerializationError: It is damaged, or larger than any value may be.
    """
    reader = _READERS.get(data[1:2])
    if reader is None:
        raise SerializationError(f"the value has the unknown compression {data[1:2]!r}; a newer version wrote it")
    try:
        found: bytes = reader().decompress(data[2:], LARGEST_BYTES + 1)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise SerializationError(f"the compressed value is damaged: {error}") from error
    if len(found) > LARGEST_BYTES:
        raise SerializationError("the compressed value is larger than a value may be")
    return found
