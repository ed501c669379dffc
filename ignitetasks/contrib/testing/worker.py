"""A worker inside a test's process: its supervisor in a thread, so that signals fire and caplog sees its log.

The solo, threads and asyncio pools run tasks in this process too; children of the prefork pool are forked from it.
This file must not contain what a worker does.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ignitetasks.app.base import IgniteTasks
from ignitetasks.contrib.testing import tasks
from ignitetasks.errors import ConfigurationError
from ignitetasks.log import ROOT
from ignitetasks.utils.dispatch import Signal
from ignitetasks.utils.nodenames import anon_nodename
from ignitetasks.worker.asked import setting
from ignitetasks.worker.inprocess import InProcessWorker
from ignitetasks.worker.main import make_plan

__all__ = [
    "TestWorkController",
    "setup_app_for_worker",
    "start_worker",
    "test_worker_started",
    "test_worker_starting",
    "test_worker_stopped",
]

#: Lowest level of the worker's log where nobody says it; None leaves the level as the test has set it.
WORKER_LOGLEVEL = os.environ.get("WORKER_LOGLEVEL")

test_worker_starting = Signal(name="test_worker_starting")
test_worker_started = Signal(name="test_worker_started", providing_args={"worker", "consumer"})
test_worker_stopped = Signal(name="test_worker_stopped", providing_args={"worker"})

#: Options of Celery's worker that steer parts which do not exist here.
_WITHOUT_MEANING = frozenset(
    {
        "beat", "disable_rate_limits", "heartbeat_interval", "no_color", "optimization", "prefetch_multiplier",
        "ready_callback", "schedule_filename", "scheduler", "statedb", "without_gossip", "without_mingle",
    }
)  # fmt: skip
_POOLS = {"processes": "prefork"}
#: Names of the workers that run in this process.
_running: set[str] = set()


class TestWorkController:
    """A worker that runs in this process.

    Attributes:
        app: Its application.
        hostname: Its name.
        concurrency: How many tasks it runs at a time.
        pool: Name of its pool.
    """

    __test__ = False

    def __init__(
        self,
        app: IgniteTasks,
        concurrency: int = 1,
        pool: str = "solo",
        queues: str | Sequence[str] | None = None,
        hostname: str | None = None,
        shutdown_timeout: float = 10.0,
        exclude_queues: str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        pool = _POOLS.get(pool, pool)
        excluded = _names(exclude_queues)
        chosen = [name for name in _names(queues) or _queues_of(app) if name not in excluded]
        if not chosen:
            raise ConfigurationError(f"exclude_queues {', '.join(excluded)} leaves no queue to take tasks from")
        known = {key: value for key, value in options.items() if key not in _WITHOUT_MEANING}
        try:
            plan = make_plan(
                app,
                queues=chosen,
                concurrency=1 if pool == "solo" else concurrency,
                pool=pool,
                name=hostname or _free_name(),
                **_events(app, known),
            )
        except TypeError as error:
            raise ConfigurationError(f"a worker in a test has no such option: {error}") from None
        self.app = app
        self.hostname = plan.name
        self.concurrency = plan.concurrency
        self.pool = pool
        self._inside = InProcessWorker(app, plan, stop_timeout_seconds=shutdown_timeout)

    def start(self) -> None:
        """Starts the worker, and returns when it takes tasks."""
        self._inside.__enter__()
        _running.add(self.hostname)
        test_worker_started.send(sender=self.app, worker=self, consumer=None)

    def ensure_started(self) -> None:
        """Returns when the worker takes tasks; `start` has waited for that."""

    def reload(self, *_: Any, **__: Any) -> None:
        """Makes tasks known to the worker that were registered after its start."""
        self._inside.stop()
        self._inside.__enter__()

    def stop(self) -> None:
        """Stops the worker; running tasks end first."""
        self._inside.stop()
        _running.discard(self.hostname)


def _free_name() -> str:
    """Returns a name made of this process, which no other worker of it has at the moment."""
    number = 1
    while (name := anon_nodename(prefix="gen" if number == 1 else f"gen{number}.")) in _running:
        number += 1
    return name


def _events(app: IgniteTasks, options: dict[str, Any]) -> dict[str, Any]:
    """Returns a worker's options with those of its events under the names of a plan."""
    asked = [options.pop(name) for name in ("task_events", "send_events", "events") if name in options]
    told = [one for one in asked if one is not None]
    beats = not options.pop("without_heartbeat", True)
    return {
        **options,
        "events": any(told) if told else bool(setting(app, "worker_send_task_events")),
        "heartbeats": beats,
    }


