"""The beat: sends the ticks of a schedule. Any number of them may run; each tick fires once.

Every beat does the same: it reads an entry, sends what is due under ids that follow from entry and tick, and notes by
compare-and-set how far it has come. One that is killed between the two leaves a tick that the next one sends again
under the same id, which is the same task. This file must not know how entries are stored: see ``agenda``.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ignitetasks import log, periodic, signals
from ignitetasks.agenda import Agenda
from ignitetasks.beatkeeper import FIRST_PAUSE, Keeper
from ignitetasks.errors import IdempotencyConflict, IgniteTasksError, RequestError, ScheduleError
from ignitetasks.periodic import LazyCall, ScheduleEntry
from ignitetasks.ticks import BeatApp, queue_of, run_now, send, wall_clock

__all__ = [
    "BeatLazyFunc",
    "EmbeddedService",
    "PersistentScheduler",
    "ScheduleEntry",
    "Scheduler",
    "SchedulingError",
    "Service",
    "run_now",
]

BeatLazyFunc = LazyCall
SchedulingError = ScheduleError
DEFAULT_MAX_INTERVAL = 300.0
#: A change made by people is seen after so many seconds at the latest.
_LOOK_SECONDS = 1.0
#: All entries are read anew this often, whatever was noticed.
_RELOAD_SECONDS = 60.0
#: Pause after an entry that could not be sent, in seconds.
_AGAIN_SECONDS = 2.0
#: The clock on the wall was set when it is off by more than this against the one that only runs, in seconds.
_JUMP_SECONDS = 1.0
#: A beat in a process of its own is given so long to end, in seconds.
_FAREWELL_SECONDS = 5.0

_logger = log.get_logger("beat")


class Scheduler:
    """Sends what is due, and knows when to look again.

    Args:
        app: The application whose entries in code are kept in the store, and through which ticks are sent.
        schedule: Entries beside those of ``beat_schedule``, by name.
        max_interval: Longest pause between two looks, in seconds.
        Producer: Taken for Celery's sake; there is none.
        lazy: True reads and writes nothing yet.
        sync_every_tasks: Taken for Celery's sake; every tick is stored at once.
        clock: The clock on the wall.
        monotonic: The clock that only runs.
        **kwargs: Taken for Celery's sake.
    """

    Entry = ScheduleEntry
    max_interval: float = DEFAULT_MAX_INTERVAL
    sync_every = 0
    sync_every_tasks: int | None = 1

    def __init__(
        self,
        app: BeatApp,
        schedule: Mapping[str, Any] | None = None,
        max_interval: float | None = None,
        Producer: Any = None,
        lazy: bool = False,
        sync_every_tasks: int | None = None,
        *,
        clock: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.max_interval = max_interval or app.conf.beat_max_loop_interval or self.max_interval
        self.agenda = Agenda(app.transport, app.settings.namespace, app, clock)
        self._clock, self._monotonic = clock, monotonic
        self._extra = dict(schedule or {})
        self._code: dict[str, ScheduleEntry] = {}
        self._entries: dict[str, ScheduleEntry] = {}
        self._heap: list[tuple[datetime, str]] = []
        self._changes = -1
        self._loaded_at = self._looked_at = -_RELOAD_SECONDS
        self._offset: float | None = None
        if not lazy:
            self.setup_schedule()

    # -- entries --------------------------------------------------------------------------------------------------

    def setup_schedule(self) -> None:
        """Brings the entries of code into the store and reads what is there."""
        self.app.finalize()  # what waits for the settings may add entries
        self.merge_inplace({**self.app.conf.beat_schedule, **self._extra})

    def merge_inplace(self, b: Mapping[str, Any]) -> None:
        """Makes these the entries of the application's code."""
        self._code = {name: self._entry(name, given) for name, given in b.items()}
        self.agenda.sync(self.app.name, self._code)
        self._load()

    def update_from_dict(self, dict_: Mapping[str, Any]) -> None:
        """Adds entries to those of the application's code."""
        self.merge_inplace({**self._code, **dict_})

    def _entry(self, name: str, given: Any) -> ScheduleEntry:
        if isinstance(given, ScheduleEntry):
            given = {key: getattr(given, key) for key in ("task", "schedule", "args", "kwargs", "options", "catch_up")}
        return periodic.from_definition(name, given, self.app, self.app.name)

    def add(self, **kwargs: Any) -> ScheduleEntry:
        """Adds an entry to those of the application's code.

        Args:
            **kwargs: ``name`` and what a ``beat_schedule`` entry has.
        """
        name = kwargs.pop("name")
        self.update_from_dict({name: kwargs})
        return self._entries[name]

    def _load(self) -> None:
        self._changes = self.agenda.changes()
        self._entries = {}
        self._heap = []
        now = self._clock()
        for _, entry in self.agenda.read():
            mine = self._with_code(entry)
            self._entries[str(entry.name)] = mine
            self._plan(mine, now)
        self._loaded_at = self._looked_at = self._monotonic()

    def _with_code(self, entry: ScheduleEntry) -> ScheduleEntry:
        """Returns a stored entry with what only code has of it."""
        mine = self._code.get(str(entry.name)) if entry.in_code else None
        if mine is None:
            return entry
        return replace(entry, schedule=mine.schedule, args=mine.args, kwargs=mine.kwargs, options=mine.options)

    def _plan(self, entry: ScheduleEntry, now: datetime) -> None:
        if entry.schedule is None or not entry.enabled:
            return
        try:
            answer = periodic.due(entry, now, self._deadline)
        except Exception as error:
            # One entry whose time cannot be worked out must not stop the others.
            _logger.error("next tick unknown", entry=entry.name, error=repr(error))
            return
        when = now if answer.last is not None else answer.next
        if when is not None:
            heapq.heappush(self._heap, (when, str(entry.name)))

    @property
    def _deadline(self) -> float | None:
        limit: float | None = self.app.conf.beat_cron_starting_deadline
        return limit

    @property
    def schedule(self) -> dict[str, ScheduleEntry]:
        """The entries as they were last read, by name."""
        return self._entries

    def get_schedule(self) -> dict[str, ScheduleEntry]:
        """Returns the entries as they were last read, by name."""
        return self._entries

    # -- ticks ----------------------------------------------------------------------------------------------------

    def tick(self) -> float:
        """Sends what is due.

        Returns:
            Seconds until the next look.
        """
        now = self._clock()
        running = self._monotonic()
        if self._clock_was_set(now, running):
            _logger.warning("clock was set", now=now.isoformat())
            self._load()
        elif running - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = running
            if running - self._loaded_at >= _RELOAD_SECONDS or self.agenda.changes() != self._changes:
                self._load()
        while self._heap and self._heap[0][0] <= now:
            _, name = heapq.heappop(self._heap)
            self._fire(name, now)
        left = (self._heap[0][0] - self._clock()).total_seconds() if self._heap else self.max_interval
        return max(0.0, min(left, self.max_interval, _LOOK_SECONDS))

    def _clock_was_set(self, now: datetime, running: float) -> bool:
        offset = now.timestamp() - running
        before, self._offset = self._offset, offset
        return before is not None and abs(offset - before) > _JUMP_SECONDS

    def _fire(self, name: str, now: datetime) -> None:
        """Sends the due ticks of one entry, whoever else does the same."""
        while True:
            found = self.agenda.find(name)
            if found is None:
                self._entries.pop(name, None)
                return
            version, stored = found[0], self._with_code(found[1])
            self._entries[name] = stored
            if stored.schedule is None or not stored.enabled:
                return
            try:
                answer = periodic.due(stored, now, self._deadline)
                for tick in answer.ticks:
                    self.apply_entry(stored, tick=tick)
            except Exception as error:
                _logger.error("entry not sent", entry=name, error=str(error), again_in_seconds=_AGAIN_SECONDS)
                heapq.heappush(self._heap, (now + timedelta(seconds=_AGAIN_SECONDS), name))
                return
            if answer.last is None:
                break
            count = (stored.total_run_count or 0) + len(answer.ticks)
            new = replace(stored, last_run_at=answer.last, total_run_count=count)
            if self.agenda.advance(version, new):
                self._entries[name] = new
                break
        if answer.next is not None:
            heapq.heappush(self._heap, (answer.next, name))

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None, tick: datetime | None = None) -> Any:
        """Sends one tick of an entry; one that was sent before, by whomever, is not sent again.

        Args:
            entry: The entry.
            producer: Taken for Celery's sake.
            tick: Which one; None means the present.

        Raises:
            IgniteTasksError: It could not be sent; it is tried again.
        """
        try:
            sent = self.apply_async(entry, producer, tick=tick)
        except IdempotencyConflict:
            # Sent before, with what the entry said then.
            return None
        except RequestError as error:
            # Would be as wrong the next time: pass it over, as loudly as can be.
            _logger.error("tick refused", entry=entry.name, task=entry.task, error=str(error))
            return None
        if sent.created:
            _logger.info("tick sent", entry=entry.name, task=entry.task, task_id=sent.id)
        return sent

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Sends one tick of an entry.

        Args:
            entry: The entry.
            producer: Taken for Celery's sake.
            advance: Taken for Celery's sake.
            **kwargs: ``tick``: which one.
        """
        tick = kwargs.get("tick") or self._clock()
        task_id = periodic.tick_id(self.app.settings.namespace, str(entry.name), tick, queue_of(self.app, entry))
        return send(self.app, entry, task_id, tick)

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Sends a call by name, as ``app.send_task`` does."""
        return self.app.send_task(*args, **kwargs)

    def is_due(self, entry: ScheduleEntry) -> tuple[bool, float]:
        """Returns whether a tick of an entry is due, and the seconds until the next look."""
        return entry.is_due()

    def reserve(self, entry: ScheduleEntry) -> ScheduleEntry:
        """Returns an entry as it is after a tick now."""
        return entry.next()

    def should_sync(self) -> bool:
        """Tells whether something is not stored yet: never, since every tick is stored at once."""
        return False

    def sync(self) -> None:
        """Stores what is not stored yet: nothing, since every tick is stored at once."""

    def close(self) -> None:
        """Ends the use of this scheduler."""

    @property
    def info(self) -> str:
        """What there is to say in a banner."""
        return f"    . {len(self._entries)} entries in the cluster's store"


