"""Logging of an application: ``app.log``.

Nothing here is done unasked: a worker and a beat set up their log when they start (`logsetup`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from ignitetasks import signals
from ignitetasks.app import logsetup
from ignitetasks.app.taskformat import TaskFormatter
from ignitetasks.utils.log import REDIRECTED_LOGGER, get_logger, mlevel, redirect_stdouts_to_logger
from ignitetasks.utils.term import colored

__all__ = ["Logging", "TaskFormatter", "get_logger", "mlevel"]


class Logging:
    """The log of a process: set up as a worker's, or given to by a task.

    Args:
        app: The application.

    Attributes:
        already_setup: True once `setup` was called; a second call does nothing.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.already_setup = False

    def setup(
        self,
        loglevel: int | str | None = None,
        logfile: str | TextIO | None = None,
        redirect_stdouts: bool = False,
        redirect_level: int | str = "WARNING",
        colorize: bool | None = None,
        hostname: str | None = None,
    ) -> bool:
        """Sets up this process's log as a worker does.

        Args:
            loglevel: Lowest level that is logged; None for that of the settings.
            logfile: Path or stream; None for standard error.
            redirect_stdouts: True logs what is printed from now on, too.
            redirect_level: At which level.
            colorize: Taken for Celery's sake; lines have no colour.
            hostname: Taken for Celery's sake.

        Returns:
            True if receivers of ``setup_logging`` did it.
        """
        handled = self.setup_logging_subsystem(loglevel, logfile, colorize=colorize, hostname=hostname)
        if redirect_stdouts:
            self.redirect_stdouts(redirect_level)
        return handled

    def setup_logging_subsystem(
        self,
        loglevel: int | str | None = None,
        logfile: str | TextIO | None = None,
        format: str | None = None,
        colorize: bool | None = None,
        hostname: str | None = None,
        datefmt: str | None = None,
        **_: Any,
    ) -> bool:
        """Gives the root logger and that of tasks their handlers, once; True if ``setup_logging`` had receivers.

        Args:
            loglevel: As for `setup`.
            logfile: As for `setup`.
            format: The layout of a line; None for ``worker_log_format``.
            colorize: Taken for Celery's sake.
            hostname: Taken for Celery's sake.
            datefmt: The layout of its time; None for ``worker_log_datefmt``.
        """
        if self.already_setup:
            return False
        self.already_setup = True
        level = logging.getLevelName(loglevel).lower() if isinstance(loglevel, int) else loglevel
        return logsetup.set_up(self.app, level, None, _stream(logfile), format, datefmt)

    def setup_task_loggers(
        self,
        loglevel: int | str | None = None,
        logfile: str | TextIO | None = None,
        format: str | None = None,
        colorize: bool | None = None,
        propagate: bool = False,
        datefmt: str | None = None,
        **_: Any,
    ) -> logging.Logger:
        """Gives the logger of tasks a handler of its own, tells ``after_setup_task_logger`` of it, and returns it.

        Args:
            loglevel: Lowest level that tasks log; None leaves it to the root logger.
            logfile: As for `setup`.
            format: The layout of a line, with ``%(task_id)s`` and ``%(task_name)s``; None for
                ``worker_task_log_format``.
            colorize: Taken for Celery's sake.
            propagate: True if handlers above are to have the records, too.
            datefmt: The layout of its time; None for ``worker_task_log_datefmt``.
        """
        level = mlevel(loglevel)
        return logsetup.set_up_tasks(self.app, _handler(logfile), level, format, propagate, level, datefmt)

    def supports_color(self, colorize: bool | None = None, logfile: Any = None) -> bool:
        """Tells whether lines may have colours: on a terminal, unless somebody says otherwise.

        Args:
            colorize: What is wanted; None leaves it to the terminal.
            logfile: A file, or its path, that is written to in its place.
        """
        if colorize is not None:
            return colorize and not logfile
        return not logfile and sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    def colored(self, logfile: Any = None, enabled: bool | None = None) -> colored:
        """Returns what puts texts into colours, where these are shown.

        Args:
            logfile: As for `supports_color`.
            enabled: As for `supports_color`.
        """
        return colored(enabled=self.supports_color(enabled, logfile))

    def get_default_logger(self, name: str = "ignitetasks", **_: Any) -> logging.Logger:
        """Returns the logger above all of this package's."""
        return logging.getLogger(name)

    def redirect_stdouts(self, loglevel: int | str | None = None, name: str = REDIRECTED_LOGGER) -> None:
        """Logs what this process prints from now on."""
        redirect_stdouts_to_logger(logging.getLogger(name), loglevel)

    redirect_stdouts_to_logger = staticmethod(redirect_stdouts_to_logger)


def _stream(logfile: str | TextIO | None) -> TextIO | None:
    return open(logfile, "a", encoding="utf-8") if isinstance(logfile, str) else logfile


def _handler(logfile: str | TextIO | None) -> logging.Handler:
    return logging.StreamHandler(_stream(logfile) or sys.stderr)


@contextlib.contextmanager
def redirected(app: Any) -> Iterator[None]:
    """Logs what is printed inside the block, where the settings say so and nobody else has set up logging.

    Args:
        app: The application, with ``worker_redirect_stdouts`` and ``worker_redirect_stdouts_level``.
    """
    conf = getattr(app, "conf", None)
    if conf is None or not conf.worker_redirect_stdouts or signals.setup_logging.receivers:
        yield
        return
    before = sys.stdout, sys.stderr
    app.log.redirect_stdouts(conf.worker_redirect_stdouts_level)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before
