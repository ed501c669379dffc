"""The part of an application that has to do with periodic tasks: `add_periodic_task` and the cluster's schedule.

This file must not send ticks: see ``beat``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import deferred, log
from ignitetasks.canvas.scheduling import entry_call, entry_name

_log = log.get_logger("periodic")


class Periodic:
    """Periodic tasks of an application."""

    conf: Any
    configured: Any
    on_after_configure: Any

    @property
    def schedule(self) -> Any:
        """The entries that all beats of the cluster work on: list, add, set, pause, resume, remove, run.

        See `ignitetasks.ticks.AppSchedule`.
        """
        return deferred.load("schedule").AppSchedule(self)

    def add_periodic_task(
        self,
        schedule: Any,
        sig: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        **opts: Any,
    ) -> str:
        """Adds an entry to ``conf.beat_schedule``; a beat of this application brings it into the cluster.

        Args:
            schedule: Seconds, a timedelta, or a schedule.
            sig: A signature or canvas, a task, or the name of a task. A canvas starts once for each tick.
            args: Positional arguments before those of the signature.
            kwargs: Keyword arguments beside those of the signature.
            name: Name of the entry; None makes one of the call.
            **opts: As for ``apply_async``; also ``catch_up``.

        Returns:
            The entry's name.

        Raises:
            ScheduleError: ``sig`` is none of these, or a canvas that is empty or has ids already.
        """
        rule = {"catch_up": opts.pop("catch_up")} if "catch_up" in opts else {}
        entry = {"schedule": schedule, **entry_call(sig, tuple(args), kwargs, opts), **rule}
        key = name or entry_name(sig)
        if self.configured:
            self._add_periodic(key, entry, name is not None)
        else:
            # A configuration that is still to be read must not be replaced by this one entry.
            self.conf.once_read(lambda: self._add_periodic(key, entry, name is not None))
        return key

    def _add_periodic(self, label: str, entry: Mapping[str, Any], named: bool) -> None:
        if not named and label in self.conf.beat_schedule:
            _log.warning("a periodic task takes the place of another one without a name; name each", entry=label)
        self.conf.beat_schedule = {**self.conf.beat_schedule, label: entry}
