"""How a call of a schedule entry is sent, by a beat or by somebody's hand.

This file must not know when: see ``beat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Protocol

from ignitetasks import periodic
from ignitetasks.agenda import Agenda
from ignitetasks.baseschedule import ScheduleApp
from ignitetasks.canvas.scheduling import entry_call, queue_of_launch
from ignitetasks.canvas.steps import LAUNCH
from ignitetasks.errors import ScheduleError
from ignitetasks.ids import new_id
from ignitetasks.periodic import LazyCall, ScheduleEntry
from ignitetasks.transport.base import Transport


class BeatApp(ScheduleApp, Protocol):
    """What a beat needs of an application."""

    @property
    def name(self) -> str:
        """The application's name: its entries in code are known by it."""

    @property
    def settings(self) -> Any:
        """The settings of the instance."""

    @property
    def transport(self) -> Transport:
        """The way to the node."""

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The tasks that are known here."""

    def finalize(self) -> None:
        """Makes the application complete: who waits for its settings is told."""

    def send_task(self, name: str, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Sends a call by name."""


def wall_clock() -> datetime:
    """Returns the present."""
    return datetime.now(timezone.utc)


def queue_of(app: BeatApp, entry: ScheduleEntry) -> str:
    """Returns the queue an entry's ticks most likely go to, which is where their ids shall be at home."""
    task = app.tasks.get(str(entry.task))
    if entry.task == LAUNCH and not (entry.options or {}).get("queue"):
        return queue_of_launch(app, entry.kwargs or {})  # type: ignore[arg-type]  # an app sends, whatever BeatApp says
    chosen = (entry.options or {}).get("queue") or getattr(getattr(task, "options", None), "queue", None)
    return str(getattr(chosen, "name", chosen) or app.settings.default_queue)


def send(app: BeatApp, entry: ScheduleEntry, task_id: str, tick: datetime) -> Any:
    """Sends a call of an entry.

    Args:
        app: Through which.
        entry: What to call.
        task_id: Under which id.
        tick: When it was due; the task finds it in ``request.headers["scheduled_at"]``.
    """
    args, kwargs, options = call_of(app, entry, tick)
    return app.send_task(str(entry.task), args, kwargs, task_id=task_id, **options)


def call_of(app: BeatApp, entry: ScheduleEntry, tick: datetime) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Returns the arguments and options of one call of an entry; what is computed at each tick is computed now.

    Args:
        app: Through which it is sent.
        entry: What to call.
        tick: When it was due.
    """
    options = dict(entry.options or {})
    if entry.task == LAUNCH:
        options.setdefault("queue", queue_of(app, entry))
    told = {"periodic_task_name": entry.name, "scheduled_at": tick.isoformat()}
    options["headers"] = {**(options.get("headers") or {}), **told}
    args = [one() if isinstance(one, LazyCall) else one for one in entry.args or ()]
    kwargs = {name: one() if isinstance(one, LazyCall) else one for name, one in (entry.kwargs or {}).items()}
    return args, kwargs, options


def run_now(app: BeatApp, entry: ScheduleEntry) -> Any:
    """Sends a call of an entry at once, beside its ticks.

    Args:
        app: Through which.
        entry: The entry.

    Returns:
        The handle of the task.

    Raises:
        ScheduleError: Its arguments exist only in the code of another application.
    """
    if entry.in_code and entry.schedule is None:
        raise ScheduleError(f"schedule entry {entry.name!r} lives in code of {entry.owner!r}: run it with -A of that")
    return send(app, entry, new_id(queue_of(app, entry)), wall_clock())


class AppSchedule(Agenda):
    """The cluster's schedule as an application sees it: ``app.schedule``.

    Args:
        app: The application.
    """

    def __init__(self, app: BeatApp) -> None:
        super().__init__(app.transport, app.settings.namespace, app)
        self._sender = app

    def add(self, name: str, task: Any, schedule: Any, **more: Any) -> ScheduleEntry:
        """Adds an entry, or replaces one of the same name; beats take it up within a second.

        Args:
            name: Its name.
            task: A signature or canvas, a task, or the name of a task. A canvas starts once for each tick.
            schedule: Seconds, a timedelta, or a schedule.
            **more: ``args``, ``kwargs``, ``options``, ``relative``, ``catch_up``, ``enabled``; arguments are put in
                front of those of a signature, options win over its own.

        Returns:
            The entry.

        Raises:
            ScheduleError: Something is wrong; the message names it.
        """
        if isinstance(task, Mapping):
            args, kwargs, options = (more.pop(key, None) for key in ("args", "kwargs", "options"))
            more |= entry_call(task, args or (), kwargs, options or {})
            task = more.pop("task")
        return super().add(name, task, schedule, **more)

    def run(self, name: str) -> Any:
        """Sends the call of an entry at once, beside its ticks.

        Args:
            name: The entry's name.

        Returns:
            The handle of the task.

        Raises:
            ScheduleError: There is no such entry, or it lives in code of another application.
        """
        entry = self.get(name)
        mine = self._sender.conf.beat_schedule.get(name) if entry.in_code else None
        if mine is not None:
            entry = periodic.from_definition(name, mine, self._sender)
        return run_now(self._sender, entry)
