"""The beat: a program that runs a scheduler, alone or beside a worker, until it is told to stop.

Its scheduler is `PersistentScheduler`, with which every tick fires once however many beats run, unless the setting
``beat_scheduler`` or the command line names a class of one's own, based on it or on `Scheduler`. This file must not
know what a tick is: see ``scheduling`` and ``storedschedule``.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from ignitetasks import deferred, log, signals
from ignitetasks.beatkeeper import FIRST_PAUSE, Keeper
from ignitetasks.errors import ConfigurationError, IgniteTasksError, ScheduleError
from ignitetasks.loaders import symbol_by_name
from ignitetasks.periodic import LazyCall, ScheduleEntry
from ignitetasks.schedules import crontab
from ignitetasks.scheduling import DEFAULT_MAX_INTERVAL, Scheduler, event_t
from ignitetasks.storedschedule import PersistentScheduler
from ignitetasks.ticks import BeatApp, run_now
from ignitetasks.utils.log import get_logger

__all__ = [
    "DEFAULT_MAX_INTERVAL",
    "BeatLazyFunc",
    "EmbeddedService",
    "PersistentScheduler",
    "ScheduleEntry",
    "Scheduler",
    "SchedulingError",
    "Service",
    "crontab",
    "event_t",
    "logger",
    "run_now",
]

BeatLazyFunc = LazyCall
SchedulingError = ScheduleError
#: Pause after a look that the node did not answer, in seconds.
_AGAIN_SECONDS = 2.0
#: A beat in a process of its own is given so long to end, in seconds.
_FAREWELL_SECONDS = 5.0

#: Packages name their schedulers in these groups of entry points; the second one wins.
_GROUPS = ("celery.beat_schedulers", "ignitetasks.beat_schedulers")

_logger = log.get_logger("beat")
#: For programs that log as a beat does.
logger = get_logger(__name__)


def scheduler_class(named: Any) -> type[Scheduler]:
    """Returns the class of schedulers that a setting or the command line names.

    Args:
        named: The class, ``module:Class``, or the name of an entry point in the group ``ignitetasks.beat_schedulers``
            or ``celery.beat_schedulers``. A class of Celery's, or of a package that still imports Celery, stands for
            `PersistentScheduler`, and that is said.

    Raises:
        ConfigurationError: There is no such class, or it is not based on `Scheduler`.
    """
    aliases = {point.name: point.value for group in _GROUPS for point in entry_points(group=group)}
    place = aliases.get(named, named) if isinstance(named, str) else named
    try:
        found = symbol_by_name(place)
        if isinstance(found, type) and issubclass(found, Scheduler):
            return found
        problem = f"beat_scheduler must name a class based on ignitetasks.beat.Scheduler, not {named!r}"
    except ConfigurationError as error:
        problem = str(error)
    reason = _of_celery(place)
    if reason is None:
        raise ConfigurationError(problem)
    _logger.warning(
        "a setting has no effect here", setting="beat_scheduler", scheduler=named, reason=reason, detail=problem
    )
    return PersistentScheduler


def _of_celery(place: Any) -> str | None:
    """Returns what serves instead of a scheduler made for Celery; None where it was not made for Celery."""
    package = place.replace(":", ".").partition(".")[0] if isinstance(place, str) else ""
    if package == "celery":
        return "The scheduler here is ignitetasks.beat:PersistentScheduler."
    replaced = deferred.load("catalog").find("package", package) if package not in ("", "ignitetasks") else None
    return None if replaced is None else str(replaced.text)


class Service:
    """Runs a scheduler until it is told to stop.

    Args:
        app: The application.
        max_interval: Longest pause between two looks, in seconds.
        schedule_filename: Handed to the scheduler; `PersistentScheduler` has no file.
        scheduler_cls: The scheduler's class, or ``module:Class``; None means the setting ``beat_scheduler``.
    """

    scheduler_cls: Any = None

    def __init__(
        self,
        app: BeatApp,
        max_interval: float | None = None,
        schedule_filename: str | None = None,
        scheduler_cls: Any = None,
    ) -> None:
        self.app = app
        self.max_interval = max_interval
        self.schedule_filename = schedule_filename
        self.scheduler_cls = scheduler_cls or self.scheduler_cls
        self._scheduler: Scheduler | None = None
        self._stop = threading.Event()
        self._stopped = threading.Event()

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler; made at the first use."""
        if self._scheduler is None:
            self._scheduler = self.get_scheduler()
        return self._scheduler

    def get_scheduler(self, lazy: bool = False) -> Scheduler:
        """Makes a scheduler.

        Args:
            lazy: As for `Scheduler`.
        """
        chosen = scheduler_class(self.scheduler_cls or self.app.conf.beat_scheduler or PersistentScheduler)
        return chosen(app=self.app, max_interval=self.max_interval, schedule_filename=self.schedule_filename, lazy=lazy)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.app, self.max_interval, self.schedule_filename, self.scheduler_cls)

    def start(self, embedded_process: bool = False) -> None:
        """Works until `stop`.

        Args:
            embedded_process: True in a process of a worker's own, which ends with the worker.
        """
        parent = os.getppid()
        _logger.info("beat started", app=self.app.name)
        signals.beat_init.send(sender=self)
        if embedded_process:
            signals.beat_embedded_init.send(sender=self)
        try:
            while not self._stop.is_set() and not (embedded_process and os.getppid() != parent):
                self._stop.wait(self._turn())
        finally:
            self.sync()
            _logger.info("beat stopped", app=self.app.name)
            self._stopped.set()

    def _turn(self) -> float:
        try:
            if self.scheduler.should_sync():
                self.scheduler._do_sync()
            return self.scheduler.tick()
        except IgniteTasksError as error:
            if not getattr(error, "retryable", False):
                raise
            # The node is away for a moment; what is due meanwhile is caught up with.
            _logger.warning("node not reached", error=str(error), again_in_seconds=_AGAIN_SECONDS)
            return _AGAIN_SECONDS

    def sync(self) -> None:
        """Has the scheduler store what is not stored yet, and ends its use."""
        if self._scheduler is not None:
            self._scheduler.close()

    def stop(self, wait: bool = False) -> None:
        """Ends `start`.

        Args:
            wait: True returns when it has ended.
        """
        self._stop.set()
        if wait:
            self._stopped.wait()


class EmbeddedService:
    """A beat in a process of its own: ends with its worker, is started again when it dies (``worker -B``).

    Args:
        app: The application.
        max_interval: As for `Service`.
        prepare: Called in the new process first, e.g. to configure its log.
        first_pause: Seconds before the first restart of a beat that has died; each further one waits longer.
        scheduler_cls: As for `Service`.
    """

    def __init__(
        self,
        app: BeatApp,
        max_interval: float | None = None,
        *,
        prepare: Callable[[], Any] = lambda: None,
        first_pause: float = FIRST_PAUSE,
        scheduler_cls: Any = None,
    ) -> None:
        self._service = Service(app, max_interval, scheduler_cls=scheduler_cls)
        self._prepare = prepare
        self._first_pause = first_pause
        # Forked, so that an application that was made in a script need not be found again.
        self._process = multiprocessing.get_context("fork").Process(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Starts the process; call it before threads and connections are made."""
        self._process.start()

    def _run(self) -> None:
        # Ctrl-C goes to all processes of a terminal; the worker says when it is over.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._prepare()
        Keeper(self._work, self._first_pause).run()

    def _work(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: self._service.stop())
        self._service.start(embedded_process=True)

    def stop(self) -> None:
        """Ends the process."""
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(_FAREWELL_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
