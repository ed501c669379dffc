"""Cron expressions and their arithmetic: which minutes a crontab means, and which of them comes next.

This file must stay pure: no clock, no application, no I/O. Why no library: those at hand join day of month and day of
week by "or" as Vixie's cron does, where a crontab here means both, and none says what becomes of a tick that a change
of the clock skips or repeats.

Rules for changes of the clock: a tick whose wall time is skipped comes once, at the first moment after the gap. Of a
wall time that comes twice, a crontab that is restricted to certain hours takes the first; one that runs in every hour
takes both, so that "each ten minutes" stays that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ignitetasks.errors import ParseException, ScheduleError, ScheduleTypeError

UTC = timezone.utc
Spec = str | int | Iterable[int]
WEEKDAYS = {name: index for index, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
MONTHS = {
    name: index
    for index, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
#: 29 February falls on a given day of the week at least once in so many days, even around a year like 2100.
_SEARCH_DAYS = 366 * 41


class Field(NamedTuple):
    """One of the five fields.

    Attributes:
        name: Its name, as an argument of ``crontab``.
        low: Smallest value.
        high: Largest value.
        names: Words that stand for values, by their first three letters.
    """

    name: str
    low: int
    high: int
    names: Mapping[str, int]


#: In the order of ``crontab``'s arguments.
FIELDS = (
    Field("minute", 0, 59, {}),
    Field("hour", 0, 23, {}),
    Field("day_of_week", 0, 6, WEEKDAYS),
    Field("day_of_month", 1, 31, {}),
    Field("month_of_year", 1, 12, MONTHS),
)


class crontab_parser:
    """Parser of one field: ``*``, numbers, names, ranges (also over the end), steps, and lists of these.

    Args:
        max_: How many values there are.
        min_: The smallest value.
        names: Words that stand for values; None means days of the week and months.
    """

    ParseException = ParseException

    _RANGE = re.compile(r"(\w+)-(\w+)(?:/(\w*))?")
    _STAR = re.compile(r"\*(?:/(\w*))?")

    def __init__(self, max_: int = 60, min_: int = 0, names: Mapping[str, int] | None = None) -> None:
        self.max_ = max_
        self.min_ = min_
        self._names = {**WEEKDAYS, **MONTHS} if names is None else names

    def parse(self, spec: str) -> set[int]:
        """Returns the values a text means.

        Raises:
            ParseException: The text has no meaning.
            ScheduleError: A value is out of range, or a name is none.
        """
        return {value for part in spec.split(",") for value in self._part(part.strip())}

    def _part(self, part: str) -> Iterable[int]:
        if not part:
            raise ParseException("there is an empty part between its commas")
        star = self._STAR.fullmatch(part)
        if star:
            return range(self.min_, self.min_ + self.max_)[:: self._step(star[1])]
        ends = self._RANGE.fullmatch(part)
        if ends:
            return self._between(self._number(ends[1]), self._number(ends[2]))[:: self._step(ends[3])]
        if "/" in part:
            raise ParseException(f"{part!r} has a step without a range; write e.g. '*/15' or '5-59/10'")
        return (self._number(part),)

    def _between(self, first: int, last: int) -> list[int]:
        if first <= last:
            return list(range(first, last + 1))
        return [*range(first, self.min_ + self.max_), *range(self.min_, last + 1)]

    def _step(self, text: str | None) -> int:
        if text is None:
            return 1
        if not text:
            raise ParseException("the step after '/' is missing; write e.g. '*/15'")
        if not text.isdecimal() or int(text) == 0:
            raise ScheduleError(f"a step is a whole number from 1, not {text!r}")
        return int(text)

    def _number(self, text: str) -> int:
        if text.startswith("-"):
            raise ParseException(f"negative numbers are not supported: {text!r}")
        if text.isdecimal():
            return self.check(int(text))
        # Names by their first three letters, whatever follows: "mon", "Monday".
        found = self._names.get(text[:3].lower()) if text.isalpha() else None
        if found is None:
            words = f" or a name such as {', '.join(list(self._names)[:3])}" if self._names else ""
            raise ScheduleError(f"{text!r} is no number{words}")
        return self.check(found)

    def check(self, value: object) -> int:
        """Returns a value that is in range.

        Raises:
            ScheduleError: It is not; the message says what the range is.
        """
        if not isinstance(value, int) or isinstance(value, bool):
            raise ScheduleTypeError(f"its values are whole numbers, not {value!r}")
        last = self.min_ + self.max_ - 1
        if not self.min_ <= value <= last:
            hint = "; Sunday is 0" if (self.min_, last, value) == (0, 6, 7) else ""
            raise ScheduleError(f"{value} is out of range: allowed is {self.min_} to {last}{hint}")
        return value


def expand(field: Field, spec: Spec | None) -> set[int]:
    """Returns the values that a field's text, number or list of numbers means; None means all.

    Raises:
        ScheduleError: It means none; the message names the field. A `ParseException` for a text without meaning, a
            `ScheduleTypeError` for a value of a wrong type.
    """
    parser = crontab_parser(field.high - field.low + 1, field.low, field.names)
    try:
        if spec is None:
            return parser.parse("*")
        if isinstance(spec, str):
            return parser.parse(spec)
        if isinstance(spec, int):
            return {parser.check(spec)}
        if not _iterable(spec):
            raise ScheduleTypeError(f"it is a text, a number or a list of numbers, not {spec!r}")
        values = {parser.check(value) for value in spec}
        if not values:
            raise ScheduleError("an empty list never occurs; leave the field out for 'every'")
    except ScheduleError as error:
        raise type(error)(f"crontab field {field.name}={spec!r}: {error}") from None
    return values


def _iterable(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, Mapping))


class Cron(NamedTuple):
    """The values of all five fields; a moment is a tick when each has its value there."""

    minute: set[int]
    hour: set[int]
    day_of_week: set[int]
    day_of_month: set[int]
    month_of_year: set[int]

    def check_dates(self) -> None:
        """Raises `ScheduleError` when no day of any year is meant."""
        first = min(self.day_of_month)
        if all(first > _DAYS_IN_MONTH[month - 1] for month in self.month_of_year):
            months, days = sorted(self.month_of_year), sorted(self.day_of_month)
            raise ScheduleError(
                f"crontab fields day_of_month and month_of_year exclude each other: day {days} never occurs in "
                f"month {months}"
            )

    def following(self, after: datetime, zone: tzinfo) -> datetime:
        """Returns the first tick after a moment.

        Args:
            after: An aware datetime.
            zone: Whose wall clock the fields mean.
        """
        start = after.astimezone(UTC)
        for day in self._days(after.astimezone(zone).date()):
            for moment in self._ticks(day, zone, start):
                if moment > start:
                    return moment.astimezone(zone)
        raise ScheduleError(f"the crontab has no tick after {after}")  # beyond the calendar's last year

    def _days(self, start: date) -> Iterator[date]:
        for step in range(_SEARCH_DAYS):
            try:
                day = start + timedelta(days=step)
            except OverflowError:
                return
            if (
                day.month in self.month_of_year
                and day.day in self.day_of_month
                and day.isoweekday() % 7 in self.day_of_week
            ):
                yield day

    def _ticks(self, day: date, zone: tzinfo, start: datetime) -> Iterator[datetime]:
        """Returns moments of a day in their order; those before the start may be left out."""
        midnight = datetime.combine(day, time.min)
        ends = (midnight.replace(tzinfo=zone), (midnight + timedelta(days=1)).replace(tzinfo=zone, fold=1))
        offsets = {end.replace(fold=fold).utcoffset() for end in ends for fold in (0, 1)}
        walls = (
            midnight.replace(hour=hour, minute=minute) for hour in sorted(self.hour) for minute in sorted(self.minute)
        )
        if len(offsets) == 1:
            offset = offsets.pop() or timedelta(0)
            first = (start + offset).replace(tzinfo=None)
            return ((wall - offset).replace(tzinfo=UTC) for wall in walls if wall >= first)
        both = len(self.hour) == 24
        return iter(sorted({moment for wall in walls for moment in moments(wall, zone, both)}))


def moments(wall: datetime, zone: tzinfo, both: bool) -> tuple[datetime, ...]:
    """Returns when a wall clock shows a time, in UTC: the end of the gap for a time that is skipped.

    Args:
        wall: A naive datetime.
        zone: Whose clock.
        both: True gives both moments of a time that comes twice.
    """
    early, late = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    before, after = early.utcoffset() or timedelta(0), late.utcoffset() or timedelta(0)
    first, second = (wall - before).replace(tzinfo=UTC), (wall - after).replace(tzinfo=UTC)
    if before == after:
        return (first,)
    if before > after:
        return (first, second) if both else (first,)
    return (_change(zone, second, first),)


def _change(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """Returns the first moment, to the second, at which the offset of ``high`` holds."""
    offset = high.astimezone(zone).utcoffset()
    gap = int((high - low).total_seconds())
    below, above = 0, gap
    while above - below > 1:
        middle = (below + above) // 2
        same = (low + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset
        below, above = (below, middle) if same else (middle, above)
    return low + timedelta(seconds=above)


def as_zone(zone: str | tzinfo | None) -> tzinfo | None:
    """Returns a time zone by its name; what is one already, and None, stay as they are.

    Raises:
        ScheduleError: There is no such zone.
    """
    if zone is None or isinstance(zone, tzinfo):
        return zone
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError, TypeError) as error:
        raise ScheduleError(f"there is no time zone {zone!r}; use a name such as 'Europe/Berlin' or 'UTC'") from error


def latest(following: Callable[[datetime], datetime], last: datetime, now: datetime) -> datetime | None:
    """Returns the last tick after ``last`` that is not after ``now``, without a walk through all of them.

    Args:
        following: Gives the first tick after a moment.
        last: Ticks up to here do not count.
        now: Ticks after this do not count.
    """
    tick = following(last)
    if tick > now:
        return None
    end = now
    while True:
        # Ticks grow with the moment they are asked for: halve what lies between the last one known and the present.
        later = following(tick)
        if later > now:
            return tick
        middle = later + (end - later) / 2
        found = following(middle)
        if found > now:
            tick, end = later, middle
        else:
            tick = found


def kept(spec: Any) -> Any:
    """Returns a field so that it can be read more than once: an iterator would be empty the second time."""
    if spec is None:
        return "*"
    if isinstance(spec, (str, int, bytes, Mapping)) or not hasattr(spec, "__iter__"):
        return spec
    values = list(spec)
    return sorted(values) if all(isinstance(one, int) for one in values) else values
