"""The signals of a worker's life, and the logging it sets up; called by whoever starts, runs or ends one.

This file must not start or end anything itself.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from ignitetasks import _state, log, signals
from ignitetasks.app import tasklog
from ignitetasks.app.log import TaskFormatter
from ignitetasks.utils.log import TASK_LOGGER, mlevel

_SETTINGS = ("worker_log_format", "worker_task_log_format", "worker_hijack_root_logger", "worker_log_color")


@dataclass(frozen=True)
class Starting:
    """A worker that is about to be made, as ``celeryd_init`` and ``celeryd_after_setup`` are told of it.

    Attributes:
        app: The application.
        hostname: The worker's name.
        options: What it is to be.
    """

    app: Any
    hostname: str
    options: Mapping[str, Any]


def begin(app: Any, name: str, options: Mapping[str, Any]) -> None:
    """Tell that a worker is about to be made, before anything is read from the settings: receivers may change them.

    Args:
        app: The application.
        name: The worker's name.
        options: What the worker was asked to be.
    """
    _state.set_default_app(app)
    starting = Starting(app, name, dict(options))
    signals.celeryd_init.send(sender=name, instance=starting, conf=app.conf, options=dict(options))


def prepare(app: Any, name: str, options: Mapping[str, Any], *, begun: bool = False) -> tuple[str, ...]:
    """Make an application ready to run tasks: imports what it names, and tells who wants to know.

    Args:
        app: The application.
        name: The worker's name.
        options: What the worker is to be.
        begun: `begin` was called for it.

    Returns:
        The queues the worker is to take from: those of the options, and what a receiver of
        ``celeryd_after_setup`` adds.
    """
    ready = getattr(app, "prepare", None)
    if ready is None:
        return tuple(options["queues"])
    if not begun:
        begin(app, name, options)
    conf, starting = app.conf, Starting(app, name, dict(options))
    ready()
    app.loader.init_worker()
    queues = app.amqp.queues
    before, queues.chosen = queues.chosen, {}
    for queue in options["queues"]:
        queues.select_add(queues.get(queue, queue))
    try:
        signals.celeryd_after_setup.send(sender=name, instance=starting, conf=conf)
        return tuple(app.amqp.queues.consume_from)
    finally:
        app.amqp.queues.chosen = before


def started(worker: Any) -> None:
    """Tell that a worker begins to work; in its own process."""
    signals.worker_init.send(sender=worker)


def became_ready(worker: Any) -> None:
    """Tell that a worker takes tasks."""
    signals.worker_ready.send(sender=worker)


def stopping(name: str, sig: str, how: str) -> None:
    """Tell that a worker was told to stop.

    Args:
        name: The worker's name.
        sig: What told it.
        how: ``Warm`` lets running tasks end, ``Cold`` does not.
    """
    signals.worker_shutting_down.send(sender=name, sig=sig, how=how, exitcode=0)


def ended(worker: Any) -> None:
    """Tell that a worker has stopped."""
    loader = getattr(worker.app, "loader", None)
    if loader is not None:
        loader.shutdown_worker()
    signals.worker_shutdown.send(sender=worker)


def child_started(app: Any) -> None:
    """Tell, in a child, that it is about to run tasks."""
    on_fork = getattr(app, "on_after_fork", None)
    if on_fork is not None:
        on_fork.send(sender=app)
        app.loader.init_worker_process()
    signals.worker_process_init.send(sender=None)


def child_ended() -> None:
    """Tell, in a child, that it runs no more tasks."""
    signals.worker_process_shutdown.send(sender=None, pid=os.getpid(), exitcode=0)


def set_up_logging(app: Any, level: str | None, json: bool | None, stream: TextIO | None) -> None:
    """Set up the log of a worker or a beat, unless ``setup_logging`` has receivers, which then do it.

    Args:
        app: The application.
        level: Lowest level that is logged; None for that of the settings, and where these say nothing for info, with
            warning for what is told of each task.
        json: True for JSON lines, False for text, None to decide by the terminal.
        stream: Where to; None for standard error.
    """
    chosen = level or app.settings.log_level
    level = chosen or "info"
    conf = getattr(app, "conf", None)
    layout, task_layout, hijack, color = (getattr(conf, name, None) for name in _SETTINGS)
    news = {"loglevel": mlevel(level), "logfile": None, "format": layout, "colorize": color}
    if signals.setup_logging.receivers:
        signals.setup_logging.send(sender=None, **news)
        return
    handler = log.configure(json=json, level=level, stream=stream, values=app.settings.log_values)
    tasklog.set_level(logging.NOTSET if chosen else logging.WARNING)
    if layout:
        handler.setFormatter(logging.Formatter(layout, getattr(conf, "worker_log_datefmt", None)))
    root = logging.getLogger()
    if hijack:
        # One handler for everybody's records, ours and those of others: receivers of the signal add theirs beside it.
        package = logging.getLogger(log.ROOT)
        package.removeHandler(handler)
        package.propagate = True
        root.handlers[:] = [handler]
        root.setLevel(mlevel(level))
    signals.after_setup_logger.send(sender=None, logger=root, **news)
    tasks = logging.getLogger(TASK_LOGGER)
    own = logging.StreamHandler(stream or sys.stderr)
    own.setFormatter(handler.formatter)
    if task_layout:
        own.setFormatter(TaskFormatter(task_layout, datefmt=getattr(conf, "worker_task_log_datefmt", None)))
    tasks.handlers[:] = [own]
    tasks.propagate = False
    signals.after_setup_task_logger.send(sender=None, logger=tasks, **{**news, "format": task_layout})
