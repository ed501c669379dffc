"""Unix signals as facts in an event loop: noted when they come, answered when the loop gets to them.

Works without signals too, where the supervisor does not run in the main thread. This file must not decide what a
signal means; only a hang-up is two things under one number.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import threading
from collections import deque
from types import FrameType
from typing import Any, Final

from ignitetasks import deferred

#: Environment variables, any of which has SIGUSR2 open a debugger.
_DEBUGGER_VARIABLES: Final = ("IGNITETASKS_RDBSIG", "CELERY_RDBSIG")
WATCHED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)


class SignalQueue:
    """Notes signals and wakes a selector.

    Attributes:
        fd: Becomes readable when something was noted.
        interrupt: While True, a signal also raises KeyboardInterrupt: for calls that would block for long.
    """

    def __init__(self) -> None:
        """Make the wake-up pipe; nothing is caught before `install`."""
        self.fd, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.interrupt = False
        self._noted: deque[int] = deque()
        self._before: dict[int, Any] = {}
        self._before_wakeup = -1
        self._terminal = False
        self._hung_up = False

    def install(self) -> None:
        """Catch the watched signals; does nothing outside of the main thread.

        SIGHUP of a terminal that was closed (standard error is one) is noted as one SIGTERM, but not under ``nohup``.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        # By its number: `sys.stderr` may be the log by now.
        self._terminal = os.isatty(2) and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self._before_wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for signum in WATCHED:
            self._before[signum] = signal.signal(signum, self._note)
        self._before |= debug_by_signals(chain=True)

    def restore(self) -> None:
        """Put back what was there before `install`."""
        faulthandler.unregister(signal.SIGUSR1)
        for signum, handler in self._before.items():
            signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
        if self._before:
            signal.set_wakeup_fd(self._before_wakeup)
            self._before.clear()

    def close(self) -> None:
        """Close the pipe."""
        os.close(self.fd)
        os.close(self._write)

    def post(self, signum: int) -> None:
        """Note a signal that nobody sent; safe from any thread.

        Args:
            signum: The signal to act as.
        """
        self._noted.append(signum)
        with contextlib.suppress(BlockingIOError):  # full of wake-ups already
            os.write(self._write, b"\0")

    def take(self) -> list[int]:
        """Return what was noted since the last call, in order.

        Returns:
            Signal numbers.
        """
        with contextlib.suppress(BlockingIOError):
            os.read(self.fd, 4096)
        taken = []
        while self._noted:
            taken.append(self._noted.popleft())
        return taken

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        if signum == signal.SIGHUP and self._terminal:
            if self._hung_up:
                return  # the shell says it, and the kernel too
            self._hung_up = True
            signum = signal.SIGTERM
        self._noted.append(signum)
        if self.interrupt:
            self.interrupt = False
            raise KeyboardInterrupt


def debug_by_signals(chain: bool = False) -> dict[int, Any]:
    """Have SIGUSR1 write the stacks of all threads to standard error, and SIGUSR2 open a debugger where that is wanted.

    What is forked from this process does the same.

    Args:
        chain: After that, SIGUSR1 does what it did before.

    Returns:
        The handler that each signal had which has another one now.
    """
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True, chain=chain)
    if not any(os.environ.get(name) for name in _DEBUGGER_VARIABLES):
        return {}
    return {signal.SIGUSR2: signal.signal(signal.SIGUSR2, _debug)}


def _debug(_signum: int, frame: FrameType | None) -> None:
    deferred.load("rdb").set_trace(frame)
