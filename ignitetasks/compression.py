"""Large values made smaller: what is compressed says by its first bytes how. This file must not know encodings.

compressed = ``z`` + one letter for the method + the compressed bytes of an encoded value.
"""

from __future__ import annotations

import bz2
import functools
import importlib.util
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks import deferred
from ignitetasks.errors import SerializationError

Data = bytes | bytearray | memoryview

MARK = b"z"
#: Smaller values are left as they are: they would not get smaller.
SMALLEST_BYTES = 1024
#: What a value may grow to; the same bound as that of ``max_payload_bytes``.
LARGEST_BYTES = 1 << 30
#: Optional libraries read pieces of this size, so that what they come to is seen before it fills the memory.
_PIECE_BYTES = 1024


def _optional(part: deferred.Part) -> Callable[[bytes], bytes]:
    """Returns what compresses by a method of an optional library."""
    return lambda data: bytes(deferred.load(part).compress(data))


class _Pieces:
    """Reads what a method of an optional library has compressed.

    Args:
        part: The method's module.
    """

    def __init__(self, part: deferred.Part) -> None:
        self._method = deferred.load(part)

    def decompress(self, data: bytes, limit: int) -> bytes:
        """Returns the data behind compressed data; more than the limit where it is larger."""
        read, found = self._method.reader(), bytearray()
        try:
            for start in range(0, len(data), _PIECE_BYTES):
                found += read(data[start : start + _PIECE_BYTES])
                if len(found) > limit:
                    break
        except self._method.Damaged as error:
            raise ValueError(str(error)) from error
        return bytes(found)


_METHODS: Mapping[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "gzip": (b"g", lambda data: zlib.compress(data, 6)),
    "zlib": (b"g", lambda data: zlib.compress(data, 6)),
    "application/x-gzip": (b"g", lambda data: zlib.compress(data, 6)),
    "bzip2": (b"b", bz2.compress),
    "bz2": (b"b", bz2.compress),
    "bzip": (b"b", bz2.compress),
    "application/x-bz2": (b"b", bz2.compress),
    "lzma": (b"x", lzma.compress),
    "xz": (b"x", lzma.compress),
    "application/x-lzma": (b"x", lzma.compress),
    **dict.fromkeys(("zstd", "zstandard", "application/zstd"), (b"s", _optional("zstd"))),
    **dict.fromkeys(("brotli", "application/x-brotli"), (b"r", _optional("brotli"))),
}
_READERS: Mapping[bytes, Callable[[], Any]] = {
    b"g": zlib.decompressobj,
    b"b": bz2.BZ2Decompressor,
    b"x": lzma.LZMADecompressor,
    b"s": lambda: _Pieces("zstd"),
    b"r": lambda: _Pieces("brotli"),
}
#: Methods by their mark that need a library of their own, and its name.
_LIBRARIES: Mapping[bytes, str] = {b"s": "zstandard", b"r": "brotli"}
#: Names of the methods there are.
COMPRESSIONS = frozenset(_METHODS)


@functools.cache
def missing(method: str) -> str | None:
    """Returns the name of the library that a method needs and that is not installed, or None."""
    library = _LIBRARIES.get(_METHODS[method][0])
    return library if library is not None and importlib.util.find_spec(library) is None else None


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
    except ImportError as error:
        library = _LIBRARIES[data[1:2]]
        raise SerializationError(f"the value was compressed with {library}, which is not installed here") from error
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise SerializationError(f"the compressed value is damaged: {error}") from error
    if len(found) > LARGEST_BYTES:
        raise SerializationError("the compressed value is larger than a value may be")
    return found
