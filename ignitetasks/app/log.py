"""Logging of an application: ``app.log``, and log lines that know which task wrote them.

This file must not set up any handler: a worker does (``worker/lifecycle.py``).
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from ignitetasks import context, signals
from ignitetasks.utils.log import REDIRECTED_LOGGER, redirect_stdouts_to_logger

__all__ = ["Logging", "TaskFormatter"]


class TaskFormatter(logging.Formatter):
    """Formats records with ``%(task_id)s`` and ``%(task_name)s``; both are ``???`` outside of a task.

    Args:
        fmt: The layout.
        use_color: Taken for Celery's sake; lines have no colour.
        datefmt: Layout of the time.
    """

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        request = context.current_request()
        record.task_id = request.id if request is not None else "???"
        record.task_name = request.task if request is not None else "???"
        return super().format(record)


class Logging:
    """What a task may do with its process's log.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    def get_default_logger(self, name: str = "ignitetasks", **_: Any) -> logging.Logger:
        """Returns the logger above all of this package's."""
        return logging.getLogger(name)

    def redirect_stdouts(self, loglevel: int | str | None = None, name: str = REDIRECTED_LOGGER) -> None:
        """Logs what this process prints from now on."""
        redirect_stdouts_to_logger(logging.getLogger(name), loglevel)

    redirect_stdouts_to_logger = staticmethod(redirect_stdouts_to_logger)


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
