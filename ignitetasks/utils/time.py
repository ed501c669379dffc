"""Times and spans: read, rounded, said in words, and pauses that grow. Must not wait or ask a clock of the cluster."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

__all__ = [
    "adjust_timestamp", "delta_resolution", "get_exponential_backoff_interval", "humanize_seconds", "is_naive",
    "localize", "make_aware", "maybe_iso8601", "maybe_make_aware", "maybe_timedelta", "rate", "remaining",
    "timezone", "to_utc", "utcoffset", "weekday",
]  # fmt: skip

_RATE_SECONDS = {"s": 1, "m": 60, "h": 3600}
_UNITS = ((86400.0, "day", "{:.2f}"), (3600.0, "hour", "{:.2f}"), (60.0, "minute", "{:.2f}"), (1.0, "second", "{:.2f}"))
_WEEKDAYS = {name: index for index, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}


def maybe_timedelta(delta: Any) -> Any:
    """Returns a span for a number of seconds; anything else as it is."""
    return timedelta(seconds=delta) if isinstance(delta, (int, float)) else delta


def delta_resolution(dt: datetime, delta: timedelta) -> datetime:
    """Returns a time rounded down to the unit a span is measured in: days, hours, minutes or seconds."""
    seconds = max(delta.total_seconds(), 0)
    for limit, unit in ((86400, 3), (3600, 4), (60, 5)):
        if seconds > limit:
            return datetime(*dt.timetuple()[:unit], tzinfo=dt.tzinfo)  # type: ignore[arg-type,misc]
    return dt


def remaining(start: datetime, ends_in: timedelta, now: datetime | None = None, relative: bool = False) -> timedelta:
    """Returns the time until ``start + ends_in``; negative when it is over.

    Args:
        start: When it began.
        ends_in: How long it lasts.
        now: The present; None asks the clock.
        relative: True rounds the end as `delta_resolution` does.
    """
    now = now or datetime.now(timezone.utc if start.tzinfo else None)
    end = start + ends_in
    return (delta_resolution(end, ends_in).replace(microsecond=0) if relative else end) - now


def rate(r: Any) -> float:
    """Returns a limit such as ``"10/m"`` or a number as calls a second; 0 for none."""
    if not r:
        return 0.0
    if isinstance(r, (int, float)):
        return float(r)
    calls, _, unit = r.partition("/")
    return float(calls) / _RATE_SECONDS[unit or "s"]


def weekday(name: str) -> int:
    """Returns the number of a day by its first three letters; Sunday is 0.

    Raises:
        KeyError: There is no such day.
    """
    abbreviation = name[:3].lower()
    try:
        return _WEEKDAYS[abbreviation]
    except KeyError:
        raise KeyError(name) from None


def humanize_seconds(secs: float, prefix: str = "", sep: str = "", now: str = "now", microseconds: bool = False) -> str:
    """Returns a span in words: ``"1.50 minutes"``."""
    secs = float(format(float(secs), ".2f"))
    for size, unit, form in _UNITS:
        if secs >= size:
            count = secs / size
            return f"{prefix}{sep}{form.format(count)} {unit}{'s' if count > 1 else ''}"
    if microseconds and secs > 0.0:
        return f"{prefix}{sep}{secs:.2f} seconds"
    return now


def maybe_iso8601(dt: Any) -> datetime | None:
    """Returns a time for its ISO 8601 text; a time and None as they are."""
    if not dt or isinstance(dt, datetime):
        return dt or None
    return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", dt))


def is_naive(dt: datetime) -> bool:
    """Tells whether a time says nothing about its zone."""
    return dt.tzinfo is None or dt.tzinfo.utcoffset(dt) is None


def make_aware(dt: datetime, tz: tzinfo) -> datetime:
    """Returns a naive time as one of a zone; one that a change of the clock leaves out is moved to what there is."""
    aware = dt.replace(tzinfo=tz)
    if not isinstance(tz, ZoneInfo):
        return aware
    there = aware.astimezone(timezone.utc).astimezone(tz)
    return aware if there.replace(tzinfo=None) == dt.replace(tzinfo=None) else there


def localize(dt: datetime, tz: tzinfo) -> datetime:
    """Returns a time in another zone."""
    return (make_aware(dt, timezone.utc) if is_naive(dt) else dt).astimezone(tz)


def to_utc(dt: datetime) -> datetime:
    """Returns a naive time as one of UTC."""
    return make_aware(dt, timezone.utc)


def maybe_make_aware(dt: datetime, tz: tzinfo | str | None = None, naive_as_utc: bool = True) -> datetime:
    """Returns a time with a zone.

    Args:
        dt: The time; one that has a zone is returned as it is.
        tz: The zone it is shown in; None means UTC.
        naive_as_utc: True reads a naive time as UTC and moves it to the zone; False reads it in the zone.
    """
    if not is_naive(dt):
        return dt
    zone = ZoneInfo(tz) if isinstance(tz, str) else tz or timezone.utc
    return to_utc(dt).astimezone(zone) if naive_as_utc else make_aware(dt, zone)


def get_exponential_backoff_interval(
    factor: float, retries: int, maximum: float, full_jitter: bool = False, chance: Callable[[int], int] | None = None
) -> float:
    """Returns the pause before the next repeat: the factor, doubled at each repeat, up to a maximum.

    Args:
        factor: The first pause in seconds.
        retries: Repeats so far.
        maximum: Longest pause.
        full_jitter: True draws it evenly between 0 and its length.
        chance: Draws a whole number below its argument; None takes that of `random`.
    """
    pause = min(maximum, factor * 2.0**retries)
    if full_jitter:
        draw = chance or random.SystemRandom().randrange
        pause = draw(int(pause) + 1)
    return max(0, int(pause) if pause == int(pause) else pause)


def utcoffset() -> int:
    """Returns how many whole hours this machine's time lies behind UTC now; less than 0 where it is ahead."""
    seconds = time.altzone if time.localtime().tm_isdst else time.timezone
    return seconds // 3600


def adjust_timestamp(ts: float, offset: int, here: Callable[[], int] = utcoffset) -> float:
    """Returns a time of a machine elsewhere as this machine's clock would have shown it.

    Args:
        ts: Seconds since the epoch.
        offset: What `utcoffset` says there.
        here: Says it here.
    """
    return ts - (offset - here()) * 3600
