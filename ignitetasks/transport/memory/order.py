"""The order of waiting tasks: by priority, then by arrival, apart for each queue and task name; and a clock's list.

A task that changes its place gets a new ticket, so that what heaps still hold of its old place is void; nothing is
ever searched. This file must not lock (its home does) or know workers' connections.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator

from ignitetasks.transport.memory.records import READY, Record

_Heap = list[tuple[int, int, int, Record]]


class Order:
    """The tasks that are ready to run."""

    def __init__(self) -> None:
        self._heaps: dict[tuple[str, str], _Heap] = {}
        self._tickets = itertools.count(1)

    def move(self, record: Record, where: int) -> int:
        """Gives a record a new place and voids what heaps hold of its old one; returns its ticket."""
        record.where = where
        record.ticket = next(self._tickets)
        if where == READY:
            heap = self._heaps.setdefault((record.queue, record.call.task), [])
            heapq.heappush(heap, (-record.priority, record.seq, record.ticket, record))
        return record.ticket

    def heads(self) -> Iterator[tuple[str, str, Record]]:
        """Yields queue, task name and first record of everything that waits."""
        for key in list(self._heaps):
            heap = self._heaps[key]
            while heap and heap[0][3].ticket != heap[0][2]:
                heapq.heappop(heap)
            if heap:
                yield (*key, heap[0][3])
            else:
                del self._heaps[key]


class Alarms:
    """What is due when: functions to be called at a time, unless their record has moved on by then."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def add(self, when_ms: int, ring: Callable[[], None]) -> bool:
        """Plans a call; returns whether it is the next one.

        Args:
            when_ms: Milliseconds since the epoch.
            ring: Called once, with the home's lock.
        """
        entry = (when_ms, next(self._count), ring)
        heapq.heappush(self._heap, entry)
        return self._heap[0] is entry

    def next_ms(self) -> int | None:
        """Returns when the next one is due, or None."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_ms: int) -> Iterator[Callable[[], None]]:
        """Takes out and yields what is due."""
        while self._heap and self._heap[0][0] <= now_ms:
            yield heapq.heappop(self._heap)[2]
