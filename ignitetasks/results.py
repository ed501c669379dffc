"""Handles of many tasks at once: a lazy sequence that costs 36 bytes a task until somebody waits.

Waiting for a million results is one registration in the hub and as many polls as their completions fill. This
file must not send tasks.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from math import inf
from time import monotonic
from typing import Any, Generic, TypeVar, overload

from ignitetasks import deferred
from ignitetasks.client import ResultSource
from ignitetasks.errors import ResultExpired, ResultTimeout
from ignitetasks.hub import Epoch, Waiter
from ignitetasks.message import Completion
from ignitetasks.progress import Bar
from ignitetasks.result import AsyncResult, handle_class, open_completion
from ignitetasks.waiting import patience, warn_if_nobody_listens

R = TypeVar("R")

_ID_CHARS = 36
_WARN_AFTER_SECONDS = 2.0


class IdList(Sequence[str]):
    """Task ids in order; generated ones are kept as one stretch of bytes, not as a text each."""

    __slots__ = ("_data", "_texts")

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._data = bytearray()
        self._texts: list[str] | None = None
        self.extend(list(ids))

    def extend(self, ids: Sequence[str]) -> None:
        """Appends ids."""
        if self._texts is None:
            joined = "".join(ids)
            if joined.isascii() and set(map(len, ids)) <= {_ID_CHARS}:
                self._data += joined.encode("ascii")
                return
            self._texts = list(self)
            self._data = bytearray()
        self._texts.extend(ids)

    def __len__(self) -> int:
        return len(self._data) // _ID_CHARS if self._texts is None else len(self._texts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> IdList: ...
    def __getitem__(self, index: int | slice) -> str | IdList:
        if isinstance(index, slice):
            return IdList([self[one] for one in range(*index.indices(len(self)))])
        if self._texts is not None:
            return self._texts[index]
        place = range(len(self))[index] * _ID_CHARS
        return self._data[place : place + _ID_CHARS].decode("ascii")

    def __iter__(self) -> Iterator[str]:
        if self._texts is not None:
            yield from self._texts
            return
        text = self._data.decode("ascii")
        for place in range(0, len(text), _ID_CHARS):
            yield text[place : place + _ID_CHARS]


class _Collector(Waiter):
    """Takes completions for a list; the hub holds this, never the list itself."""

    __slots__ = ("aliases", "fresh", "on_fresh", "order", "slots")

    def __init__(self, ids: Sequence[str]) -> None:
        self.slots: list[Completion | None] = [None] * len(ids)
        self.order: dict[str, int] = {}
        # The same key twice in one call is one task with two places.
        self.aliases: dict[int, int] = {}
        for index, task_id in enumerate(ids):
            first = self.order.setdefault(task_id, index)
            if first != index:
                self.aliases[index] = first
        self.fresh: deque[int] | None = None
        self.on_fresh: Callable[[], None] | None = None
        super().__init__(len(self.order), self._collect)

    def _collect(self, completion: Completion) -> None:
        index = self.order.pop(completion.id)
        self.slots[index] = completion
        if self.fresh is not None:
            self.fresh.append(index)
        if self.on_fresh is not None:
            self.on_fresh()

    def at(self, index: int) -> Completion | None:
        """Returns the completion of one place."""
        return self.slots[self.aliases.get(index, index)]


class ResultList(Sequence[AsyncResult[R]], Generic[R]):
    """Handles of a bulk call, in the order of its arguments.

    Attributes:
        ids: The tasks' ids.
        existing: Places whose task had been made before by the same idempotency key.
    """

    def __init__(
        self,
        ids: Iterable[str],
        source: ResultSource,
        *,
        epoch: Epoch | None = None,
        existing: Iterable[int] = (),
        queue: str | None = None,
        task_name: str | None = None,
    ) -> None:
        self.ids = ids if isinstance(ids, IdList) else IdList(ids)
        self.existing = frozenset(existing)
        self._source = source
        self._epoch = None if self.existing else epoch
        self._queue = queue
        self._task_name = task_name
        self._collector: _Collector | None = None
        self._starting = threading.Lock()
        #: The list this one is a part of, and the places there.
        self._whole: tuple[ResultList[R], Sequence[int]] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> AsyncResult[R]: ...
    @overload
    def __getitem__(self, index: slice) -> ResultList[R]: ...
    def __getitem__(self, index: int | slice) -> AsyncResult[R] | ResultList[R]:
        if isinstance(index, slice):
            places = range(*index.indices(len(self)))
            existing = [new for new, old in enumerate(places) if old in self.existing]
            part: ResultList[R] = ResultList(
                self.ids[index],
                self._source,
                epoch=self._epoch,
                existing=existing,
                queue=self._queue,
                task_name=self._task_name,
            )
            part._whole = (self, places)
            return part
        return self._handle(range(len(self))[index])

    def __repr__(self) -> str:
        return f"<ResultList: {len(self)} tasks>"

    def _handle(self, index: int) -> AsyncResult[R]:
        result: AsyncResult[R] = handle_class(self._source)(
            self.ids[index],
            None,
            self._task_name,
            self._source,
            queue=self._queue,
            created=index not in self.existing,
            epoch=self._epoch,
            place=(self, index),
        )
        completion = self._collector.at(index) if self._collector is not None else None
        if completion is not None:
            result._set(completion)
        return result

    def completion_at(self, index: int) -> Completion | None:
        """Returns what has arrived for one place; collects for all of them from now on.

        A completion comes once, so whatever is made of this list (handles, parts) looks here before it waits.
        """
        return self._collect().at(index)

    def _collect(self) -> _Collector:
        """Starts collecting, once."""
        if self._collector is not None:
            return self._collector
        with self._starting:
            if self._collector is None:
                whole = self._whole[0]._collect() if self._whole is not None else None
                hub = self._source.client.hub
                collector = _Collector(self.ids)
                ids = list(collector.order)
                # The hub's hold on the collector ends with this list, not with the process.
                weakref.finalize(self, hub.unregister, collector, ids).atexit = False
                try:
                    hub.register(collector, ids, self._epoch)
                    if whole is not None and self._whole is not None:
                        # After registering: what comes now goes to both.
                        known = [whole.at(place) for place in self._whole[1]]
                        hub.offer(collector, [one for one in known if one is not None])
                finally:
                    # Also when the node could not be asked: the collector has its interest in the hub.
                    self._collector = collector
            return self._collector

    def get(self, timeout: float | None = None, propagate: bool = True, progress: bool = False) -> list[R]:
        """Waits for all tasks and returns their results in order.

        Args:
            timeout: Seconds to wait for all together; None means without end.
            propagate: True raises the first exception in order, False puts exceptions into the list.
            progress: True shows a bar.

        Raises:
            ResultTimeout: The time was over first; the message says how many are missing.
            Exception: The exception of the first task, in order, that failed.
        """
        timeout = patience(timeout)
        collector = self._collect()
        with Bar("results", len(self), progress) as bar:
            self._wait_for(collector, 0, None if timeout is None else monotonic() + timeout, bar if progress else None)
        client, modules = self._source.client, self._source.task_modules
        values: list[Any] = []
        for index in range(len(self)):
            completion = collector.at(index)
            assert completion is not None  # noqa: S101  # none is missing after waiting
            good, value = open_completion(client, completion, modules)
            if not good and (propagate or isinstance(value, ResultExpired)):
                raise value
            values.append(value)
        return values

    join = get

    def _wait_for(self, collector: _Collector, enough: int, deadline: float | None, bar: Bar | None = None) -> None:
        hub = self._source.client.hub
        warn_at, shown = monotonic() + _WARN_AFTER_SECONDS, collector.left
        if bar is not None:
            bar.advance(len(self) - shown)
        while collector.left > enough:
            # In steps, so that a bar moves; a step costs nothing while completions flow.
            collector.enough = max(enough, collector.left - 1) if bar is not None else enough
            step = 0.5 if bar is not None else _WARN_AFTER_SECONDS
            if deadline is not None:
                step = min(step, deadline - monotonic())
            hub.wait(collector, step)
            if bar is not None:
                bar.advance(shown - collector.left)
                shown = collector.left
            if collector.left <= enough:
                return
            now = monotonic()
            if deadline is not None and now >= deadline:
                raise ResultTimeout(f"{collector.left} of {len(self)} results are missing when the timeout ended")
            if now >= warn_at:
                missing = next(iter(collector.order.copy()), "")
                again = warn_if_nobody_listens(self._source.client, missing, self._queue, self._task_name)
                warn_at = inf if again is None else now + again

    def completed_count(self) -> int:
        """Returns how many tasks have ended, as far as the node has told; does not wait."""
        collector = self._collect()
        if collector.left:
            self._source.client.hub.pump()
        return sum(1 for index in range(len(self)) if collector.at(index) is not None)

    def ready(self) -> bool:
        """Tells whether all tasks have ended."""
        return self.completed_count() == len(self)

    def iter_completed(self, timeout: float | None = None) -> Iterator[AsyncResult[R]]:
        """Yields handles as their tasks end, each once; their ``get`` does not wait.

        Args:
            timeout: Seconds for all together; None means without end.

        Raises:
            ResultTimeout: The time was over before the last one.
        """
        timeout = patience(timeout)
        deadline = None if timeout is None else monotonic() + timeout
        collector = self._collect()
        # Attached before looking, so nothing falls between; what both show is yielded once.
        fresh: deque[int] = deque()
        collector.fresh = fresh
        doubles: dict[int, list[int]] = {}
        for index, first in collector.aliases.items():
            doubles.setdefault(first, []).append(index)
        seen: set[int] = set()
        ready: deque[int] = deque(index for index, one in enumerate(list(collector.slots)) if one is not None)
        while len(seen) < len(collector.slots) - len(collector.aliases):
            while fresh:
                ready.append(fresh.popleft())
            if not ready:
                self._wait_for(collector, max(0, collector.left - 1), deadline)
                continue
            index = ready.popleft()
            if index in seen:
                continue
            seen.add(index)
            yield self._handle(index)
            for double in doubles.get(index, ()):
                yield self._handle(double)
        collector.fresh = None

    async def __aiter__(self) -> AsyncIterator[AsyncResult[R]]:
        """Yields handles as their tasks end, each once; awaiting them does not wait."""
        futures = deferred.load("futures")
        hub = self._source.client.hub
        bell = futures.Bell(hub)
        try:
            collector = self._collector
            if collector is None:
                if self._epoch is None or not hub.is_current(self._epoch):
                    await futures.in_thread(self._collect)  # it asks the node, for a moment
                collector = self._collect()
            collector.on_fresh = bell.ring
            seen: set[int] = set()
            while True:
                # Rung for what comes after this look; what both show is yielded once.
                ready = [index for index in range(len(self)) if index not in seen and collector.at(index) is not None]
                for index in ready:
                    seen.add(index)
                    yield self._handle(index)
                if len(seen) == len(self):
                    return
                if not ready:
                    await bell.wait()
        finally:
            if self._collector is not None:
                self._collector.on_fresh = None
            bell.close()

    def __await__(self) -> Generator[Any, None, list[R]]:
        """Waits for all tasks without blocking the event loop, and returns their results in order."""
        return self._all().__await__()

    async def _all(self) -> list[R]:
        async for _ in self:
            pass
        return await deferred.load("sender").in_thread(self.get)  # type: ignore[no-any-return]

    def forget(self) -> int:
        """Deletes the tasks' records; returns how many there were."""
        count = self._in_batches("forget")
        collector, self._collector, self._whole, self._epoch = self._collector, None, None, None
        if collector is not None:
            self._source.client.hub.unregister(collector, list(collector.order))
        return count

    def _in_batches(self, op: str, *args: Any) -> int:
        total, batch = 0, 5_000
        for start in range(0, len(self), batch):
            ids = [self.ids[index] for index in range(start, min(start + batch, len(self)))]
            total += self._source.client.transport.call(op, ids, *args)
        return total

    def revoke(self, terminate: bool = False, signal: str = "SIGTERM") -> None:
        """Keeps the tasks from running; see `AsyncResult.revoke`."""
        batch = 5_000
        for start in range(0, len(self), batch):
            ids = [self.ids[index] for index in range(start, min(start + batch, len(self)))]
            self._source.client.transport.call("revoke", ids, bool(terminate), str(signal))
