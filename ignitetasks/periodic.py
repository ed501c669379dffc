"""One entry of a schedule: what it calls, when, what has run, and which ticks are due; also as bytes in the store.

This file must stay pure: the time is always an argument, nothing is sent or stored here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

from ignitetasks.baseschedule import BaseSchedule, ScheduleApp
from ignitetasks.errors import IgniteTasksError, ScheduleError, ScheduleTypeError
from ignitetasks.ids import queue_locator
from ignitetasks.schedules import crontab, maybe_schedule, schedule, solar
from ignitetasks.serializers import PLAIN

UTC = timezone.utc
LATEST, SKIP = "latest", "skip"
#: A tick is late, and subject to the catch-up rule, after so long.
GRACE = timedelta(seconds=60)
#: A last tick further ahead than this means that a clock was wrong.
AHEAD = timedelta(seconds=60)
_MOST_CAUGHT_UP = 1000
_MAX_NAME = 200
_KEYS = frozenset({"task", "schedule", "args", "kwargs", "options", "relative", "catch_up", "enabled"})


class LazyCall:
    """An argument that is computed when a tick is sent, in a ``beat_schedule`` of code.

    Args:
        func: What computes it.
        *args: Its positional arguments.
        **kwargs: Its keyword arguments.
    """

    def __init__(self, func: Any, *args: Any, **kwargs: Any) -> None:
        self._func, self._args, self._kwargs = func, args, kwargs

    def __call__(self) -> Any:
        """Computes the argument."""
        return self._func(*self._args, **self._kwargs)

    delay = __call__


@dataclass(eq=False)
class ScheduleEntry:
    """A task that is sent again and again.

    Attributes:
        name: Its name, unique in the namespace.
        task: Name of the task.
        last_run_at: The last tick that was sent (or passed over); before the first one the time it was made.
        total_run_count: How many ticks were sent.
        schedule: When; None in an entry of code that this process does not have.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: As for ``apply_async``.
        relative: As for ``schedules.schedule``.
        app: The application.
        catch_up: Ticks that no beat was there for: ``latest`` sends the last of them, ``skip`` none, a number the
            last so many.
        enabled: False while it is paused.
        owner: The application whose code it comes from; empty for one that was added at run time.
        origin: Digest of the definition in code; a new one replaces what was set at run time.
        in_code: Its schedule or arguments exist only in code, so only beats of that code can send it.
    """

    name: str | None = None
    task: str | None = None
    last_run_at: datetime | None = None
    total_run_count: int | None = 0
    schedule: Any = None
    args: Sequence[Any] | None = ()
    kwargs: Mapping[str, Any] | None = field(default_factory=dict)
    options: Mapping[str, Any] | None = field(default_factory=dict)
    relative: bool = False
    app: ScheduleApp | None = field(default=None, repr=False)
    catch_up: str | int = LATEST
    enabled: bool = True
    owner: str = ""
    origin: str = ""
    in_code: bool = False

    def __post_init__(self) -> None:
        self.schedule = maybe_schedule(self.schedule, self.relative, app=self.app)
        self.args = None if self.args is None else tuple(self.args)
        self.kwargs = dict(self.kwargs or {})
        self.options = dict(self.options or {})
        self.total_run_count = self.total_run_count or 0
        self.last_run_at = _aware(self.last_run_at or self.default_now())

    def default_now(self) -> datetime:
        """Returns the present, as the schedule sees it."""
        if self.schedule is not None:
            now: datetime = self.schedule.now()
            return now
        return datetime.now(UTC) if self.app is None else self.app.now()

    _default_now = default_now

    def is_due(self) -> tuple[bool, float]:
        """Returns whether a tick is due, and the seconds until the next look."""
        answer: tuple[bool, float] = self.schedule.is_due(self.last_run_at)
        return answer

    def next(self, last_run_at: datetime | None = None) -> ScheduleEntry:
        """Returns the entry as it is after a tick."""
        ran = {"last_run_at": last_run_at or self.default_now(), "total_run_count": (self.total_run_count or 0) + 1}
        return type(self)(**{**dict(self), **ran})

    __next__ = _next_instance = next

    def update(self, other: ScheduleEntry) -> None:
        """Takes task, schedule, arguments and options of another entry."""
        for name in _EDITABLE:
            setattr(self, name, getattr(other, name))

    def editable_fields_equal(self, other: ScheduleEntry) -> bool:
        """Tells whether task, schedule, arguments and options are the same."""
        return all(getattr(self, name) == getattr(other, name) for name in _EDITABLE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScheduleEntry) and self.editable_fields_equal(other)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Yields names and values: ``dict(entry)`` is what makes an entry like this one."""
        return iter(vars(self).items())

    def __lt__(self, other: object) -> bool:
        # For heaps of (time, entry): any order will do.
        return id(self) < id(other) if isinstance(other, ScheduleEntry) else NotImplemented

    def __repr__(self) -> str:
        call = ", ".join([*map(repr, self.args or ()), *(f"{k}={v!r}" for k, v in (self.kwargs or {}).items())])
        return f"<{type(self).__name__}: {self.name} {self.task}({call}) {self.schedule}>"


