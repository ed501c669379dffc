"""Signals that end this process while it starts a JVM: the JVM ends with it, however early they come.

What a signal means stays as it was; it only comes when the JVM is known, as an exception that can be seen to. This file
must not know what a JVM is.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Ending(BaseException):
    """This process was told to end by a signal that nobody handles."""


class Interrupts:
    """Holds signals back until `let_in`, and makes an exception of those that would end the process at once.

    A context manager; outside of the main thread, which alone is told of signals, it does nothing.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._noted: list[int] = []
        self._held = True
        self._ending: int | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                before = signal.getsignal(number)
                # None is a handler of another language's.
                if before is not signal.SIG_IGN and before is not None:
                    self._before[number] = before
                    signal.signal(number, self._come)
        return self

    def let_in(self) -> None:
        """Delivers what has come, and from now on at once."""
        self._held = False
        while self._noted:
            self._deliver(self._noted.pop(0), None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if self._ending is not None:
            os.kill(os.getpid(), self._ending)
        for number in self._noted:
            signal.raise_signal(number)

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self._held:
            self._noted.append(number)
        else:
            self._deliver(number, frame)

    def _deliver(self, number: int, frame: FrameType | None) -> None:
        before = self._before[number]
        if callable(before):
            before(number, frame)
        else:
            self._ending = number
            raise _Ending
