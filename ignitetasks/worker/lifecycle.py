"""The signals of a worker's life; called by whoever starts, runs or ends one.

This file must not start or end anything itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ignitetasks import _state, signals
from ignitetasks.worker import state
from ignitetasks.worker.steps import Steps


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
    app.steps.options = {**options, "hostname": name}
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
    """Tell that a worker begins to work; in its own process. Its steps are made.

    Raises:
        ConfigurationError: A step cannot be.
    """
    state.worker_started(worker)
    signals.worker_init.send(sender=worker)
    chosen = getattr(worker.app, "steps", None)
    if chosen is not None and any(chosen.values()):
        worker.steps = Steps(worker, chosen, chosen.options)


def became_ready(worker: Any) -> None:
    """Tell that a worker takes tasks."""
    steps = getattr(worker, "steps", None)
    if steps is not None:
        steps.start()
    signals.worker_ready.send(sender=worker)


def stopping(name: str, sig: str, how: str) -> None:
    """Tell that a worker was told to stop.

    Args:
        name: The worker's name.
        sig: What told it.
        how: ``Warm`` lets running tasks end, ``Cold`` does not.
    """
    state.worker_stopping(how == "Cold")
    signals.worker_shutting_down.send(sender=name, sig=sig, how=how, exitcode=0)


def ended(worker: Any) -> None:
    """Tell that a worker has stopped."""
    steps = getattr(worker, "steps", None)
    if steps is not None:
        steps.stop(worker.stopped_cold)
    loader = getattr(worker.app, "loader", None)
    if loader is not None:
        loader.shutdown_worker()
    signals.worker_shutdown.send(sender=worker)
    state.worker_ended()


def child_started(app: Any, name: str) -> None:
    """Tell, in a child, that it is about to run tasks.

    Args:
        app: The application.
        name: The worker's name.
    """
    on_fork = getattr(app, "on_after_fork", None)
    if on_fork is not None:
        on_fork.send(sender=app)
        app.loader.init_worker_process()
    signals.worker_process_init.send(sender=name)


def child_ended(name: str) -> None:
    """Tell, in a child, that it runs no more tasks.

    Args:
        name: The worker's name.
    """
    signals.worker_process_shutdown.send(sender=name, pid=os.getpid(), exitcode=0)
