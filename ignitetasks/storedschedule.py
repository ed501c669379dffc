"""The scheduler whose entries are in the cluster's store: any number of them may run, and each tick fires once.

Every beat does the same: it reads an entry, sends what is due under ids that follow from entry and tick, and notes by
compare-and-set how far it has come. One that is killed between the two leaves a tick that the next one sends again
under the same id, which is the same task. This file must not know how entries are stored: see ``agenda``.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ignitetasks import log, periodic
from ignitetasks.agenda import Agenda
from ignitetasks.errors import IdempotencyConflict, RequestError
from ignitetasks.periodic import ScheduleEntry
from ignitetasks.scheduling import Scheduler
from ignitetasks.ticks import BeatApp, queue_of, send, wall_clock

#: A change made by people is seen after so many seconds at the latest.
_LOOK_SECONDS = 1.0
#: All entries are read anew this often, whatever was noticed.
_RELOAD_SECONDS = 60.0
#: Pause after an entry that could not be sent, in seconds.
_AGAIN_SECONDS = 2.0
#: The clock on the wall was set when it is off by more than this against the one that only runs, in seconds.
_JUMP_SECONDS = 1.0

_logger = log.get_logger("beat")


class PersistentScheduler(Scheduler):
    """Sends what is due of the entries in the cluster's store, and knows when to look again.

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
        super().__init__(app, None, max_interval, Producer, lazy=True, sync_every_tasks=sync_every_tasks)
        self.agenda = Agenda(app.transport, app.settings.namespace, app, clock)
        self._clock, self._monotonic = clock, monotonic
        self._extra = dict(schedule or {})
        self._code: dict[str, ScheduleEntry] = {}
        self._entries: dict[str, ScheduleEntry] = {}
        self._due: list[tuple[datetime, str]] = []
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
        self._due = []
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
            heapq.heappush(self._due, (when, str(entry.name)))

    @property
    def _deadline(self) -> float | None:
        limit: float | None = self.app.conf.beat_cron_starting_deadline
        return limit

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
        while self._due and self._due[0][0] <= now:
            _, name = heapq.heappop(self._due)
            self._fire(name, now)
        left = (self._due[0][0] - self._clock()).total_seconds() if self._due else self.max_interval
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
                heapq.heappush(self._due, (now + timedelta(seconds=_AGAIN_SECONDS), name))
                return
            if answer.last is None:
                break
            count = (stored.total_run_count or 0) + len(answer.ticks)
            new = replace(stored, last_run_at=answer.last, total_run_count=count)
            if self.agenda.advance(version, new):
                self._entries[name] = new
                break
        if answer.next is not None:
            heapq.heappush(self._due, (answer.next, name))

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

    def reserve(self, entry: ScheduleEntry) -> ScheduleEntry:
        """Returns an entry as it is after a tick now."""
        return entry.next()

    def should_sync(self) -> bool:
        """Tells whether something is not stored yet: never, since every tick is stored at once."""
        return False

    @property
    def info(self) -> str:
        """What there is to say in a banner."""
        return f"    . {len(self._entries)} entries in the cluster's store"
