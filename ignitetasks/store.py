"""Small values of the cluster: schedules, rates, saved groups; each under a bucket and a key, with a version.

Durable when a call returns, seen by every process at once, changed by compare-and-set. This file must not know what
a value means: it stores bytes.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ignitetasks.errors import Busy, PayloadTooLarge
from ignitetasks.transport.base import Transport

#: Accepts whatever version is there.
ANY: Final = -1
#: Largest value, in bytes.
MAX_VALUE_BYTES: Final = 1 << 20
_PAGE: Final = 500
_TOKEN_BYTES: Final = 16
_TRIES: Final = 200
_PAUSE_SECONDS: Final = 0.02


class Entry(NamedTuple):
    """A stored value.

    Attributes:
        version: Number of this state of the value; grows with every change, also across a deletion.
        value: The bytes.
    """

    version: int
    value: bytes


class Store:
    """One bucket of the settings.

    Args:
        transport: The way to the node.
        bucket: Name of the bucket: 1 to 64 characters without a slash.
    """

    def __init__(self, transport: Transport, bucket: str) -> None:
        self._transport = transport
        self.bucket = bucket

    def get(self, key: str) -> Entry | None:
        """Reads a value.

        Args:
            key: Its key.

        Returns:
            The value and its version; None when there is none.
        """
        found = self._transport.call("kv_get", self.bucket, key)
        return None if found is None else Entry(found[0], found[1])

    def put(self, key: str, value: bytes, expected: int = ANY, ttl_seconds: float = 0.0) -> int | None:
        """Stores a value.

        A put whose answer was lost is repeated and is still one put: the node recognises it.

        Args:
            key: Its key, 1 to 255 characters.
            value: The bytes, at most 1 MiB.
            expected: The version that must be there, 0 for none; `ANY` for whatever is.
            ttl_seconds: Time after which the value is gone; 0 keeps it for ever.

        Returns:
            The new version; None when another version than the expected was there, and nothing was changed.

        Raises:
            PayloadTooLarge: The value has more than 1 MiB.
        """
        if len(value) > MAX_VALUE_BYTES:
            raise PayloadTooLarge(
                f"the value of {self.bucket}/{key} has {len(value)} bytes; a setting takes at most {MAX_VALUE_BYTES}"
            )
        ttl_ms = max(int(ttl_seconds * 1000), 1) if ttl_seconds else 0
        token = os.urandom(_TOKEN_BYTES)
        done, version = self._transport.call("kv_put", self.bucket, key, value, expected, ttl_ms, token)
        return int(version) if done else None

    def delete(self, key: str, expected: int = ANY) -> bool:
        """Deletes a value.

        Args:
            key: Its key.
            expected: The version that must be there; `ANY` for whatever is.

        Returns:
            False when another version was there, and nothing was changed. True otherwise, also when there was no
            value any more.
        """
        done, version = self._transport.call("kv_put", self.bucket, key, None, expected, 0, None)
        return bool(done) or version == 0

    def list(self, prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """Reads the values of a bucket, some at a time; what changes meanwhile may be seen or not.

        Args:
            prefix: Only keys that begin with this.

        Yields:
            Keys, in their order, with their values.
        """
        after: str | None = None
        while True:
            page = self._transport.call("kv_list", self.bucket, prefix, after, _PAGE)
            if not page:
                return
            for key, version, value in page:
                yield key, Entry(version, value)
                after = key

    def update(
        self, key: str, change: Callable[[bytes | None], bytes | None], ttl_seconds: float = 0.0
    ) -> bytes | None:
        """Changes a value, whoever else changes it at the same time.

        Args:
            key: Its key.
            change: Returns the new value for the old one; None stands for no value, on both sides. Called again
                with the newer value whenever somebody else was faster, so it must do nothing but compute.
            ttl_seconds: As for `put`.

        Returns:
            The new value.

        Raises:
            Busy: Others were faster again and again.
        """
        for attempt in range(_TRIES):
            entry = self.get(key)
            value = change(None if entry is None else entry.value)
            if value is None:
                if entry is None or self.delete(key, entry.version):
                    return None
            elif self.put(key, value, entry.version if entry else 0, ttl_seconds) is not None:
                return value
            # Two that meet once would meet again and again: they part by chance.
            time.sleep(random.uniform(0, _PAUSE_SECONDS * min(attempt + 1, 10)))  # noqa: S311
        raise Busy(f"{self.bucket}/{key} is changed by others all the time; try again later")