_EDITABLE = ("task", "schedule", "args", "kwargs", "options")


class Due(NamedTuple):
    """What is to be done about an entry now.

    Attributes:
        ticks: Ticks to send, in order.
        last: Up to where ticks are dealt with; None changes nothing.
        next: When the next one is due; None if never.
    """

    ticks: Sequence[datetime]
    last: datetime | None
    next: datetime | None


def due(entry: ScheduleEntry, now: datetime, deadline: float | None = None) -> Due:
    """Decides which ticks of an entry are to be sent.

    Args:
        entry: The entry as it is stored; its schedule is here.
        now: The present.
        deadline: Seconds after which a tick of a crontab is passed over, or None.
    """
    last = entry.last_run_at or now
    if last > now + AHEAD:
        # A clock was ahead, and is right again. Ticks that were sent keep their ids: they do not run a second time.
        return Due((), now, _following(entry, now))
    if _only_says_if_due(entry.schedule):
        ready, wait = entry.schedule.is_due(last)
        ahead = None if wait is None else now + timedelta(seconds=max(float(wait), 0.001))
        tick = now.replace(microsecond=0)
        return Due((tick,), max(tick, last), ahead) if ready and tick > last else Due((), None, ahead)
    first = _following(entry, last)
    if first is None or first > now:
        return Due((), None, first)
    final = (entry.schedule.last_tick(last, now) or first).astimezone(UTC)
    ticks = _caught_up(entry, last, final, now)
    if deadline is not None and isinstance(entry.schedule, crontab):
        ticks = [tick for tick in ticks if now - tick <= timedelta(seconds=deadline)]
    return Due(ticks, final, _following(entry, final))


def _caught_up(entry: ScheduleEntry, last: datetime, final: datetime, now: datetime) -> list[datetime]:
    on_time = now - final <= GRACE
    if entry.catch_up == SKIP:
        return [final] if on_time else []
    ticks = [final]
    most = entry.catch_up if isinstance(entry.catch_up, int) else 1
    tick: datetime | None = final
    while tick is not None and len(ticks) < most:
        tick = entry.schedule.last_tick(last, tick - timedelta(microseconds=1))
        if tick is not None:
            ticks.append(tick.astimezone(UTC))
    return ticks[::-1]


def _following(entry: ScheduleEntry, moment: datetime) -> datetime | None:
    tick: datetime | None = entry.schedule.next_after(moment)
    return None if tick is None else tick.astimezone(UTC)


def _only_says_if_due(one: Any) -> bool:
    """Tells whether a class of one's own has its rule in `is_due`, where Celery has it, and not in `next_after`."""
    for kind in type(one).__mro__:
        if "next_after" in vars(kind):
            return kind is BaseSchedule
        if "is_due" in vars(kind) or "remaining_estimate" in vars(kind):
            return True
    return True


def next_run(entry: ScheduleEntry, now: datetime) -> datetime | None:
    """Returns when an entry runs next; None while it is paused, never does, or lives in other code."""
    return None if entry.schedule is None or not entry.enabled else due(entry, now).next


