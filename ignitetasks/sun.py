"""When the sun does what, computed by `ephem`; imported by `deferred`, where a solar schedule is made.

This file must stay the only one that knows `ephem`. Where an event does not happen every day, as beyond the polar
circles, the search goes on for a year.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import ephem

_SEARCH_DAYS = 366
# The search ends within a fifth of a second, not always on the same side: whole seconds, and one may differ.
_SAME = timedelta(seconds=1.5)


class Event(NamedTuple):
    """How an event is found.

    Attributes:
        method: The observer's method.
        horizon: Height of the horizon in degrees and minutes.
        center: True measures from the middle of the disc.
    """

    method: str
    horizon: str
    center: bool


EVENTS = {
    "dawn_astronomical": Event("next_rising", "-18", True),
    "dawn_nautical": Event("next_rising", "-12", True),
    "dawn_civil": Event("next_rising", "-6", True),
    "sunrise": Event("next_rising", "-0:34", False),
    "solar_noon": Event("next_transit", "0", False),
    "sunset": Event("next_setting", "-0:34", False),
    "dusk_civil": Event("next_setting", "-6", True),
    "dusk_nautical": Event("next_setting", "-12", True),
    "dusk_astronomical": Event("next_setting", "-18", True),
}


def following(event: str, latitude: float, longitude: float, after: datetime) -> datetime | None:
    """Returns the first time of an event after a moment, in UTC and whole seconds; None if there is none within a year.

    An event up to a second and a half after the moment is taken for the one that the moment is: a time that was
    returned is never returned once more when the next one is asked for.

    Args:
        event: A key of ``EVENTS``.
        latitude: Degrees, north positive.
        longitude: Degrees, east positive.
        after: An aware datetime.
    """
    how = EVENTS[event]
    observer = ephem.Observer()
    observer.lat, observer.lon, observer.elev, observer.pressure = str(latitude), str(longitude), 0, 0
    observer.horizon = how.horizon
    extra: dict[str, Any] = {"use_center": True} if how.center else {}
    sun = ephem.Sun()
    start = ephem.Date(after.astimezone(timezone.utc).replace(tzinfo=None))
    for _ in range(_SEARCH_DAYS):
        try:
            found = getattr(observer, how.method)(sun, start=start, **extra)
        except ephem.CircumpolarError:
            start = observer.next_antitransit(sun, start=start)
        else:
            moment: datetime = (found.datetime() + timedelta(seconds=0.5)).replace(microsecond=0, tzinfo=timezone.utc)
            if moment - after > _SAME:
                return moment
            start = ephem.Date(found + ephem.hour)
    return None
