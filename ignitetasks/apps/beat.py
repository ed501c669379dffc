"""`Beat`: a beat as an object, for programs that start one themselves instead of by ``ignitetasks beat``.

This file must not know what a tick is: see ``ignitetasks.beat``.
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from typing import Any

from ignitetasks import beat
from ignitetasks.app import logsetup
from ignitetasks.apps.worker import logging_name

__all__ = ["Beat"]


class Beat:
    """A beat that runs in this process: ``app.Beat().run()``.

    Args:
        max_interval: Longest pause between two looks, in seconds.
        app: The application; that of ``app.Beat`` where nothing is given.
        loglevel: Lowest level that is logged.
        logfile: Where to log; None for standard error.
        scheduler_cls: The scheduler's class, or ``module:Class``: one based on `ignitetasks.beat.Scheduler`; None means
            the setting ``beat_scheduler``.
        quiet: True says nothing on the screen.
        log_json: True for JSON lines, False for text, None for what the settings say.
        **kwargs: Taken for Celery's sake: there is no file of a schedule, no socket and no colour.

    Attributes:
        app: The application.
    """

    Service = beat.Service
    app: Any = None

    def __init__(
        self,
        max_interval: float | None = None,
        app: Any = None,
        *,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        scheduler_cls: Any = None,
        quiet: bool = False,
        log_json: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = self.app if app is None else app
        self._level = logging_name(loglevel)
        self._json = self.app.settings.log_json if log_json is None else log_json
        self._logfile, self._quiet = logfile, quiet
        self._service = self.Service(self.app, max_interval, scheduler_cls=scheduler_cls)

    def run(self) -> None:
        """Sends periodic tasks until a signal or `stop`."""
        self.app.prepare()
        with ExitStack() as stack:
            stream = None
            if self._logfile is not None:
                stream = stack.enter_context(open(self._logfile, "a", encoding="utf-8"))
            logsetup.set_up(self.app, self._level, self._json, stream)
            if not self._quiet:
                sys.stderr.write(f"ignitetasks beat\n  app      {self.app.name}\n  stop     Ctrl-C\n")
            self.start_scheduler()

    def start_scheduler(self) -> None:
        """Sends periodic tasks until a signal or `stop`, without setting up a log."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: self.stop())
        self._service.start()

    def stop(self) -> None:
        """Ends it, after the tick in hand; safe from any thread and from a signal handler."""
        self._service.stop()
