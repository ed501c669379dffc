"""`Worker`: a worker as an object, for programs that start one themselves instead of by ``ignitetasks worker``.

It asks the same of the worker runtime as the command does. This file must not know how tasks are run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from ignitetasks.app import logsetup
from ignitetasks.app.log import redirected
from ignitetasks.beat import EmbeddedService
from ignitetasks.errors import ConfigurationError
from ignitetasks.utils.log import get_logger
from ignitetasks.utils.nodenames import default_nodename, host_format
from ignitetasks.worker import asked, main
from ignitetasks.worker.model import SOLO

__all__ = ["Worker", "logger"]

#: For programs that log as a worker does.
logger = get_logger(__name__)

#: Options of Celery's worker that steer parts which do not exist here.
_WITHOUT_MEANING = frozenset(
    {
        "disable_rate_limits", "heartbeat_interval", "no_color", "optimization", "pidfile", "redirect_stdouts",
        "redirect_stdouts_level", "schedule_filename", "statedb", "use_eventloop", "without_gossip",
        "without_mingle",
    }
)  # fmt: skip
_POOLS = {"processes": "prefork", "thread": "threads"}


class Worker:
    """A worker that runs in this process: ``app.Worker(concurrency=4).start()``.

    Args:
        app: The application; that of ``app.Worker`` where nothing is given.
        hostname: Its name; ``%h`` is the host.
        pool: ``prefork``, ``threads``, ``solo`` or ``asyncio``.
        concurrency: Tasks at the same time.
        queues: Queues to take tasks from, as a list or one text with commas.
        exclude_queues: Queues not to take tasks from.
        include: Modules to import before.
        loglevel: Lowest level that is logged.
        logfile: Where to log; None for standard error.
        beat: True also sends periodic tasks.
        scheduler: With ``beat``: its scheduler's class, or ``module:Class``; None means ``beat_scheduler``.
        purge: True removes all waiting tasks first.
        task_events: True sends events.
        quiet: True says nothing on the screen.
        ready_callback: Called with the worker once it takes tasks.
        **options: Further options of `ignitetasks.worker.main.make_plan`, such as ``time_limit``; those of Celery
            that have no meaning here are accepted. ``without_heartbeat=True`` tells nobody that it is there.

    Attributes:
        app: The application.
        hostname: Its name.
        exitcode: The process's exit code, once it has stopped.

    Raises:
        ConfigurationError: An option does not exist, or has a value it cannot have.
    """

    app: Any = None

    def __init__(
        self,
        app: Any = None,
        hostname: str | None = None,
        *,
        pool: str | None = None,
        concurrency: int | None = None,
        queues: str | Sequence[str] | None = None,
        exclude_queues: str | Sequence[str] | None = None,
        include: str | Sequence[str] | None = None,
        loglevel: str | int | None = None,
        logfile: str | None = None,
        beat: bool = False,
        scheduler: Any = None,
        purge: bool = False,
        task_events: bool | None = None,
        quiet: bool = False,
        ready_callback: Callable[[Any], Any] | None = None,
        **options: Any,
    ) -> None:
        self.app = self.app if app is None else app
        if include:
            self.app.conf.include = (*self.app.conf.include, *(_names(include) or ()))
        self.app.prepare()
        given: dict[str, Any] = {name: one for name, one in options.items() if name not in _WITHOUT_MEANING}
        given["pool"] = _POOLS.get(str(pool), pool)
        given["concurrency"] = concurrency
        given["events"] = task_events or given.pop("send_events", None)
        given["heartbeats"] = not given.pop("without_heartbeat", False)
        given["name"] = host_format(default_nodename(hostname)) if hostname else None
        given["queues"] = asked.without(self.app, _names(queues), _names(exclude_queues))
        given["prefetch_multiplier"] = asked.prefetch(self.app, given.get("prefetch_multiplier"))
        asked.complete(self.app, given)
        try:
            self.plan = main.make_plan(self.app, **given)
        except TypeError as error:
            raise ConfigurationError(f"a worker has no such option: {error}") from None
        self.hostname = self.plan.name
        self.exitcode: int | None = None
        self._level = logging_name(loglevel)
        self._logfile, self._beat, self._purge, self._quiet = logfile, beat, purge, quiet
        self._scheduler, self._ready = scheduler, ready_callback
        self._runs: Any = None
        self._wanted: int | None = None

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({'running' if self._runs is not None else 'initial'})>"

    @property
    def concurrency(self) -> int:
        """Tasks at the same time."""
        return self.plan.concurrency

    @property
    def queues(self) -> tuple[str, ...]:
        """Names of the queues it takes tasks from."""
        return self.plan.queues

    @property
    def pool(self) -> Any:
        """What runs tasks; None while it does not run."""
        return self._runs and self._runs.pool

    @property
    def timer(self) -> Any:
        """Calls functions at their time, in the worker's own loop; None while it does not run."""
        return self._runs and self._runs.timer

    @property
    def consumer(self) -> Any:
        """The worker, as control commands see it; None while it does not run."""
        return self._runs and self._runs.consumer

    def start(self) -> None:
        """Runs the worker until it is told to stop, by a signal, `stop` or remote control.

        Raises:
            NodeError: The node cannot be started.
        """
        with ExitStack() as stack:
            stream = None
            if self._logfile is not None:
                stream = stack.enter_context(open(self._logfile, "a", encoding="utf-8"))
            json = self.app.settings.log_json

            def log() -> None:
                logsetup.set_up(self.app, self._level, json, stream)

            log()
            if self._purge:
                self.app.control.purge()
                self.app.client.close()
            if self._beat:
                beat = EmbeddedService(self.app, prepare=log, scheduler_cls=self._scheduler)
                beat.start()
                stack.callback(beat.stop)
            self._runs = main.make_worker(self.app, self.plan, self._became_ready)
            if not self._quiet:
                main.print_banner(self.app, self.plan, stream)
            stack.enter_context(redirected(self.app))
            try:
                code = self._runs.run()
                self.exitcode = code if self._wanted is None else self._wanted
            finally:
                self._runs = None

    def stop(self, in_sighandler: bool = False, exitcode: int | None = None) -> None:
        """Asks for a shutdown that lets running tasks end; safe from any thread. `start` returns then.

        Args:
            in_sighandler: Not needed.
            exitcode: What `exitcode` is to be; None means what the worker says.
        """
        self._wanted = exitcode
        if self._runs is not None:
            self._runs.stop()

    def terminate(self, in_sighandler: bool = False) -> None:
        """Asks for a shutdown at once: what runs goes back to its queue. A task of the solo pool ends first."""
        if self._runs is not None and self.plan.pool != SOLO:
            self._runs.stop(cold=True)
        else:
            self.stop()

    def _became_ready(self) -> None:
        if self._ready is not None:
            self._ready(self)


def logging_name(level: str | int | None) -> str | None:
    """Returns a level of logging as text."""
    if level is None:
        return None
    return (logging.getLevelName(level) if isinstance(level, int) else level).lower()


def _names(value: str | Sequence[str] | None) -> list[str] | None:
    """Returns names, which may be given as one text with commas."""
    if value is None:
        return None
    return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else list(value)
