"""A scheduler that has its entries in memory: what schedulers of one's own are based on.

A class based on this one says where entries come from (`Scheduler.setup_schedule`, `Scheduler.schedule`) and what is to
be done about each (`Scheduler.is_due`, `Scheduler.apply_async`). Nothing here is shared between two beats: what makes
every tick fire once is ``beat.PersistentScheduler``. This file must not store anything.
"""

from __future__ import annotations

import copy
import heapq
import time
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ignitetasks import log
from ignitetasks.errors import ScheduleError
from ignitetasks.periodic import ScheduleEntry
from ignitetasks.ticks import BeatApp, call_of

DEFAULT_MAX_INTERVAL = 300.0
#: All entries are of the same weight.
_PRIORITY = 5
#: A beat wakes so much before a tick, to be there in time, in seconds.
_EARLY_SECONDS = -0.01

_logger = log.get_logger("beat")


class event_t(NamedTuple):  # Celery's name
    """When an entry is looked at next.

    Attributes:
        time: Seconds since the epoch.
        priority: The smaller the sooner, of entries of one time.
        entry: The entry.
    """

    time: float
    priority: int
    entry: Any


class Scheduler:
    """Sends what is due of the entries it has, and knows when to look again.

    Args:
        app: The application through which ticks are sent.
        schedule: The entries, by name; taken as it is.
        max_interval: Longest pause between two looks, in seconds.
        Producer: Taken for Celery's sake; there is none.
        lazy: True reads nothing yet.
        sync_every_tasks: After so many ticks `sync` is called; None means ``beat_sync_every``, and 0 no such number.
        **kwargs: Taken for Celery's sake, such as the name of a file.

    Attributes:
        app: The application.
        data: The entries, by name, where a class does not keep them elsewhere.
    """

    #: Class of the entries.
    Entry: Any = ScheduleEntry
    #: Longest pause between two looks, in seconds.
    max_interval: float = DEFAULT_MAX_INTERVAL
    #: `sync` is called this often, in seconds.
    sync_every: float = 180
    #: `sync` is called after so many ticks, too; 0 or None for no such number.
    sync_every_tasks: int | None = None

    def __init__(
        self,
        app: BeatApp,
        schedule: Any = None,
        max_interval: float | None = None,
        Producer: Any = None,
        lazy: bool = False,
        sync_every_tasks: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.data: MutableMapping[str, Any] = {} if schedule is None else schedule
        self.max_interval = max_interval or app.conf.beat_max_loop_interval or self.max_interval
        wanted = app.conf.beat_sync_every if sync_every_tasks is None else sync_every_tasks
        self.sync_every_tasks = wanted or self.sync_every_tasks
        self.producer: Any = None
        self._heap: list[event_t] | None = None
        self.old_schedulers: Any = None
        self._last_sync: float | None = None
        self._tasks_since_sync = 0
        if not lazy:
            self.setup_schedule()

    # -- entries --------------------------------------------------------------------------------------------------

    def setup_schedule(self) -> None:
        """Reads the entries: those of ``beat_schedule``, unless a class has others."""
        self.app.finalize()  # what waits for the settings may add entries
        self.install_default_entries(self.schedule)
        self.merge_inplace(self.app.conf.beat_schedule)

    def install_default_entries(self, data: Mapping[str, Any]) -> None:
        """Adds the package's own entries: none, since results expire by themselves."""

    def get_schedule(self) -> Any:
        """Returns the entries, by name."""
        return self.data

    def set_schedule(self, schedule: Any) -> None:
        """Puts others in place of the entries."""
        self.data = schedule

    @property
    def schedule(self) -> Any:
        """The entries, by name."""
        return self.get_schedule()

    @schedule.setter
    def schedule(self, schedule: Any) -> None:
        self.set_schedule(schedule)

    def add(self, **kwargs: Any) -> Any:
        """Adds an entry.

        Args:
            **kwargs: ``name`` and what a ``beat_schedule`` entry has.

        Returns:
            The entry.
        """
        entry = self.Entry(app=self.app, **kwargs)
        self.schedule[entry.name] = entry
        return entry

    def update_from_dict(self, dict_: Mapping[str, Any]) -> None:
        """Adds entries, or puts them in place of those of the same names."""
        self.schedule.update({name: self._maybe_entry(name, given) for name, given in dict_.items()})

    def merge_inplace(self, b: Mapping[str, Any]) -> None:
        """Makes these the entries; what has run of one that was there is kept."""
        mine = self.schedule
        for name in set(mine) - set(b):
            del mine[name]
        for name, given in b.items():
            entry = self._maybe_entry(name, given)
            if name in mine:
                mine[name].update(entry)
            else:
                mine[name] = entry

    def _maybe_entry(self, name: str, given: Any) -> Any:
        if isinstance(given, self.Entry):
            given.app = self.app
            return given
        return self.Entry(**{**given, "name": name, "app": self.app})

    def schedules_equal(self, old_schedules: Mapping[str, Any] | None, new_schedules: Mapping[str, Any] | None) -> bool:
        """Tells whether nothing has changed in what entries call, and when."""
        if old_schedules is None or new_schedules is None:
            return old_schedules is new_schedules
        return old_schedules.keys() == new_schedules.keys() and all(
            entry == new_schedules[name] for name, entry in old_schedules.items()
        )

    # -- ticks ----------------------------------------------------------------------------------------------------

    def populate_heap(self) -> None:
        """Works out when each entry is looked at next."""
        self._heap = []
        for entry in self.schedule.values():
            due, left = entry.is_due()
            heapq.heappush(self._heap, event_t(self._when(entry, 0 if due else left), _PRIORITY, entry))

    def _when(self, entry: Any, left: float | None) -> float:
        now: datetime = entry.default_now()
        if now.tzinfo is None:
            now = now.replace(tzinfo=timezone.utc)
        return now.timestamp() + (self.adjust(left) or 0)

    def adjust(self, n: float | None, drift: float = _EARLY_SECONDS) -> float | None:
        """Returns a pause made shorter by what a process takes to wake up."""
        return n + drift if n and n > 0 else n

    def tick(self) -> float:
        """Sends the entry that is due first.

        Returns:
            Seconds until the next look.
        """
        if self._heap is None or not self.schedules_equal(self.old_schedulers, self.schedule):
            self.old_schedulers = copy.copy(self.schedule)
            self.populate_heap()
        heap = self._heap
        if not heap:
            return self.max_interval
        entry = heap[0].entry
        due, left = self.is_due(entry)
        if not due:
            pause = self.adjust(left)
            return self.max_interval if pause is None else min(pause, self.max_interval)
        heapq.heappop(heap)
        following = self.reserve(entry)
        self.apply_entry(entry, producer=self.producer)
        heapq.heappush(heap, event_t(self._when(following, left), _PRIORITY, following))
        return 0

    def is_due(self, entry: Any) -> tuple[bool, float]:
        """Returns whether a tick of an entry is due, and the seconds until the next look."""
        answer: tuple[bool, float] = entry.is_due()
        return answer

    def reserve(self, entry: Any) -> Any:
        """Notes that a tick of an entry is being sent; returns the entry as it is after that."""
        following = self.schedule[entry.name] = entry.next()
        return following

    def apply_entry(self, entry: Any, producer: Any = None) -> Any:
        """Sends a tick of an entry; one that cannot be sent is logged, and passed over.

        Args:
            entry: The entry.
            producer: Taken for Celery's sake.
        """
        try:
            sent = self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            _logger.error("tick not sent", entry=entry.name, task=entry.task, error=str(error))
            return None
        _logger.info("tick sent", entry=entry.name, task=entry.task, task_id=getattr(sent, "id", None))
        return sent

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Sends a call of an entry.

        Args:
            entry: The entry.
            producer: Taken for Celery's sake.
            advance: Also note that it was sent, see `reserve`.
            **kwargs: Taken for Celery's sake.

        Returns:
            The handle of the task.

        Raises:
            SchedulingError: It could not be sent.
        """
        if advance:
            entry = self.reserve(entry)
        try:
            args, named, options = call_of(self.app, entry, datetime.now(timezone.utc))
            task = self.app.tasks.get(entry.task)
            if task is not None:
                return task.apply_async(args, named, **options)
            return self.send_task(entry.task, args, named, **options)
        except Exception as error:
            raise ScheduleError(f"schedule entry {entry.name!r} could not be sent: {error}") from error
        finally:
            self._tasks_since_sync += 1
            if self.should_sync():
                self._do_sync()

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Sends a call by name, as ``app.send_task`` does."""
        return self.app.send_task(*args, **kwargs)

    # -- what a class of one's own may store ------------------------------------------------------------------------

    def should_sync(self) -> bool:
        """Tells whether it is time to call `sync`."""
        late = self._last_sync is None or time.monotonic() - self._last_sync > self.sync_every
        return late or bool(self.sync_every_tasks and self._tasks_since_sync >= self.sync_every_tasks)

    def _do_sync(self) -> None:
        try:
            self.sync()
        finally:
            self._last_sync = time.monotonic()
            self._tasks_since_sync = 0

    def sync(self) -> None:
        """Stores what is not stored yet: nothing, unless a class stores something."""

    def close(self) -> None:
        """Ends the use of this scheduler."""
        self.sync()

    @property
    def info(self) -> str:
        """What there is to say in a banner."""
        return f"    . {len(self.schedule)} entries in memory"
