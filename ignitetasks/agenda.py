"""The schedule of a cluster, as all beats, programs and the command line see it: entries in the settings store.

Whoever changes an entry does so by compare-and-set, so nothing is lost between two of them. This file must not send
tasks and has no loop: see ``beat``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from ignitetasks import periodic
from ignitetasks.baseschedule import ScheduleApp
from ignitetasks.errors import ScheduleError
from ignitetasks.periodic import ScheduleEntry
from ignitetasks.store import Store
from ignitetasks.transport.base import Transport

BUCKET = "schedule"
#: Holds a number that every change by people counts up, so that beats need not read all entries to see one.
_CHANGES = "changes"
_CHANGEABLE = frozenset({"task", "schedule", "args", "kwargs", "options", "relative", "catch_up", "enabled"})


class Agenda:
    """Entries of one namespace; ``app.schedule`` is one.

    Args:
        transport: The way to the node.
        namespace: Whose entries.
        app: The application that schedules without a time zone of their own take theirs from.
        clock: Gives the present.
    """

    def __init__(
        self,
        transport: Transport,
        namespace: str,
        app: ScheduleApp | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._store = Store(transport, BUCKET)
        self._prefix = f"{namespace}/"
        self._app = app
        self._clock = clock

    # -- for people -----------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[ScheduleEntry]:
        return iter(self.list())

    def list(self) -> list[ScheduleEntry]:
        """Returns all entries, by name."""
        return [entry for _, entry in self.read()]

    def get(self, name: str) -> ScheduleEntry:
        """Returns an entry.

        Raises:
            ScheduleError: There is none of this name.
        """
        found = self.find(name)
        if found is None:
            raise self._missing(name)
        return found[1]

    def add(self, name: str, task: str, schedule: Any, **more: Any) -> ScheduleEntry:
        """Adds an entry, or replaces one of the same name; beats take it up within a second.

        Args:
            name: Its name.
            task: Name of the task, or the task.
            schedule: Seconds, a timedelta, or a schedule.
            **more: ``args``, ``kwargs``, ``options``, ``relative``, ``catch_up``, ``enabled``.

        Returns:
            The entry.

        Raises:
            ScheduleError: Something is wrong; the message names it.
        """
        given = {"task": getattr(task, "name", task), "schedule": schedule, **more}
        entry = periodic.from_definition(name, given, self._app)
        if entry.in_code:
            raise ScheduleError(
                f"schedule entry {name!r}: its schedule or arguments cannot be stored; put it into beat_schedule"
            )

        def put(old: ScheduleEntry | None) -> ScheduleEntry:
            if old is None:
                return replace(entry, last_run_at=self._clock(), origin="")
            kept: dict[str, Any] = {"owner": old.owner, "origin": old.origin, "total_run_count": old.total_run_count}
            return replace(entry, last_run_at=self._clock(), **kept)

        return self._change(name, put)

    def set(self, name: str, **changes: Any) -> ScheduleEntry:
        """Changes parts of an entry. What comes from code stays changed until its code changes.

        Args:
            name: Its name.
            **changes: As for `add`.

        Raises:
            ScheduleError: There is no such entry, or a value is wrong.
        """
        unknown = sorted(set(changes) - _CHANGEABLE)
        if unknown:
            raise ScheduleError(f"schedule entry {name!r}: there is no key {unknown[0]!r}")

        def put(old: ScheduleEntry | None) -> ScheduleEntry:
            if old is None:
                raise self._missing(name)
            if old.in_code and set(changes) - {"catch_up", "enabled"}:
                raise ScheduleError(f"schedule entry {name!r} lives in code: only enabled and catch_up change here")
            if old.in_code:
                periodic.check_catch_up(changes.get("catch_up", old.catch_up))
                return replace(old, **changes)
            now = {key: getattr(old, key) for key in _CHANGEABLE}
            new = periodic.from_definition(name, {**now, **changes}, self._app)
            # Another time, or an end of a pause, begins now: ticks of before are not missed ones.
            fresh = "schedule" in changes or (not old.enabled and new.enabled)
            last = self._clock() if fresh else old.last_run_at
            return replace(
                new, last_run_at=last, owner=old.owner, origin=old.origin, total_run_count=old.total_run_count
            )

        return self._change(name, put)

    def now(self) -> datetime:
        """Returns the present, as this schedule has it."""
        return self._clock()

    def pause(self, name: str) -> ScheduleEntry:
        """Sends no ticks of an entry until `resume`."""
        return self.set(name, enabled=False)

    def resume(self, name: str) -> ScheduleEntry:
        """Ends a pause; ticks of the pause are not sent."""
        return self.set(name, enabled=True)

    def remove(self, name: str) -> bool:
        """Removes an entry; tells whether there was one. One of code comes back when a beat of it starts: pause it."""
        there = self.find(name) is not None
        self._store.delete(self._prefix + name)
        self._note_change()
        return there

    # -- for beats ------------------------------------------------------------------------------------------------

    def read(self) -> Iterator[tuple[int, ScheduleEntry]]:
        """Reads all entries with their versions, by name."""
        for key, found in self._store.list(self._prefix):
            yield found.version, periodic.unpack(key.removeprefix(self._prefix), found.value, self._app)

    def find(self, name: str) -> tuple[int, ScheduleEntry] | None:
        """Reads one entry with its version."""
        found = self._store.get(self._prefix + name)
        return None if found is None else (found.version, periodic.unpack(name, found.value, self._app))

    def changes(self) -> int:
        """Returns a number that differs when somebody has changed entries; ticks do not count."""
        found = self._store.get(self._changes_key)
        return 0 if found is None else found.version

    def advance(self, version: int, entry: ScheduleEntry) -> bool:
        """Stores what a beat did to an entry; False if another one was faster."""
        return self._store.put(self._prefix + str(entry.name), periodic.pack(entry), version) is not None

    def sync(self, owner: str, definitions: Mapping[str, ScheduleEntry]) -> None:
        """Brings the entries of an application's code into the store.

        An entry that is new is added, one whose definition in code has changed is replaced (its last run and a pause
        stay), one that is no longer in code is removed. What was changed at run time stays while the code is as it was.

        Args:
            owner: The application.
            definitions: Its entries by name.
        """
        changed = False
        for name, entry in definitions.items():
            found = self.find(name)
            if found is None:
                changed |= self.advance(0, replace(entry, last_run_at=self._clock()))
            elif found[1].origin != entry.origin:
                old = found[1]
                last = old.last_run_at if str(old.schedule) == str(entry.schedule) else self._clock()
                new = replace(entry, last_run_at=last, total_run_count=old.total_run_count)
                new.enabled = entry.enabled and old.enabled
                changed |= self.advance(found[0], new)
        for version, entry in list(self.read()):
            if entry.owner == owner and entry.name not in definitions:
                changed |= self._store.delete(self._prefix + str(entry.name), version)
        if changed:
            self._note_change()

    # -- how ------------------------------------------------------------------------------------------------------

    @property
    def _changes_key(self) -> str:
        # Outside of the prefix of entries, whatever the namespace is called.
        return f"{_CHANGES}:{self._prefix}"

    def _note_change(self) -> None:
        self._store.put(self._changes_key, b"")

    def _change(self, name: str, change: Callable[[ScheduleEntry | None], ScheduleEntry]) -> ScheduleEntry:
        made: list[ScheduleEntry] = []

        def step(old: bytes | None) -> bytes:
            entry = change(None if old is None else periodic.unpack(name, old, self._app))
            made[:] = [entry]
            return periodic.pack(entry)

        self._store.update(self._prefix + name, step)
        self._note_change()
        return made[0]

    def _missing(self, name: str) -> ScheduleError:
        names = ", ".join(str(entry.name) for entry in self.list()[:20]) or "none"
        return ScheduleError(f"there is no schedule entry {name!r}; the entries are: {names}")
