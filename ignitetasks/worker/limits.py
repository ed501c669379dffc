"""Soft time limits inside a task, and the memory a process may reach.

A soft limit raises `SoftTimeLimitExceeded` in the running task: by a timer signal where tasks run in the main
thread, by an asynchronous exception where they run in other threads. The hard limit of a prefork child is not
here: the supervisor kills the child from outside. This file must not know deliveries, sockets or outcomes.
"""

from __future__ import annotations

import ctypes
import heapq
import itertools
import resource
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from ignitetasks.errors import SoftTimeLimitExceeded, TimeLimitExceeded

#: Shortest timer that is ever set, in seconds: zero would switch the timer off.
_TINY_SECONDS = 0.000_001

#: By thread: what makes it come back from an endless wait, so that an exception raised in it can arrive.
wakers: dict[int, Callable[[], None]] = {}


def over(kind: str, limit_ms: int) -> str:
    """Says that a task ran longer than its ``soft`` or ``hard`` limit."""
    return f"The task ran longer than its {kind} limit of {limit_ms / 1000:g} s."


def milliseconds(seconds: float | None) -> int:
    """Return a limit in whole milliseconds, at least one; 0 stands for none.

    Args:
        seconds: The limit; None or 0 means none.
    """
    return max(int(seconds * 1000), 1) if seconds else 0


class TimeLimit(Protocol):
    """Watches one execution.

    `leave` may be called twice for one `enter`: the exception can arrive in the very moment of leaving, and the
    caller's handler then leaves once more. After the last `leave` no exception arrives.
    """

    def enter(self, soft_ms: int, hard_ms: int) -> Any:
        """Start watching; returns what `leave` wants."""

    def leave(self, token: Any) -> None:
        """Stop watching."""


class _Armed:
    """One execution under the timer, and what it replaced."""

    __slots__ = ("active", "before", "handler", "hard_left", "interval", "left", "soft", "started")

    def __init__(self) -> None:
        self.active = True
        self.soft = False
        self.hard_left = 0.0
        self.before: _Armed | None = None
        self.handler: Any = None
        self.left = 0.0
        self.interval = 0.0
        self.started = 0.0


class SignalLimit:
    """Limits for tasks in the main thread, by ITIMER_REAL; may be nested (a task that runs a task)."""

    def __init__(self, raise_hard: bool = False) -> None:
        """Make an idle limit.

        Args:
            raise_hard: Raise `TimeLimitExceeded` at the hard limit too, where no supervisor can kill the process.
        """
        self._raise_hard = raise_hard
        self._current: _Armed | None = None

    def enter(self, soft_ms: int, hard_ms: int) -> _Armed | None:
        """Set the timer.

        Args:
            soft_ms: Soft limit in milliseconds; 0 for none.
            hard_ms: Hard limit in milliseconds; 0 for none.

        Returns:
            The token for `leave`; None when there is nothing to watch.
        """
        hard = hard_ms / 1000 if self._raise_hard else 0.0
        soft = soft_ms / 1000
        if soft and hard and soft >= hard:
            soft = 0.0
        if not soft and not hard:
            return None
        armed = _Armed()
        armed.before, self._current = self._current, armed
        armed.soft = bool(soft)
        armed.hard_left = hard - soft if hard and soft else hard
        armed.started = time.monotonic()
        armed.handler = signal.signal(signal.SIGALRM, self._on_alarm)
        armed.left, armed.interval = signal.setitimer(signal.ITIMER_REAL, max(soft or hard, _TINY_SECONDS))
        return armed

    def leave(self, token: _Armed | None) -> None:
        """Take the timer away and restore what was there before `enter`.

        Args:
            token: What `enter` returned.
        """
        if token is None or self._current is not token:
            return
        # From here the handler is silent, so that none of the next lines can be cut short.
        token.active = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._current = token.before
        signal.signal(signal.SIGALRM, token.handler if token.handler is not None else signal.SIG_DFL)
        if token.left:
            rest = token.left - (time.monotonic() - token.started)
            signal.setitimer(signal.ITIMER_REAL, max(rest, _TINY_SECONDS), token.interval)

    def _on_alarm(self, _signal: int, _frame: FrameType | None) -> None:
        armed = self._current
        if armed is None or not armed.active:
            return
        if armed.soft:
            armed.soft = False
            if armed.hard_left:
                signal.setitimer(signal.ITIMER_REAL, max(armed.hard_left, _TINY_SECONDS))
            raise SoftTimeLimitExceeded
        raise TimeLimitExceeded


class _Watched:
    """One execution in one thread."""

    __slots__ = ("done", "firing", "thread_id")

    def __init__(self, thread_id: int) -> None:
        self.thread_id = thread_id
        self.done = False
        self.firing = False


class ThreadLimit:
    """Limits for tasks in any thread, by asynchronous exceptions of one watching thread.

    Python raises such an exception at the next bytecode of the thread: a task that sits in C code (a long `sleep`,
    a native call) gets it when that returns. The hard limit can therefore only be raised as `TimeLimitExceeded` in
    the same way; nothing can kill one thread.
    """

    def __init__(self) -> None:
        """Make an idle limit; the watching thread starts with the first limited task."""
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, type[BaseException], _Watched]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None

    def enter(self, soft_ms: int, hard_ms: int) -> _Watched | None:
        """Watch the calling thread.

        Args:
            soft_ms: Soft limit in milliseconds; 0 for none.
            hard_ms: Hard limit in milliseconds; 0 for none.

        Returns:
            The token for `leave`; None when there is nothing to watch.
        """
        if not soft_ms and not hard_ms:
            return None
        watched = _Watched(threading.get_ident())
        now = time.monotonic()
        limits: tuple[tuple[int, type[BaseException]], ...]
        limits = ((soft_ms, SoftTimeLimitExceeded), (hard_ms, TimeLimitExceeded))
        with self._changed:
            for milliseconds, exception in limits:
                if milliseconds:
                    heapq.heappush(self._due, (now + milliseconds / 1000, next(self._order), exception, watched))
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="ignitetasks-limits", daemon=True)
                self._thread.start()
            self._changed.notify()
        return watched

    def leave(self, token: _Watched | None) -> None:
        """Stop watching; a limit that fired and has not arrived yet is taken back.

        Args:
            token: What `enter` returned.
        """
        if token is None:
            return
        token.done = True
        # No lock: an exception that arrives while a lock is held here would leave it held. The watcher announces
        # itself by `firing` before it looks at `done`, so after this wait it can fire no more.
        while token.firing:
            time.sleep(0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(token.thread_id), None)

    def _watch(self) -> None:
        while True:
            with self._changed:
                while self._due and self._due[0][3].done:
                    heapq.heappop(self._due)
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                _, _, exception, watched = heapq.heappop(self._due)
            watched.firing = True
            if not watched.done:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(watched.thread_id), ctypes.py_object(exception)
                )
                wake = wakers.get(watched.thread_id)
                if wake is not None:
                    wake()
            watched.firing = False


def max_rss_kib() -> int:
    """Return the largest resident size this process ever had.

    Returns:
        KiB, as `max_memory_per_child` counts.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
