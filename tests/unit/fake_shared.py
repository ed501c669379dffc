"""What belongs to the cluster and not to one task, on a fake node: settings."""

from __future__ import annotations

import itertools
from typing import Any

from fakes import FakeNode


class SharedNode(FakeNode):
    """The gateway's shared operations on dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.settings: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.tokens: dict[tuple[str, str], bytes] = {}
        self.versions = itertools.count(1)
        #: Called before each compare: another client that is faster.
        self.rival: Any = None

    def op_kv_get(self, bucket: str, key: str) -> Any:
        return self.settings.get((bucket, key))

    def op_kv_put(
        self, bucket: str, key: str, value: bytes | None, expected: int, ttl_ms: int, token: bytes | None
    ) -> Any:
        if self.rival is not None:
            self.rival()
        there = self.settings.get((bucket, key), (0, b""))[0]
        if there and token is not None and self.tokens.get((bucket, key)) == token:
            return [True, there]
        if expected not in (-1, there):
            return [False, there]
        if value is None:
            self.settings.pop((bucket, key), None)
            return [True, 0]
        version = next(self.versions)
        self.settings[bucket, key] = (version, value)
        if token is not None:
            self.tokens[bucket, key] = token
        return [True, version]

    def op_kv_list(self, bucket: str, prefix: str, after: str | None, limit: int) -> Any:
        keys = sorted(key for owner, key in self.settings if owner == bucket and key.startswith(prefix))
        later = [key for key in keys if after is None or key > after]
        return [[key, *self.settings[bucket, key]] for key in later[:limit]]
