"""Starts a worker: from the command line's values to the exit code.

The one place that checks what a user asked of a worker and says on the screen what runs. This file must not contain
what the pools do.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Final, TextIO

from ignitetasks import log
from ignitetasks.app import logsetup
from ignitetasks.app.log import redirected
from ignitetasks.config import check_queue, state_home
from ignitetasks.errors import ConfigurationError
from ignitetasks.owntasks import is_own
from ignitetasks.worker import lifecycle
from ignitetasks.worker import reload as reloading
from ignitetasks.worker.model import ASYNCIO, POOLS, PREFORK, SOLO, THREADS, WorkerApp, WorkerPlan
from ignitetasks.worker.node import NodeFinder, OwnNode
from ignitetasks.worker.solo import SoloWorker
from ignitetasks.worker.supervisor import Supervisor

#: Coroutines at the same time where nobody says how many.
_COROUTINES: Final = 100
#: Most slots, and most tasks in hand for each, that a home takes from one worker.
_MOST: Final = 65_536

_logger = log.get_logger("worker")


def make_plan(
    app: WorkerApp,
    *,
    queues: Sequence[str] | None = None,
    concurrency: int | None = None,
    pool: str = PREFORK,
    name: str | None = None,
    max_tasks_per_child: int | None = None,
    max_memory_per_child: int | None = None,
    soft_time_limit: float | None = None,
    time_limit: float | None = None,
    metrics_port: int | None = None,
    metrics_host: str = "127.0.0.1",
    prefetch_multiplier: int | None = None,
    autoscale: tuple[int, int] | None = None,
    events: bool = False,
    heartbeats: bool = True,
) -> WorkerPlan:
    """Check what was asked and fill in the defaults.

    Args:
        app: The application.
        queues: Queues to take tasks from; None for the application's default queue.
        concurrency: Tasks at the same time; None for one per core (solo: one, asyncio: 100).
        pool: ``prefork``, ``threads``, ``solo`` or ``asyncio``.
        name: The worker's name; None for one made of application, host and process id.
        max_tasks_per_child: Executions after which a child is replaced.
        max_memory_per_child: Resident size in KiB after which a child is replaced.
        soft_time_limit: Soft limit in seconds of tasks that have none.
        time_limit: Hard limit in seconds of tasks that have none.
        metrics_port: Port of the metrics endpoint; None for no endpoint.
        metrics_host: Address it listens on.
        prefetch_multiplier: Most deliveries for each slot, the running one included; 0 or None for no bound of yours.
        autoscale: Largest and smallest size of a prefork pool that follows its work.
        events: Send events from the start.
        heartbeats: Send those of the worker itself, whether events are on or not.

    Returns:
        The plan.

    Raises:
        ConfigurationError: A value cannot be; the message names it.
    """
    if pool not in POOLS:
        raise ConfigurationError(f"pool must be one of {', '.join(POOLS)}, not {pool!r}.")
    if pool == SOLO and concurrency not in (None, 1):
        raise ConfigurationError(f"the solo pool runs one task at a time; concurrency {concurrency} needs prefork.")
    if autoscale is not None:
        concurrency = _autoscaled(pool, concurrency, autoscale)
    chosen = _default_concurrency(pool) if concurrency is None else concurrency
    _at_least_one("concurrency", chosen)
    if chosen > _MOST:
        raise ConfigurationError(f"concurrency must be a whole number from 1 to {_MOST}, not {chosen}.")
    for setting, value in (
        ("max_tasks_per_child", max_tasks_per_child),
        ("max_memory_per_child", max_memory_per_child),
    ):
        if value is not None:
            _at_least_one(setting, value)
    for setting, seconds in (("soft_time_limit", soft_time_limit), ("time_limit", time_limit)):
        if seconds is not None and not 0 < seconds < 1e9:
            raise ConfigurationError(f"{setting} must be a number of seconds above 0, not {seconds!r}.")
    listened = tuple(dict.fromkeys(queues or (app.settings.default_queue,)))
    for queue in listened:
        check_queue(queue, "queues")
    return WorkerPlan(
        name=name or default_name(app),
        queues=listened,
        concurrency=chosen,
        pool=pool,
        max_tasks_per_child=max_tasks_per_child or 0,
        max_memory_per_child_kib=max_memory_per_child or 0,
        soft_time_limit_seconds=soft_time_limit or 0.0,
        time_limit_seconds=time_limit or 0.0,
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        prefetch=_prefetch(prefetch_multiplier),
        autoscale=autoscale,
        events=events,
        heartbeats=heartbeats,
    )


def default_name(app: WorkerApp) -> str:
    """Return the name of a worker of this process that was given none."""
    return f"{app.name}@{socket.gethostname()}.{os.getpid()}"


def _autoscaled(pool: str, concurrency: int | None, bounds: tuple[int, int]) -> int:
    """Return with how many children an autoscaled pool starts."""
    most, least = bounds
    if pool != PREFORK:
        raise ConfigurationError(f"autoscale needs the prefork pool; {pool} starts no processes by need.")
    if not 0 <= least <= most or most < 1:
        raise ConfigurationError(
            f"autoscale takes the largest and the smallest pool, such as 10,3, not {most},{least}."
        )
    return min(max(concurrency or least, least, 1), most)


def run_worker(
    app: WorkerApp,
    *,
    queues: Sequence[str] | None = None,
    concurrency: int | None = None,
    pool: str = PREFORK,
    name: str | None = None,
    max_tasks_per_child: int | None = None,
    max_memory_per_child: int | None = None,
    soft_time_limit: float | None = None,
    time_limit: float | None = None,
    reload: bool = False,
    metrics_port: int | None = None,
    metrics_host: str = "127.0.0.1",
    prefetch_multiplier: int | None = None,
    autoscale: tuple[int, int] | None = None,
    events: bool = False,
    heartbeats: bool = True,
    loglevel: str | None = None,
    log_json: bool | None = None,
    log_stream: TextIO | None = None,
    begun: bool = False,
) -> int:
    """Run a worker in this process until it is told to stop.

    Args:
        app: The application, imported and with all its tasks.
        queues: See `make_plan`, as for all up to `time_limit`.
        concurrency: See `make_plan`.
        pool: See `make_plan`.
        name: See `make_plan`.
        max_tasks_per_child: See `make_plan`.
        max_memory_per_child: See `make_plan`.
        soft_time_limit: See `make_plan`.
        time_limit: See `make_plan`.
        reload: Start anew when a source file changes (development).
        metrics_port: See `make_plan`.
        metrics_host: See `make_plan`.
        prefetch_multiplier: See `make_plan`.
        autoscale: See `make_plan`.
        events: See `make_plan`.
        heartbeats: See `make_plan`.
        loglevel: Lowest level that is logged; None for that of the settings.
        log_json: True for JSON lines, False for text, None to decide by the terminal.
        log_stream: Where to log; None for standard error.
        begun: Receivers of ``celeryd_init`` were told of it.

    Returns:
        The process's exit code.

    Raises:
        ConfigurationError: A value cannot be.
        NodeError: The node cannot be started.
    """
    logsetup.set_up(app, loglevel, log_json, log_stream)
    plan = make_plan(
        app,
        queues=queues,
        concurrency=concurrency,
        pool=pool,
        name=name,
        max_tasks_per_child=max_tasks_per_child,
        max_memory_per_child=max_memory_per_child,
        soft_time_limit=soft_time_limit,
        time_limit=time_limit,
        metrics_port=metrics_port,
        metrics_host=metrics_host,
        prefetch_multiplier=prefetch_multiplier,
        autoscale=autoscale,
        events=events,
        heartbeats=heartbeats,
    )
    if reload and not reloading.under_reloader():
        return reloading.run_reloading()
    worker = make_worker(app, plan, begun=begun)
    print_banner(app, plan, log_stream)
    with redirected(app):
        return worker.run()


def make_worker(
    app: WorkerApp,
    plan: WorkerPlan,
    on_ready: Callable[[], None] | None = None,
    *,
    in_process: bool = False,
    begun: bool = False,
) -> Supervisor | SoloWorker:
    """Choose what runs a plan.

    Args:
        app: The application.
        plan: What the worker is to be.
        on_ready: Called once, when it takes tasks.
        in_process: Run tasks in this process, unless the pool is one of processes.
        begun: Receivers of ``celeryd_init`` were told of it.

    Returns:
        The worker, not started.
    """
    plan = replace(plan, queues=lifecycle.prepare(app, plan.name, asdict(plan), begun=begun))
    if plan.pool == THREADS and (plan.time_limit_seconds or _has_hard_limits(app)):
        _logger.warning("hard limits weakened", reason="a thread cannot be killed; TimeLimitExceeded is raised instead")
    finder = NodeFinder(app.settings)
    address = app.transport.address()
    if address is not None:
        finder = NodeFinder(app.settings, lambda _settings: address)
    elif app.settings.cluster:
        if app.settings.instance is None:
            # The JVM's directory follows the worker's name, so that a worker started again under it finds it. Set in
            # the application, so that tasks that send tasks do so through the worker's own JVM.
            folder = re.sub(r"[^A-Za-z0-9_.@-]", "_", plan.name)
            app.configure(instance=state_home() / "workers" / folder)
        finder = OwnNode(app.settings)
    if plan.pool == SOLO or (in_process and plan.pool != PREFORK):
        if plan.metrics_port is not None:
            raise ConfigurationError("a worker in this process has no metrics endpoint; use --pool prefork -c 1.")
        return SoloWorker(app, plan, finder, on_ready)
    return Supervisor(app, plan, finder, on_ready)


def print_banner(app: WorkerApp, plan: WorkerPlan, stream: TextIO | None = None) -> None:
    """Say what is about to run.

    Args:
        app: The application.
        plan: What the worker is.
        stream: Where to write; None for standard error.
    """
    settings, count = app.settings, sum(not is_own(name) for name in app.tasks)
    where = f"cluster {','.join(settings.cluster)}" if settings.cluster else str(settings.data_dir)
    rows = (
        ("app", f"{app.name} ({count} task{'' if count == 1 else 's'})"),
        ("queues", ", ".join(plan.queues)),
        ("pool", f"{plan.pool} x {plan.concurrency}"),
        ("data", where),
        ("process", f"{os.getpid()} ({plan.name})"),
        ("stop", "Ctrl-C lets running tasks end, Ctrl-C twice gives them back"),
    )
    lines = [f"  {key:<8} {value}" for key, value in rows]
    print("ignitetasks worker", *lines, sep="\n", file=stream or sys.stderr, flush=True)


def _default_concurrency(pool: str) -> int:
    if pool == ASYNCIO:
        return _COROUTINES  # they mostly wait: cores say nothing about how many
    return 1 if pool == SOLO else len(os.sched_getaffinity(0))


def _has_hard_limits(app: WorkerApp) -> bool:
    return any(task.options.time_limit for task in app.tasks.values())


def _prefetch(multiplier: int | None) -> int:
    if multiplier is None:
        return 0
    if isinstance(multiplier, bool) or not isinstance(multiplier, int) or not 0 <= multiplier <= _MOST:
        raise ConfigurationError(f"prefetch_multiplier must be a whole number from 0 to {_MOST}, not {multiplier!r}.")
    return multiplier


def _at_least_one(setting: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{setting} must be a whole number of at least 1, not {value!r}.")
