"""Keeps a beat running beside a worker: starts its process again when it dies, until the worker is gone.

The keeper is a small process that a worker forks before it has threads or connections, so that it can fork beats at
any time. This file must not know what a beat does.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ignitetasks import log
from ignitetasks.utils.processes import die_with_parent, flush_streams, how_it_ended

#: Pause before the first restart in seconds; each further one waits twice as long.
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
#: One that ran so long was well: the next pause is the first one again, in seconds.
_WELL_SECONDS: Final = 60.0
#: A process that was told to end is given so long, in seconds.
_PATIENCE_SECONDS: Final = 3.0
#: So often it is looked whether whoever started the keeper still lives, in seconds.
_LOOK_SECONDS: Final = 5.0

_logger = log.get_logger("beat")


class Keeper:
    """Runs a function in a process of its own, again and again, until SIGTERM or the end of the parent.

    Args:
        work: What the process does; it returns only when it was told to end, by SIGTERM.
        first_pause: Seconds before the first restart.
    """

    def __init__(self, work: Callable[[], Any], first_pause: float = FIRST_PAUSE) -> None:
        self._work = work
        self._first_pause = first_pause
        self._stopping = False
        self._parent = self._keeper = 0
        self._woken = self._wake = -1

    def run(self) -> None:
        """Keep the process running; call it in a process of its own, in the main thread."""
        self._parent, self._keeper = os.getppid(), os.getpid()
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        die_with_parent(self._parent, signal.SIGTERM)
        pause = self._first_pause
        while not self._stopping:
            began = time.monotonic()
            end = self._once()
            if self._stopping:
                return
            if time.monotonic() - began > _WELL_SECONDS:
                pause = self._first_pause
            _logger.error("beat died", detail=end, again_in_seconds=pause)
            self._wait([self._woken], pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _on_stop(self, *_: Any) -> None:
        self._stopping = True

    def _once(self) -> str:
        """Run the process once; returns how it ended, in words."""
        flush_streams()
        pid = os.fork()
        if not pid:
            self._be_the_process()
        try:
            ended = os.pidfd_open(pid)
        except OSError:  # a kernel without: then it is looked for now and then
            ended = -1
        told_at = 0.0
        try:
            while True:
                found, status = os.waitpid(pid, os.WNOHANG)
                if found:
                    return how_it_ended(os.waitstatus_to_exitcode(status))
                if self._stopping and not told_at:
                    told_at = time.monotonic()
                    os.kill(pid, signal.SIGTERM)
                elif told_at and time.monotonic() - told_at > _PATIENCE_SECONDS:
                    os.kill(pid, signal.SIGKILL)
                patience = _PATIENCE_SECONDS if told_at else _LOOK_SECONDS
                self._wait([self._woken, ended] if ended >= 0 else [self._woken], patience if ended >= 0 else 0.2)
        finally:
            if ended >= 0:
                os.close(ended)

    def _wait(self, descriptors: list[int], seconds: float) -> None:
        """Wait for a signal, an end or the time; take note of the parent's end."""
        ready, _, _ = select.select(descriptors, [], [], seconds)
        if self._woken in ready:
            os.read(self._woken, 4096)
        if os.getppid() != self._parent:
            self._stopping = True

    def _be_the_process(self) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            die_with_parent(self._keeper, signal.SIGTERM)
            os.close(self._woken)
            os.close(self._wake)
            self._work()
            code = 0
        except BaseException:
            _logger.exception("beat failed", process=os.getpid())
        finally:
            flush_streams()
            os._exit(code)