def tick_id(namespace: str, name: str, tick: datetime, queue: str) -> str:
    """Returns the task id of one tick: the same wherever and how often it is sent, at home with its queue."""
    text = f"{namespace}\0{name}\0{ms(tick)}"
    digest = hashlib.blake2b(text.encode(), digest_size=14, person=b"schedule").hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:28]}{queue_locator(queue):04x}"


def ms(moment: datetime) -> int:
    """Returns milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)


def moment(milliseconds: int) -> datetime:
    """Returns the moment of milliseconds since the epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


# -- as it is written by users ----------------------------------------------------------------------------------------


def from_definition(
    name: str, given: Mapping[str, Any], app: ScheduleApp | None = None, owner: str = ""
) -> ScheduleEntry:
    """Makes an entry of what stands in ``beat_schedule``.

    Args:
        name: The entry's name.
        given: ``task``, ``schedule``, and perhaps ``args``, ``kwargs``, ``options``, ``relative``, ``catch_up``,
            ``enabled``.
        app: The application.
        owner: See `ScheduleEntry`.

    Raises:
        ScheduleError: Something is missing, unknown or wrong; the message names the entry and the key.
    """
    try:
        _check(name, given)
        entry = ScheduleEntry(name=name, app=app, owner=owner, **given)
        if entry.schedule is None:
            raise ScheduleTypeError("schedule is missing")
    except ScheduleError as error:
        raise type(error)(f"schedule entry {name!r}: {error}") from error
    entry.in_code = not _storable(entry)
    entry.origin = _digest(entry)
    return entry


def _check(name: object, given: Mapping[str, Any]) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise ScheduleError(f"a name is 1 to {_MAX_NAME} printable characters")
    if not isinstance(given, Mapping):
        raise ScheduleTypeError(f"it is a map with task and schedule, not {given!r}")
    unknown = sorted(set(given) - _KEYS)
    if unknown:
        raise ScheduleError(f"there is no key {unknown[0]!r}; the keys are {', '.join(sorted(_KEYS))}")
    if not isinstance(given.get("task"), str) or not given["task"]:
        raise ScheduleError(f"task must be the name of a task, not {given.get('task')!r}")
    _check_call(given)
    check_catch_up(given.get("catch_up", LATEST))
    if not isinstance(given.get("enabled", True), bool):
        raise ScheduleTypeError(f"enabled must be True or False, not {given['enabled']!r}")
    every = given.get("schedule")
    seconds = every.total_seconds() if isinstance(every, timedelta) else getattr(every, "seconds", every)
    if isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and seconds < 0.001:
        raise ScheduleError(f"schedule must be at least a millisecond, not {seconds!r} s")


def _check_call(given: Mapping[str, Any]) -> None:
    if isinstance(given.get("args"), (str, bytes)) or not isinstance(given.get("args", ()), (Sequence, type(None))):
        raise ScheduleTypeError(f"args must be a list or tuple, not {given['args']!r}")
    for key in ("kwargs", "options"):
        if not isinstance(given.get(key, {}), (Mapping, type(None))):
            raise ScheduleTypeError(f"{key} must be a map, not {given[key]!r}")
    own = sorted({"task_id", "idempotency_key"} & set(given.get("options") or ()))
    if own:
        raise ScheduleError(f"options must not have {own[0]}: each tick has an id of its own")


def check_catch_up(rule: object) -> None:
    """Raises `ScheduleError` for what is no catch-up rule."""
    number = isinstance(rule, int) and not isinstance(rule, bool) and 1 <= rule <= _MOST_CAUGHT_UP
    if rule not in (LATEST, SKIP) and not number:
        raise ScheduleError(
            f"catch_up must be 'latest', 'skip' or a whole number from 1 to {_MOST_CAUGHT_UP}, not {rule!r}"
        )


# -- as bytes ---------------------------------------------------------------------------------------------------------


