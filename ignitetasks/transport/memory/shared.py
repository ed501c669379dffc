"""What a home in memory keeps beside tasks: settings, the event feed, and questions to workers.

Each public method of these classes is one operation of the gateway, under its name and with its positional arguments.
This file must not know tasks.
"""

from __future__ import annotations

import itertools
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ignitetasks.errors import BadRequest
from ignitetasks.transport.memory.records import Worker, now_ms

#: Accepts whatever version of a setting there is.
ANY_VERSION = -1
#: Events that are kept; then the oldest go.
MAX_EVENTS = 100_000
MAX_EVENT_AGE_MS = 86_400_000
_FROM_NOW = -1


class _Setting(NamedTuple):
    version: int
    value: bytes
    until_ms: int
    token: bytes | None


class Settings:
    """Small values under a bucket and a key, each with a version."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], _Setting] = {}
        self._versions = itertools.count(1)

    def _at(self, bucket: str, key: str) -> _Setting | None:
        found = self._values.get((bucket, key))
        if found is not None and 0 < found.until_ms <= now_ms():
            del self._values[bucket, key]
            return None
        return found

    def kv_get(self, bucket: str, key: str) -> list[Any] | None:
        """Returns version and value, or None."""
        with self._lock:
            found = self._at(bucket, key)
            return None if found is None else [found.version, found.value]

    def kv_put(
        self, bucket: str, key: str, value: bytes | None, expected: int, ttl_ms: int, token: bytes | None = None
    ) -> list[Any]:
        """Stores or (None) deletes a value; returns whether it was done, and the version there is now."""
        with self._lock:
            found = self._at(bucket, key)
            version = 0 if found is None else found.version
            if found is not None and token is not None and found.token == token:
                return [True, version]
            if expected not in (ANY_VERSION, version):
                return [False, version]
            if value is None:
                self._values.pop((bucket, key), None)
                return [True, 0]
            version = next(self._versions)
            self._values[bucket, key] = _Setting(version, bytes(value), now_ms() + ttl_ms if ttl_ms else 0, token)
            return [True, version]

    def kv_list(self, bucket: str, prefix: str, after: str | None, limit: int) -> list[list[Any]]:
        """Returns key, version and value of settings, by key."""
        with self._lock:
            keys = sorted(
                key
                for place, key in self._values
                if place == bucket and key.startswith(prefix) and (after is None or key > after)
            )
            found = [(key, self._at(bucket, key)) for key in keys[:limit]]
            return [[key, one.version, one.value] for key, one in found if one is not None]


class Events:
    """The event feed: numbered, kept for a while.

    Args:
        last: Number of the last event before it.
    """

    def __init__(self, last: int = 0) -> None:
        self._arrived = threading.Condition()
        self._kept: deque[tuple[int, int, bytes]] = deque()
        self._last = last
        self._ended = False

    def end(self) -> int:
        """Takes no more events; returns the number of the last one."""
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()
            return self._last

    def events_append(self, events: Sequence[bytes], repeated: bool = False) -> int:
        """Adds events at the end, unless the same call came before; returns how many there were."""
        with self._arrived:
            if self._ended:
                return len(events)
            if repeated and events and any(data == events[0] for _, _, data in self._kept):
                return len(events)
            for event in events:
                self._last += 1
                self._kept.append((self._last, now_ms(), bytes(event)))
            oldest = now_ms() - MAX_EVENT_AGE_MS
            while self._kept and (len(self._kept) > MAX_EVENTS or self._kept[0][1] < oldest):
                self._kept.popleft()
            self._arrived.notify_all()
        return len(events)

    def events_read(self, cursor: int, limit: int, wait_ms: int) -> list[Any]:
        """Returns the next cursor, number and bytes of what came after the given one, and how many are gone."""
        deadline = time.monotonic() + wait_ms / 1000
        with self._arrived:
            if cursor == _FROM_NOW:
                cursor = self._last
            first = self._kept[0][0] if self._kept else self._last + 1
            if cursor > self._last:
                raise BadRequest(f"the cursor {cursor} is ahead of the feed, which ends at {self._last}; begin with 0")
            dropped = max(first - cursor - 1, 0) if cursor else 0
            while self._last <= cursor and not self._ended:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._arrived.wait(left)
            start = bisect_right(self._kept, cursor, key=lambda event: event[0])
            found = [[seq, data] for seq, _, data in itertools.islice(self._kept, start, start + limit)]
            return [found[-1][0] if found else cursor, found, dropped]


class _Question:
    def __init__(self, epochs: set[int], limit: int) -> None:
        self.open = epochs
        self.limit = limit
        self.replies: list[list[Any]] = []


class Questions:
    """Remote control: asks supervisors, and collects what they answer.

    Args:
        ask: Sends a question (number, command, body) to the workers of these names, None for all; returns them.
    """

    def __init__(self, ask: Callable[[int, str, bytes, Sequence[str] | None], list[Worker]]) -> None:
        self._ask = ask
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._open: dict[int, _Question] = {}

    def control(
        self, command: str, body: bytes, destinations: Sequence[str] | None, timeout_ms: int, limit: int
    ) -> list[list[Any]]:
        """Asks and waits until all asked workers have answered or gone, or time or limit end it."""
        number = next(self._numbers)
        with self._changed:
            workers = self._ask(number, command, bytes(body), destinations)
            question = self._open[number] = _Question({worker.epoch for worker in workers}, limit)
            deadline = time.monotonic() + timeout_ms / 1000
            while question.open and len(question.replies) < limit:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            del self._open[number]
        return question.replies[:limit]

    def replied(self, worker: Worker, number: int, body: bytes) -> None:
        """Takes a worker's answer; one that comes too late is dropped."""
        with self._changed:
            question = self._open.get(number)
            if question is not None and worker.epoch in question.open:
                question.open.discard(worker.epoch)
                question.replies.append([worker.name, bytes(body)])
                self._changed.notify_all()

    def left(self, worker: Worker) -> None:
        """Stops waiting for a worker that is gone."""
        with self._changed:
            for question in self._open.values():
                question.open.discard(worker.epoch)
            self._changed.notify_all()