#: All schedulers here are persistent: entries and runs are in the cluster's store.
PersistentScheduler = Scheduler


class Service:
    """Runs a scheduler until it is told to stop.

    Args:
        app: The application.
        max_interval: Longest pause between two looks, in seconds.
        schedule_filename: Taken for Celery's sake; there is no file.
        scheduler_cls: The scheduler's class.
    """

    scheduler_cls: type[Scheduler] = PersistentScheduler

    def __init__(
        self,
        app: BeatApp,
        max_interval: float | None = None,
        schedule_filename: str | None = None,
        scheduler_cls: type[Scheduler] | None = None,
    ) -> None:
        self.app = app
        self.max_interval = max_interval
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
        return self.scheduler_cls(app=self.app, max_interval=self.max_interval, lazy=lazy)

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
            _logger.info("beat stopped", app=self.app.name)
            self._stopped.set()

    def _turn(self) -> float:
        try:
            return self.scheduler.tick()
        except IgniteTasksError as error:
            if not getattr(error, "retryable", False):
                raise
            # The node is away for a moment; what is due meanwhile is caught up with.
            _logger.warning("node not reached", error=str(error), again_in_seconds=_AGAIN_SECONDS)
            return _AGAIN_SECONDS

    def sync(self) -> None:
        """Stores what is not stored yet: nothing, since every tick is stored at once."""

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
        prepare: Called in the new process first, e.g. to configure its log.
        max_interval: As for `Service`.
        first_pause: Seconds before the first restart of a beat that has died; each further one waits longer.
    """

    def __init__(
        self,
        app: BeatApp,
        prepare: Callable[[], Any] = lambda: None,
        max_interval: float | None = None,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._service = Service(app, max_interval)
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
