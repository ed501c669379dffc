"""A transport that counts its calls: one call of it is one call of the gateway when nothing goes wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ignitetasks.config import Settings
from ignitetasks.message import Ahead, BlobRef, PollAnswer, Session, SubmitAnswer, WatchAnswer
from ignitetasks.transport.base import Transport
from ignitetasks.transport.gateway import GatewayTransport


class CountingTransport(Transport):
    """Counts calls by the name of their operation; repeats none, so that each is seen."""

    def __init__(self, settings: Settings) -> None:
        self._inner = GatewayTransport(settings)
        self.calls: Counter[str] = Counter()

    def session(self, renew: int | None = None) -> Session:
        return self._inner.session(renew)

    def submit(
        self, groups: Any, attempt: int = 0, timeout: float | None = None, ahead: Ahead | None = None
    ) -> SubmitAnswer:
        self.calls["submit"] += 1
        return self._inner.submit(groups, attempt, timeout, ahead)

    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        self.calls["poll"] += 1
        return self._inner.poll(session, ack, timeout, limit)

    def watch(self, session: int, ids: Any, timeout: float | None = None) -> WatchAnswer:
        self.calls["watch"] += 1
        return self._inner.watch(session, ids, timeout)

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        self.calls[op] += 1
        return self._inner.call(op, *args, timeout=timeout)

    def put_blob(self, blob_id: str, data: bytes | memoryview, ttl_ms: int) -> BlobRef:
        self.calls["put_blob"] += 1
        return self._inner.put_blob(blob_id, data, ttl_ms)

    def get_blob(self, ref: BlobRef) -> bytes:
        self.calls["get_blob"] += 1
        return self._inner.get_blob(ref)

    def reset(self) -> None:
        self._inner.reset()

    def close(self) -> None:
        self._inner.close()
