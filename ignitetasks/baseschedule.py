"""What all schedules share: the application whose clock and time zone count, and how a tick follows another.

This file must not know the kinds of schedules.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple, Protocol

from ignitetasks import _state
from ignitetasks.cron import as_zone
from ignitetasks.utils.time import maybe_make_aware

UTC = timezone.utc


class ScheduleApp(Protocol):
    """What a schedule asks its application."""

    @property
    def timezone(self) -> tzinfo:
        """Whose wall clock crontabs mean."""

    @property
    def conf(self) -> Any:
        """The settings."""

    def now(self) -> datetime:
        """The present."""


class schedstate(NamedTuple):
    """An answer of ``is_due``.

    Attributes:
        is_due: True when the task is to run now.
        next: Seconds until the next look.
    """

    is_due: bool
    next: float


class BaseSchedule:
    """What all schedules share; a schedule of your own overrides `next_after`, or `is_due`.

    Args:
        nowfun: Gives the present; None means the application's clock.
        app: The application whose time zone counts; None means the current one, or UTC where there is none.
        tz: A time zone of this schedule's own, or its name.
    """

    # Also of a class of one's own that makes itself without asking this one.
    nowfun: Callable[[], datetime] | None = None
    _app: ScheduleApp | None = None
    _tz: tzinfo | None = None

    def __init__(
        self,
        nowfun: Callable[[], datetime] | None = None,
        app: ScheduleApp | None = None,
        tz: str | tzinfo | None = None,
    ) -> None:
        self.nowfun = nowfun
        self._app = app
        # A class of one's own may have set its zone before it comes here.
        self._tz = as_zone(tz) or self._tz

    @property
    def app(self) -> ScheduleApp | None:
        """The application whose time zone and clock count."""
        return self._app or _state.existing_app()

    @app.setter
    def app(self, app: ScheduleApp | None) -> None:
        self._app = app

    @property
    def own_zone(self) -> tzinfo | None:
        """The time zone that was given to this schedule itself."""
        return self._tz

    @property
    def tz(self) -> tzinfo:
        """The time zone whose wall clock counts: the schedule's own, or the application's. It can be set."""
        if self._tz is not None:
            return self._tz
        app = self.app
        return UTC if app is None else as_zone(app.timezone) or UTC

    @tz.setter
    def tz(self, zone: str | tzinfo | None) -> None:
        self._tz = as_zone(zone)

    def now(self) -> datetime:
        """Returns the present, aware."""
        if self.nowfun is not None:
            return self.maybe_make_aware(self.nowfun())
        app = self.app
        return datetime.now(UTC) if app is None else self.maybe_make_aware(app.now())

    @property
    def utc_enabled(self) -> bool:
        """Whether moments without a zone mean UTC: always."""
        return True

    def maybe_make_aware(self, dt: datetime, naive_as_utc: bool = True) -> datetime:
        """Returns a naive datetime in the schedule's time zone, and one that has a zone as it is.

        Args:
            dt: Any datetime.
            naive_as_utc: What a naive one is: True means UTC, False means time of the schedule's zone.
        """
        return maybe_make_aware(dt, self.tz, naive_as_utc)

    def to_local(self, dt: datetime) -> datetime:
        """Returns a datetime in the schedule's time zone."""
        return self.maybe_make_aware(dt).astimezone(self.tz)

    def next_after(self, last: datetime) -> datetime | None:
        """Returns the first tick after a moment; None if there is none to be foreseen.

        The same answer at all times and in all processes is what lets a tick fire once. A schedule that only says
        whether it is due gets its ticks from there.
        """
        return self.now() + self.remaining_estimate(last)

    def last_tick(self, after: datetime, until: datetime) -> datetime | None:
        """Returns the last tick after one moment that is not after another; None if there is none.

        Args:
            after: A tick, or the time the schedule began.
            until: Mostly the present.
        """
        found, tick = None, self.next_after(after)
        while tick is not None and tick <= until:
            found, tick = tick, self.next_after(tick)
        return found

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """Returns how long it is until the tick after ``last_run_at``; negative when it is past."""
        tick = self.next_after(self.to_local(last_run_at))
        now = self.now()
        return timedelta(days=1) if tick is None else tick.astimezone(UTC) - now.astimezone(UTC)

    def is_due(self, last_run_at: datetime) -> tuple[bool, float]:
        """Returns whether a tick is due, and the seconds until the next look."""
        left = self.remaining_estimate(last_run_at).total_seconds()
        if left > 0:
            return schedstate(False, left)
        return schedstate(True, max(self.remaining_estimate(self.now()).total_seconds(), 0))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseSchedule):
            return other.nowfun == self.nowfun
        return NotImplemented