def _names(queues: str | Sequence[str] | None) -> list[str]:
    """Returns names of queues, which may be given as one text with commas."""
    if isinstance(queues, str):
        queues = queues.split(",")
    return [one.strip() for one in queues or () if one.strip()]


def _queues_of(app: IgniteTasks) -> list[str]:
    """Returns the queues that the app's tasks and settings name."""
    named = {task.options.queue for task in app.tasks.values() if task.options.queue}
    return sorted(named | {app.settings.default_queue} | set(app.amqp.queues))


@contextmanager
def start_worker(
    app: IgniteTasks,
    concurrency: int = 1,
    pool: str = "solo",
    loglevel: str | int | None = WORKER_LOGLEVEL,
    logfile: str | None = None,
    perform_ping_check: bool = True,
    ping_task_timeout: float = 10.0,
    shutdown_timeout: float = 10.0,
    **kwargs: Any,
) -> Iterator[TestWorkController]:
    """Runs a worker in this process for the length of a ``with`` block.

    Args:
        app: The application; it becomes the current and the default one.
        concurrency: Tasks at the same time.
        pool: ``solo``, ``threads``, ``asyncio`` or ``prefork``.
        loglevel: Lowest level of the worker's log; None leaves it as it is.
        logfile: Where the log goes to as well.
        perform_ping_check: True sends a task first, and waits for its result.
        ping_task_timeout: Seconds for that.
        shutdown_timeout: Seconds for running tasks at the end.
        **kwargs: ``queues``, ``hostname`` and the options of `make_plan`; those of Celery that have no meaning here
            are accepted.

    Yields:
        The worker.

    Raises:
        NodeError: It did not start, or a task still ran after the time for the end.
    """
    test_worker_starting.send(sender=app)
    worker: TestWorkController | None = None
    try:
        with ExitStack() as stack:
            _log_to(stack, loglevel, logfile)
            setup_app_for_worker(app, loglevel, logfile)
            worker = TestWorkController(app, concurrency, pool, shutdown_timeout=shutdown_timeout, **kwargs)
            worker.start()
            stack.callback(worker.stop)
            if perform_ping_check:
                queue = worker._inside.plan.queues[0]
                answer = app.send_task(tasks.ping.name, queue=queue).get(timeout=ping_task_timeout)
                assert answer == "pong"  # noqa: S101  # this is a test's
            yield worker
    finally:
        test_worker_stopped.send(sender=app, worker=worker)


def setup_app_for_worker(app: IgniteTasks, loglevel: str | int | None, logfile: str | None) -> None:
    """Makes an app ready for a worker in this process.

    Args:
        app: The application.
        loglevel: Accepted; `start_worker` sets it.
        logfile: Accepted; `start_worker` opens it.
    """
    app.prepare()
    app.set_current()
    app.set_default()


def _log_to(stack: ExitStack, level: str | int | None, file: str | None) -> None:
    """Sets level and file of the worker's log, until the stack ends."""
    logger = logging.getLogger(ROOT)
    if level is not None:
        stack.callback(logger.setLevel, logger.level)
        logger.setLevel(level.upper() if isinstance(level, str) else level)
    if file is not None:
        handler = logging.FileHandler(file)
        logger.addHandler(handler)
        stack.callback(handler.close)
        stack.callback(logger.removeHandler, handler)
