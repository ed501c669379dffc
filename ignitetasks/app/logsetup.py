"""Handlers of the log of a worker, a beat, or whoever asks for the same (``app.log.setup``).

This file must not decide when a log is set up.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from ignitetasks import log, signals
from ignitetasks.app import tasklog
from ignitetasks.app.taskformat import TaskFormatter
from ignitetasks.utils.log import TASK_LOGGER, mlevel

_SETTINGS = ("worker_log_format", "worker_hijack_root_logger", "worker_log_color")


def set_up(
    app: Any,
    level: str | None,
    json: bool | None,
    stream: TextIO | None,
    layout: str | None = None,
    datefmt: str | None = None,
) -> bool:
    """Set up the log of a process, unless ``setup_logging`` has receivers, which then do it.

    Args:
        app: The application.
        level: Lowest level that is logged; None for that of the settings, and where these say nothing for info, with
            warning for what is told of each task.
        json: True for JSON lines, False for text, None to decide by the terminal.
        stream: Where to; None for standard error.
        layout: The layout of a line; None for that of the settings.
        datefmt: The layout of its time; None for that of the settings.

    Returns:
        True if receivers of ``setup_logging`` did it.
    """
    chosen = level or app.settings.log_level
    level = chosen or "info"
    conf = getattr(app, "conf", None)
    said, hijack, color = (getattr(conf, name, None) for name in _SETTINGS)
    layout = layout or said
    news = {"loglevel": mlevel(level), "logfile": getattr(stream, "name", None), "format": layout, "colorize": color}
    if signals.setup_logging.receivers:
        signals.setup_logging.send(sender=None, **news)
        return True
    handler = log.configure(json=json, level=level, stream=stream, values=app.settings.log_values)
    tasklog.set_level(logging.NOTSET if chosen else logging.WARNING)
    if layout:
        handler.setFormatter(logging.Formatter(layout, datefmt or getattr(conf, "worker_log_datefmt", None)))
    root = logging.getLogger()
    if hijack or all(isinstance(one, logging.NullHandler) for one in root.handlers):
        # One handler for everybody's records, ours and those of others: receivers of the signal add theirs beside it.
        package = logging.getLogger(log.ROOT)
        package.removeHandler(handler)
        package.propagate = True
        root.handlers[:] = [handler]
        root.setLevel(mlevel(level))
    signals.after_setup_logger.send(sender=None, logger=root, **news)
    own = logging.StreamHandler(stream or sys.stderr)
    own.setFormatter(handler.formatter)
    set_up_tasks(app, own, mlevel(level))
    return False


def set_up_tasks(
    app: Any,
    handler: logging.Handler,
    level: int | None,
    layout: str | None = None,
    propagate: bool = False,
    own_level: int | None = None,
    datefmt: str | None = None,
) -> logging.Logger:
    """Give the logger of tasks its one handler, and tell the receivers of ``after_setup_task_logger``.

    Args:
        app: The application.
        handler: Takes what tasks log.
        level: What the receivers are told.
        layout: The layout of a line; None for that of the settings, and without one the handler's own.
        propagate: True if handlers above are to have the records, too.
        own_level: What the level of the logger itself becomes; None leaves it as it is.
        datefmt: The layout of a line's time; None for that of the settings.
    """
    conf = getattr(app, "conf", None)
    layout = layout or getattr(conf, "worker_task_log_format", None)
    if layout:
        datefmt = datefmt or getattr(conf, "worker_task_log_datefmt", None)
        handler.setFormatter(TaskFormatter(layout, datefmt=datefmt))
    tasks = logging.getLogger(TASK_LOGGER)
    tasks.handlers[:] = [handler]
    tasks.propagate = propagate
    if own_level is not None:
        tasks.setLevel(own_level)
    color = getattr(conf, "worker_log_color", None)
    signals.after_setup_task_logger.send(
        sender=None, logger=tasks, loglevel=level, logfile=None, format=layout, colorize=color
    )
    return tasks
