"""``worker.timer``: functions that a worker's own loop calls at their time. This file must not start a thread."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ignitetasks import log

_logger = log.get_logger("worker")


class Entry:
    """A call to come.

    Args:
        fun: The function.
        args: Its arguments.
        kwargs: Its keyword arguments.
        every: Seconds between two calls; None for a single one.

    Attributes:
        canceled: Whether it was taken back.
    """

    def __init__(
        self, fun: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], every: float | None = None
    ) -> None:
        self.fun, self.args, self.kwargs, self.every = fun, tuple(args), dict(kwargs), every
        self.canceled = False

    @property
    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self.canceled

    def cancel(self) -> None:
        """Takes it back."""
        self.canceled = True

    def __call__(self) -> Any:
        """Makes the call."""
        return self.fun(*self.args, **self.kwargs)


class Timer:
    """Calls functions at their time, one after the other, in the worker's loop: they should not wait for anything.

    Args:
        wake: Makes the loop look at the timer.
    """

    def __init__(self, wake: Callable[[], Any] = lambda: None) -> None:
        self._due: list[tuple[float, int, Entry]] = []
        self._count = itertools.count()
        self._wake = wake

    def call_after(
        self, secs: float, fun: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None, priority: int = 0
    ) -> Entry:
        """Calls a function once, after some seconds."""
        return self._add(time.monotonic() + secs, Entry(fun, args, kwargs or {}))

    def call_repeatedly(
        self, secs: float, fun: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None, priority: int = 0
    ) -> Entry:
        """Calls a function again and again, some seconds after the other."""
        return self._add(time.monotonic() + secs, Entry(fun, args, kwargs or {}, secs))

    def call_at(
        self, eta: Any, fun: Callable[..., Any], args: Sequence[Any] = (), kwargs: Any = None, priority: int = 0
    ) -> Entry:
        """Calls a function once, at a moment: a datetime, or seconds since the epoch."""
        if isinstance(eta, datetime):
            eta = (eta if eta.tzinfo else eta.replace(tzinfo=timezone.utc)).timestamp()
        return self.call_after(eta - time.time(), fun, args, kwargs)

    def cancel(self, tref: Entry) -> None:
        """Takes a call back."""
        tref.cancel()

    def clear(self) -> None:
        """Takes all calls back."""
        self._due.clear()

    def next(self) -> float | None:
        """Returns when the next call is due, in monotonic seconds; None where there is none."""
        due = self._due
        while due and due[0][2].canceled:
            heapq.heappop(due)
        return due[0][0] if due else None

    def run(self) -> None:
        """Calls what is due; what a function raises is logged."""
        now, again = time.monotonic(), []
        while (moment := self.next()) is not None and moment <= now:
            entry = heapq.heappop(self._due)[2]
            try:
                entry()
            except Exception as error:
                _logger.error("a call of the worker's timer failed", function=repr(entry.fun), error=repr(error))
            if entry.every is not None and not entry.canceled:
                again.append((now + entry.every, entry))
        for moment, entry in again:  # last: one without a pause in between would go on for ever
            self._add(moment, entry)

    def _add(self, moment: float, entry: Entry) -> Entry:
        heapq.heappush(self._due, (moment, next(self._count), entry))
        self._wake()
        return entry