def pack(entry: ScheduleEntry) -> bytes:
    """Returns the bytes of an entry."""
    values: dict[str, Any] = {
        "task": entry.task,
        "last": ms(entry.last_run_at or datetime.now(UTC)),
        "count": entry.total_run_count,
        "catch_up": entry.catch_up,
        "enabled": entry.enabled,
        "owner": entry.owner,
        "origin": entry.origin,
        "shown": str(entry.schedule),
    }
    if not entry.in_code:
        values |= {"when": _pack_schedule(entry.schedule), "args": list(entry.args or ()), "kwargs": entry.kwargs}
    values["options"] = {} if entry.in_code else entry.options
    return PLAIN.encode(values, root=f"schedule entry {entry.name!r}")


def unpack(name: str, data: bytes, app: ScheduleApp | None = None) -> ScheduleEntry:
    """Reads what `pack` made; an entry that lives in code comes without a schedule."""
    values = PLAIN.decode(data, what="a schedule entry")
    stored = "when" in values
    return ScheduleEntry(
        name=name,
        task=values["task"],
        last_run_at=moment(values["last"]),
        total_run_count=values["count"],
        schedule=_unpack_schedule(values["when"], app) if stored else None,
        args=values.get("args", ()),
        kwargs=values.get("kwargs", {}),
        options=values["options"],
        app=app,
        catch_up=values["catch_up"],
        enabled=values["enabled"],
        owner=values["owner"],
        origin=values["origin"],
        in_code=not stored,
    )


def _storable(entry: ScheduleEntry) -> bool:
    if any(isinstance(one, LazyCall) for one in (*(entry.args or ()), *(entry.kwargs or {}).values())):
        return False
    try:
        pack(entry)
    except (IgniteTasksError, TypeError):
        return False
    return True


def _digest(entry: ScheduleEntry) -> str:
    fixed = replace(entry, last_run_at=moment(0), total_run_count=0, origin="")
    data = repr((entry.task, str(entry.schedule))).encode() if entry.in_code else pack(fixed)
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _pack_schedule(one: Any) -> list[Any]:
    if one.nowfun is not None or type(one) not in (schedule, crontab, solar):
        raise ScheduleTypeError("a schedule of a class of its own lives in code only")
    if isinstance(one, schedule):
        return ["every", one.run_every.total_seconds(), one.relative]
    if isinstance(one, solar):
        return ["solar", one.event, one.lat, one.lon]
    return ["crontab", *map(_plain_spec, one.specs), _zone_name(one.own_zone)]


def _plain_spec(spec: Any) -> Any:
    return list(spec) if isinstance(spec, Iterable) and not isinstance(spec, str) else spec


def _zone_name(zone: tzinfo | None) -> str | None:
    name = None if zone is None else getattr(zone, "key", None) or ("UTC" if zone is UTC else None)
    if zone is not None and name is None:
        raise ScheduleTypeError(f"the time zone {zone!r} has no name to store it by")
    return name


def _unpack_schedule(value: Sequence[Any], app: ScheduleApp | None) -> BaseSchedule:
    kind, *rest = value
    if kind == "every":
        return schedule(rest[0], rest[1], app=app)
    if kind == "solar":
        return solar(rest[0], rest[1], rest[2], app=app)
    minute, hour, day_of_week, day_of_month, month_of_year, zone = rest
    return crontab(minute, hour, day_of_week, day_of_month, month_of_year, app=app, tz=zone)


def facts(entry: ScheduleEntry, now: datetime) -> dict[str, Any]:
    """Returns an entry as plain data, to be shown."""
    following = next_run(entry, now)
    ran = bool(entry.total_run_count)
    return {
        "name": entry.name,
        "task": entry.task,
        "schedule": "in code" if entry.schedule is None else str(entry.schedule),
        "args": json.loads(json.dumps(list(entry.args or ()), default=str)),
        "kwargs": json.loads(json.dumps(entry.kwargs, default=str)),
        "options": json.loads(json.dumps(entry.options, default=str)),
        "state": "active" if entry.enabled else "paused",
        "catch_up": entry.catch_up,
        "owner": entry.owner or None,
        "last_run_at": entry.last_run_at.isoformat() if ran and entry.last_run_at else None,
        "next_run_at": following.isoformat() if following else None,
        "total_run_count": entry.total_run_count,
    }


def _aware(when: datetime) -> datetime:
    return (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).astimezone(UTC)
