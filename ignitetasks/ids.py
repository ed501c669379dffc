"""Task ids: made by the client, unique without coordination, and telling where a record lives.

A generated id is a UUID-shaped text ``RRRRRRRR-RRRR-4RRR-8RRR-CCCCCCCCLLLL``: 72 random bits per process,
a 32-bit counter, and the locator of the queue. An id from an idempotency key is a digest in the same shape.
This file must stay a pure leaf: no I/O but the random source, no knowledge of transports.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import uuid
import zlib
from typing import Any

from ignitetasks.errors import InvalidOption

PARTITIONS = 64
#: Ids of one bulk submit are counted from a multiple of this: the node stores such a block in one row.
BLOCK = 512
_COUNTER_END = 1 << 32
_UUID_SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Key = str | bytes | int | uuid.UUID | tuple["Key", ...]


def queue_locator(queue: str) -> int:
    """Returns the 16-bit locator of a queue name."""
    return zlib.crc32(queue.encode("utf-8")) & 0xFFFF


def id_text(value: Any) -> Any:
    """Returns an id as a text where it is a UUID; anything else as it is."""
    return str(value) if isinstance(value, uuid.UUID) else value


def locator(task_id: str) -> int:
    """Returns the 16-bit locator of any id, generated or chosen by a caller."""
    if len(task_id) == 36 and _UUID_SHAPE.fullmatch(task_id):
        return int(task_id[32:], 16)
    return zlib.crc32(task_id.encode("utf-8")) & 0xFFFF


def partition(task_id: str) -> int:
    """Returns the partition (0 to 63) that holds the record of an id."""
    return locator(task_id) % PARTITIONS


class IdGenerator:
    """Makes ids of one process; thread-safe, and renewed in a forked child."""

    def __init__(self) -> None:
        self._tails: dict[str, str] = {}
        self._renew()

    def _renew(self) -> None:
        # A new lock too: after a fork another thread's hold on the old one would never end.
        self._lock = threading.Lock()
        self._count = 0
        self._prefix = self._random_prefix()

    @staticmethod
    def _random_prefix() -> str:
        text = secrets.token_hex(9)
        return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-8{text[15:18]}-"

    def _tail(self, queue: str) -> str:
        tail = self._tails.get(queue)
        if tail is None:
            if len(self._tails) >= 4096:
                self._tails.clear()
            tail = self._tails[queue] = f"{queue_locator(queue):04x}"
        return tail

    def _reserve(self, n: int, align: int = 1) -> tuple[str, int]:
        with self._lock:
            start = -(-self._count // align) * align
            if start + n > _COUNTER_END:
                self._prefix, start = self._random_prefix(), 0
            self._count = start + n
            return self._prefix, start

    def one(self, queue: str) -> str:
        """Returns a new id for a task of a queue."""
        prefix, count = self._reserve(1)
        return f"{prefix}{count:08x}{self._tail(queue)}"

    def many(self, n: int, queue: str) -> list[str]:
        """Returns n new ids for tasks of one queue, in counting order from the start of a block.

        Args:
            n: How many, at most 2**32.
            queue: Queue name.
        """
        prefix, start = self._reserve(n, BLOCK)
        shape = prefix + "%08x" + self._tail(queue)
        return [shape % count for count in range(start, start + n)]

    def near(self, n: int, place: int) -> list[str]:
        """Returns n new ids with a given locator, in counting order.

        Args:
            n: How many, at most 2**32.
            place: The locator, as `locator` and `queue_locator` give it.
        """
        prefix, start = self._reserve(n, BLOCK if n > 1 else 1)
        shape = f"{prefix}%08x{place:04x}"
        return [shape % count for count in range(start, start + n)]


_generator = IdGenerator()
new_id = _generator.one
new_ids = _generator.many
new_ids_near = _generator.near

# Without this a forked child would count on with its parent's random bits and both would make the same ids.
os.register_at_fork(after_in_child=_generator._renew)


def key_text(key: Key) -> str:
    """Returns the canonical text of an idempotency key; different keys never share one.

    Args:
        key: Text, bytes, an integer, a UUID, or a tuple of these; not empty.

    Raises:
        InvalidOption: The key has another type or is empty.
    """
    if isinstance(key, bool) or not isinstance(key, (str, bytes, int, uuid.UUID, tuple)):
        kind = type(key).__name__
        raise InvalidOption(
            f"idempotency_key must be str, bytes, int, UUID or a tuple of these, not {kind}; "
            "write the value you mean as text"
        )
    if isinstance(key, (str, bytes, tuple)) and not key:
        raise InvalidOption("idempotency_key must not be empty; leave it out or give a key")
    if isinstance(key, str):
        return "s" + key
    if isinstance(key, bytes):
        return "b" + key.hex()
    if isinstance(key, uuid.UUID):
        return "u" + key.hex
    if isinstance(key, int):
        return f"i{key}"
    parts = [key_text(part) for part in key]
    return "t" + "".join(f"{len(part)}:{part}" for part in parts)


def id_from_key(namespace: str, task: str, key: Key) -> str:
    """Returns the id that an idempotency key stands for.

    Args:
        namespace: Namespace of the app; the same key in two namespaces means two tasks.
        task: Task name.
        key: The caller's key.

    Raises:
        InvalidOption: The key has a type that cannot be used.
    """
    text = f"{namespace}\0{task}\0{key_text(key)}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def fingerprint(task: str, body: bytes | bytearray | memoryview) -> bytes:
    """Returns the 16-byte digest that tells a repeated call from a different one under the same id."""
    digest = hashlib.blake2b(task.encode("utf-8"), digest_size=16)
    digest.update(b"\0")
    digest.update(body)
    return digest.digest()
