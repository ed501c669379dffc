"""``state.consumer``: what a custom control command may ask of a worker under the names Celery's documents use.

Everything here forwards to the port `Worker` of panel.py. This file must not decide anything; a name that can have no
meaning here raises an error that says why.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from ignitetasks.errors import IgniteTasksError
from ignitetasks.worker.panel import Worker
from ignitetasks.worker.timer import Timer

_NO_LIMITS: Final = "rate limits are kept by the cluster: use app.control.rate_limit"
_NO_BROKER: Final = "there is no broker that messages are read from"
#: Parts of Celery's consumer that are not here.
_ABSENT: Final = {
    "hub": "there is no event loop to be added to; use timer, or a thread of your own",
    "gossip": "workers do not talk to each other; signals and the event feed tell of workers that come and go",
    "heart": "the node sees the end of a worker's connection; events of the heart follow the switch of events",
    "task_consumer": _NO_BROKER,
    "strategies": _NO_BROKER,
    "apply_eta_task": "tasks with an eta wait in the node",
    "task_buckets": _NO_LIMITS,
    "bucket_for_task": _NO_LIMITS,
    "blueprint": "steps have no blueprint",
}


class Qos:
    """``consumer.qos``: how many tasks a worker may hold.

    Args:
        worker: The worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def value(self) -> int:
        """Tasks the worker runs at a time; a few short ones more are held so that no child waits."""
        return self._worker.plan.concurrency

    def increment_eventually(self, n: int = 1) -> int:
        """Raises an error: nothing is reserved ahead here, so there is no number to change."""
        raise IgniteTasksError(
            "a worker is given a task when it has a slot for it, there is no prefetch count to change by "
            f"{n}; grow the pool instead (pool_grow, autoscale)"
        )

    decrement_eventually = increment_eventually


class Pool:
    """``consumer.pool``: the children.

    Args:
        worker: The worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def num_processes(self) -> int:
        """Tasks at a time."""
        return self._worker.plan.concurrency

    @property
    def limit(self) -> int:
        """Tasks at a time."""
        return self._worker.plan.concurrency

    def grow(self, n: int = 1) -> int:
        """Adds slots and returns how many there are."""
        return self._worker.resize(n)

    def shrink(self, n: int = 1) -> int:
        """Takes slots away, idle ones first, and returns how many are left."""
        return self._worker.resize(-n)


class EventDispatcher:
    """``consumer.event_dispatcher``: sends events in the worker's name.

    Args:
        worker: The worker.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def enabled(self) -> bool:
        """Whether events are sent."""
        return self._worker.events_enabled

    def send(self, type: str, **fields: Any) -> None:
        """Sends an event; does nothing while events are off."""
        self._worker.event(type, fields)


class Consumer:
    """The worker, as a command sees it.

    Args:
        app: The application.
        worker: The worker.
        timer: Calls functions at their time, in the worker's loop.

    Attributes:
        app: As given.
        hostname: The worker's name.
        timer: As given.
        controller: The worker again: ``controller.stats()`` is the command ``stats``.
        pool: Its children.
        qos: How much it may hold.
        event_dispatcher: Sends events in its name.
    """

    def __init__(self, app: Any, worker: Worker, timer: Timer | None = None) -> None:
        self.app = app
        self.timer = timer
        self.hostname = worker.plan.name
        self.controller = worker
        self.pool = Pool(worker)
        self.qos = Qos(worker)
        self.event_dispatcher = EventDispatcher(worker)
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a worker's consumer has no {name!r} here: {_ABSENT.get(name, 'see docs/workers.md')}")

    @functools.cached_property
    def connection(self) -> Any:
        """The way to the node, as ``app.connection()`` gives it."""
        return self.app.connection()

    def call_soon(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function; commands run in the worker's own thread, so there is nothing to wait for."""
        return function(*args, **kwargs)

    def add_task_queue(self, queue: str, *_exchange: Any, **_options: Any) -> None:
        """Takes tasks from one more queue."""
        queues = self._worker.plan.queues
        if queue not in queues:
            self._worker.listen((*queues, queue))

    def cancel_task_queue(self, queue: str) -> None:
        """Takes no more tasks from a queue."""
        self._worker.listen(tuple(one for one in self._worker.plan.queues if one != queue))

    def reset_rate_limits(self) -> None:
        """Does nothing: rate limits are kept by the cluster, and follow `app.control.rate_limit` at once."""
