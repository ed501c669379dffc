"""Crontabs around changes of the clock, against a list of wall minutes made without the code that is tested."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ignitetasks.schedules import crontab

UTC = timezone.utc
MINUTE = timedelta(minutes=1)
# Changes of an hour and of half an hour, at midnight and in the middle of the night, north and south, one of a day.
ZONES = [
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Beirut",
    "America/St_Johns", "Pacific/Apia", "Atlantic/Azores", "Asia/Tehran",
]  # fmt: skip


@functools.cache
def changes(zone: str) -> list[datetime]:
    """Returns the hours, in UTC, in which a zone's clock changed, 2011 to 2024."""
    here, day = ZoneInfo(zone), timedelta(days=1)
    found = []
    for number in range(14 * 365):
        start = datetime(2011, 1, 1, tzinfo=UTC) + number * day
        if start.astimezone(here).utcoffset() != (start + day).astimezone(here).utcoffset():
            hours = [start + timedelta(hours=hour) for hour in range(25)]
            offsets = [hour.astimezone(here).utcoffset() for hour in hours]
            found += [hour for hour, a, b in zip(hours, offsets, offsets[1:], strict=False) if a != b]
    return found


def expected(one: crontab, every_hour: bool, start: datetime, end: datetime) -> list[datetime]:
    """Returns the ticks between two moments: each wall minute that fits, when the clock on the wall shows it."""
    found = set()
    wall = (start.astimezone(one.tz) - timedelta(days=2)).replace(tzinfo=None, second=0, microsecond=0)
    last = (end.astimezone(one.tz) + timedelta(days=2)).replace(tzinfo=None)
    while wall < last:
        if fits(one, wall):
            found.update(shown(wall, one.tz, every_hour))
        wall += MINUTE
    return sorted(tick for tick in found if start < tick <= end)


def fits(one: crontab, wall: datetime) -> bool:
    return (
        wall.minute in one.minute
        and wall.hour in one.hour
        and wall.isoweekday() % 7 in one.day_of_week
        and wall.day in one.day_of_month
        and wall.month in one.month_of_year
    )


def shown(wall: datetime, zone: ZoneInfo, every_hour: bool) -> list[datetime]:
    both = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    real = [moment for moment in both if moment.astimezone(zone).replace(tzinfo=None) == wall]
    if real:
        return real if every_hour else real[:1]
    # The wall never shows it: the first moment after the gap, found minute by minute.
    moment = min(both)
    while moment.astimezone(zone).replace(tzinfo=None) < wall:
        moment += MINUTE
    return [moment]


_FIELDS = st.fixed_dictionaries(
    {
        "minute": st.one_of(st.just("*/20"), st.sets(st.integers(0, 59), min_size=1, max_size=3)),
        "hour": st.one_of(
            st.just("*"), st.sets(st.integers(0, 4), min_size=1), st.sets(st.integers(0, 23), min_size=1)
        ),
        "day_of_week": st.one_of(st.just("*"), st.sets(st.integers(0, 6), min_size=3)),
        "day_of_month": st.one_of(st.just("*"), st.sets(st.integers(1, 31), min_size=9)),
    }
)


@settings(deadline=None, max_examples=100)
@given(_FIELDS, st.sampled_from(ZONES), st.integers(0, 10_000), st.integers(0, 40 * 60))
def test_ticks_around_a_change_are_the_minutes_the_wall_shows(fields, zone, which, before):
    one = crontab(**fields, tz=zone)
    change = changes(zone)[which % len(changes(zone))]
    start = change - before * MINUTE
    end = start + timedelta(days=2)
    found, moment = [], start
    while (tick := one.next_after(moment)) is not None and tick.astimezone(UTC) <= end:
        moment = tick.astimezone(UTC)
        found.append(moment)
    assert found == expected(one, len(one.hour) == 24, start, end)
