"""Schedules of periodic tasks: intervals, crontabs and the sun, under Celery's names.

A schedule answers two questions: when is the tick after this one (`BaseSchedule.next_after`), and is one due now
(`BaseSchedule.is_due`). This file must not send tasks or keep state; what has run is known by ``beat``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, cast

from ignitetasks import cron, deferred
from ignitetasks.baseschedule import BaseSchedule, ScheduleApp, schedstate
from ignitetasks.cron import as_zone, crontab_parser
from ignitetasks.errors import ConfigurationError, ParseException, ScheduleError, ScheduleTypeError
from ignitetasks.utils.time import humanize_seconds

__all__ = [
    "BaseSchedule",
    "ParseException",
    "crontab",
    "crontab_parser",
    "maybe_schedule",
    "schedstate",
    "schedule",
    "solar",
]

UTC = timezone.utc
Spec = cron.Spec
SOLAR_EVENTS = (
    "dawn_astronomical", "dawn_nautical", "dawn_civil", "sunrise", "solar_noon", "sunset", "dusk_civil",
    "dusk_nautical", "dusk_astronomical",
)  # fmt: skip
_STRING_FIELDS = 5


class schedule(BaseSchedule):
    """Ticks at equal distances, by elapsed time: changes of the clock do not touch them.

    Args:
        run_every: Seconds, or a timedelta.
        relative: True rounds ticks down to the interval's unit (days, hours or minutes) by the wall clock.
        nowfun: As for `BaseSchedule`.
        app: As for `BaseSchedule`.

    Raises:
        ScheduleError: The interval is no length of time.
    """

    relative = False

    def __init__(
        self,
        run_every: float | timedelta | None = None,
        relative: bool = False,
        nowfun: Callable[[], datetime] | None = None,
        app: ScheduleApp | None = None,
    ) -> None:
        self.run_every = _interval(run_every)
        self.relative = relative
        super().__init__(nowfun=nowfun, app=app)

    def next_after(self, last: datetime) -> datetime:
        """Returns the tick after one at a moment."""
        last = self.to_local(last)
        plain = (last.astimezone(UTC) + self.run_every).astimezone(self.tz)
        return self._rounded(last, plain) if self.relative else plain

    def last_tick(self, after: datetime, until: datetime) -> datetime | None:
        """Returns the last tick after one moment that is not after another; None if there is none."""
        if self.relative and self.run_every >= timedelta(days=1):
            return super().last_tick(after, until)
        first = self.next_after(after).astimezone(UTC)
        return None if first > until else first + (until - first) // self.run_every * self.run_every

    def _rounded(self, last: datetime, plain: datetime) -> datetime:
        if self.run_every >= timedelta(days=1):
            # By the calendar: a day that has 23 or 25 hours is one day.
            wall = (last.replace(tzinfo=None) + self.run_every).replace(hour=0, minute=0, second=0, microsecond=0)
            return cron.moments(wall, self.tz, False)[0].astimezone(self.tz)
        tick = plain
        if self.run_every >= timedelta(hours=1):
            tick = plain.replace(minute=0, second=0, microsecond=0)
        elif self.run_every >= timedelta(minutes=1):
            tick = plain.replace(second=0, microsecond=0)
        # Where a change of the clock puts the rounded time before the last one, the exact one serves.
        return tick if tick.astimezone(UTC) > last.astimezone(UTC) else plain

    def is_due(self, last_run_at: datetime) -> tuple[bool, float]:
        """Returns whether a tick is due, and the seconds until the next look."""
        left = self.remaining_estimate(last_run_at).total_seconds()
        if left > 0:
            return schedstate(False, left)
        ahead = self.remaining_estimate(self.now()).total_seconds() if self.relative else 0
        return schedstate(True, ahead if ahead > 0 else self.seconds)

    @property
    def seconds(self) -> float:
        """The interval in seconds."""
        return max(self.run_every.total_seconds(), 0)

    @property
    def human_seconds(self) -> str:
        """The interval in words, e.g. ``10.00 seconds``."""
        return humanize_seconds(self.seconds, microseconds=True)

    def __repr__(self) -> str:
        return f"<freq: {self.human_seconds}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, schedule):
            return (self.run_every, self.relative) == (other.run_every, other.relative)
        return self.run_every == other

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.run_every, self.relative, self.nowfun)


class crontab(BaseSchedule):
    """Ticks at the minutes whose wall time has the given values in every field.

    Each field is a text (``"*"``, ``"*/15"``, ``"1,13,30-45,50-59/2"``, ``"mon-fri"``), a number, or any iterable of
    numbers. Days must fit all three of ``day_of_week``, ``day_of_month`` and ``month_of_year``.

    Args:
        minute: 0 to 59.
        hour: 0 to 23.
        day_of_week: 0 (Sunday) to 6, or names.
        day_of_month: 1 to 31.
        month_of_year: 1 to 12, or names.
        nowfun: As for `BaseSchedule`.
        app: As for `BaseSchedule`.
        tz: A time zone of its own, or its name; None means the application's.

    Raises:
        ScheduleError: A field cannot be understood; the message names it.
    """

    def __init__(
        self,
        minute: Spec | None = "*",
        hour: Spec | None = "*",
        day_of_week: Spec | None = "*",
        day_of_month: Spec | None = "*",
        month_of_year: Spec | None = "*",
        nowfun: Callable[[], datetime] | None = None,
        app: ScheduleApp | None = None,
        tz: str | tzinfo | None = None,
    ) -> None:
        given = [cron.kept(spec) for spec in (minute, hour, day_of_week, day_of_month, month_of_year)]
        self.specs = tuple(given)
        # Under the names by which programs read what a field was given as.
        self._orig_minute, self._orig_hour, self._orig_day_of_week = given[:3]
        self._orig_day_of_month, self._orig_month_of_year = given[3:]
        self.cron = cron.Cron(*(cron.expand(field, spec) for field, spec in zip(cron.FIELDS, given, strict=True)))
        self.cron.check_dates()
        self.minute, self.hour, self.day_of_week, self.day_of_month, self.month_of_year = self.cron
        super().__init__(nowfun=nowfun, app=app, tz=tz)

    @classmethod
    def from_string(cls, crontab: str, **options: Any) -> crontab:
        """Makes a schedule of a line as cron has it: ``minute hour day_of_month month_of_year day_of_week``.

        Args:
            crontab: Five fields with spaces between them.
            **options: As for the class, e.g. ``tz``.

        Raises:
            ScheduleError: There are more or fewer fields, or one cannot be understood.
        """
        fields = crontab.split() if isinstance(crontab, str) else []
        if len(fields) != _STRING_FIELDS:
            raise ScheduleError(
                f"a crontab line has five fields (minute hour day_of_month month_of_year day_of_week), not {crontab!r}"
            )
        minute, hour, day_of_month, month_of_year, day_of_week = fields
        return cls(
            minute=minute,
            hour=hour,
            day_of_week=day_of_week,
            day_of_month=day_of_month,
            month_of_year=month_of_year,
            **options,
        )

    def next_after(self, last: datetime) -> datetime:
        """Returns the first tick after a moment."""
        return self.cron.following(self.to_local(last), self.tz)

    def last_tick(self, after: datetime, until: datetime) -> datetime | None:
        """Returns the last tick after one moment that is not after another; None if there is none."""
        return cron.latest(self.next_after, after, until)

    def remaining_delta(
        self, last_run_at: datetime, tz: str | tzinfo | None = None
    ) -> tuple[datetime, timedelta, datetime]:
        """Returns ``last_run_at`` by the wall clock, what to add to it for the next tick, and the present."""
        zone = as_zone(tz) or self.tz
        last = self.maybe_make_aware(last_run_at).astimezone(zone)
        tick = self.cron.following(last, zone)
        # Both walls are of one zone, so this is the difference the clock on the wall shows.
        return last, tick - last, self.now().astimezone(zone)

    def is_due(self, last_run_at: datetime) -> tuple[bool, float]:
        """Returns whether a tick is due, and the seconds until the next one.

        With ``beat_cron_starting_deadline`` set, a tick that is overdue for longer is passed over.
        """
        due, left = super().is_due(last_run_at)
        limit = getattr(getattr(self.app, "conf", None), "beat_cron_starting_deadline", None)
        if due and limit is not None:
            since = self.now() - timedelta(seconds=limit, microseconds=1)
            due = self.remaining_estimate(since).total_seconds() <= 0
        return schedstate(due, left)

    def __repr__(self) -> str:
        minute, hour, day_of_week, day_of_month, month_of_year = self.specs
        return f"<crontab: {minute} {hour} {day_of_month} {month_of_year} {day_of_week} (m/h/dM/MY/d)>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, crontab):
            return self.cron == other.cron and self._tz == other._tz and super().__eq__(other)
        return NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return _crontab_again, (type(self), self.specs, self.nowfun, self._tz)


class solar(BaseSchedule):
    """Ticks when the sun does something at a place; needs ``pip install "ignitetasks[solar]"``.

    Args:
        event: One of ``SOLAR_EVENTS``.
        lat: Latitude, -90 to 90.
        lon: Longitude, -180 to 180.
        nowfun: As for `BaseSchedule`.
        app: As for `BaseSchedule`.

    Raises:
        ScheduleError: An argument has a value it cannot have.
        ConfigurationError: The library is not installed.
    """

    _all_events = frozenset(SOLAR_EVENTS)

    def __init__(
        self,
        event: str,
        lat: float | Decimal,
        lon: float | Decimal,
        nowfun: Callable[[], datetime] | None = None,
        app: ScheduleApp | None = None,
    ) -> None:
        if event not in SOLAR_EVENTS:
            raise ScheduleError(f"solar event must be one of {', '.join(SOLAR_EVENTS)}, not {event!r}")
        for name, value, most in (("lat", lat, 90), ("lon", lon, 180)):
            if not isinstance(value, (int, float, Decimal)) or isinstance(value, bool) or not -most <= value <= most:
                raise ScheduleError(f"solar {name} must be degrees from -{most} to {most}, not {value!r}")
        try:
            self._sun = deferred.load("sun")
        except ImportError as error:
            raise ConfigurationError(
                'solar schedules need the library ephem; install it with: pip install "ignitetasks[solar]"'
            ) from error
        self.event = event
        # A database may have them as decimals.
        self.lat, self.lon = (float(one) if isinstance(one, Decimal) else one for one in (lat, lon))
        super().__init__(nowfun=nowfun, app=app)

    def next_after(self, last: datetime) -> datetime | None:
        """Returns the first time of the event after a moment; None if there is none within a year."""
        return cast("datetime | None", self._sun.following(self.event, self.lat, self.lon, self.to_local(last)))

    def __repr__(self) -> str:
        return f"<solar: {self.event} at latitude {self.lat}, longitude: {self.lon}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, solar):
            return (self.event, self.lat, self.lon) == (other.event, other.lat, other.lon)
        return NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.event, self.lat, self.lon)


def maybe_schedule(s: Any, relative: bool = False, app: ScheduleApp | None = None) -> Any:
    """Returns a schedule for a number of seconds or a timedelta; a schedule is given its app and returned.

    Args:
        s: What a ``beat_schedule`` entry has as its schedule; None stays None.
        relative: As for `schedule`.
        app: The application.

    Raises:
        ScheduleTypeError: It is none of these.
    """
    if s is None:
        return None
    if isinstance(s, (int, float, timedelta)) and not isinstance(s, bool):
        return schedule(s, relative, app=app)
    if not callable(getattr(s, "is_due", None)):
        raise ScheduleTypeError(f"a schedule is a number of seconds, a timedelta, or a crontab and the like, not {s!r}")
    s.app = app
    return s


def _interval(value: object) -> timedelta:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        value = timedelta(seconds=value)
    if not isinstance(value, timedelta):
        raise ScheduleTypeError(f"run_every must be a number of seconds or a timedelta, not {value!r}")
    if value < timedelta(0):
        raise ScheduleError(f"run_every must not be negative, but is {value.total_seconds():g} s")
    return value


def _crontab_again(
    cls: type[crontab], specs: tuple[Any, ...], nowfun: Callable[[], datetime] | None, tz: tzinfo | None
) -> crontab:
    minute, hour, day_of_week, day_of_month, month_of_year = specs
    return cls(minute, hour, day_of_week, day_of_month, month_of_year, nowfun=nowfun, tz=tz)
