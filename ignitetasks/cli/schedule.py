"""The commands ``ignitetasks schedule ...``: look at the cluster's schedule and change it while beats run.

Must not know how entries are stored: see ``ignitetasks.agenda``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeVar

import click

from ignitetasks import periodic
from ignitetasks.app import IgniteTasks
from ignitetasks.cli import render
from ignitetasks.cli.options import app_of, app_option, common, instance_options, settings_of
from ignitetasks.schedules import crontab, solar
from ignitetasks.schedules import schedule as interval

F = TypeVar("F", bound=Callable[..., Any])

_NAME = click.argument("name")
_COLUMNS = ("name", "task", "schedule", "state", "last_run_at", "next_run_at", "total_run_count")


def _place(command: F) -> F:
    return instance_options(app_option(click.pass_context(command)))  # type: ignore[return-value]


def _definition(command: F) -> F:
    for option in (
        click.option("--every", type=float, metavar="SECONDS", help="At equal distances."),
        click.option("--cron", metavar="'M H DOM MON DOW'", help="By a crontab line, e.g. '0 4 * * mon-fri'."),
        click.option("--tz", metavar="ZONE", help="Time zone of --cron, e.g. Europe/Berlin."),
        click.option("--solar", "sun", metavar="EVENT,LAT,LON", help="By the sun, e.g. sunset,52.5,13.4."),
        click.option("--args", metavar="JSON", help="Positional arguments as a JSON list."),
        click.option("--kwargs", metavar="JSON", help="Keyword arguments as a JSON object."),
        click.option("--options", metavar="JSON", help='Options of each call, e.g. {"queue": "slow", "priority": 9}.'),
        click.option("--catch-up", metavar="latest|skip|N", help="What becomes of ticks no beat was there for."),
    ):
        command = option(command)
    return command


def _app(context: click.Context, place: str | None, where: dict[str, Any]) -> IgniteTasks:
    """Returns the application that is named, or one that stands for none."""
    if place is None and common(context).place is None:
        return IgniteTasks("ignitetasks", settings=settings_of(**where), set_as_current=False)
    app: IgniteTasks = app_of(context, place, **where)
    return app


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Turns what was typed into parts of an entry.

    Raises:
        UsageError: A value cannot be read, or there is more than one schedule.
    """
    changes: dict[str, Any] = {}
    whens = [name for name in ("every", "cron", "sun") if given[name] is not None]
    if len(whens) > 1:
        raise click.UsageError("give one of --every, --cron and --solar")
    if given["tz"] is not None and given["cron"] is None:
        raise click.UsageError("--tz goes with --cron")
    if given["every"] is not None:
        changes["schedule"] = interval(given["every"])
    elif given["cron"] is not None:
        changes["schedule"] = crontab.from_string(given["cron"], tz=given["tz"])
    elif given["sun"] is not None:
        changes["schedule"] = _solar(given["sun"])
    for name, kind in (("args", list), ("kwargs", dict), ("options", dict)):
        if given[name] is not None:
            changes[name] = _json(name, given[name], kind)
    rule = given["catch_up"]
    if rule is not None:
        changes["catch_up"] = int(rule) if rule.isdecimal() else rule
    return changes


def _where(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("cluster", "data_dir", "namespace")}


def _solar(text: str) -> solar:
    event, _, place = text.partition(",")
    try:
        latitude, longitude = (float(part) for part in place.split(","))
    except ValueError:
        raise click.UsageError("--solar takes EVENT,LAT,LON, e.g. sunset,52.5,13.4") from None
    return solar(event, latitude, longitude)


def _json(name: str, text: str, kind: type) -> Any:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"--{name} is no JSON: {error}") from None
    if not isinstance(value, kind):
        raise click.UsageError(f"--{name} must be a JSON {'list' if kind is list else 'object'}, not {text}")
    return value


@click.group()
def schedule() -> None:
    """The cluster's periodic tasks."""


@schedule.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_place
def list_(context: click.Context, /, as_json: bool, place: str | None, **where: str | None) -> None:
    """Show all entries, with their last and next runs."""
    with _app(context, place, where) as app:
        now = datetime.now(timezone.utc)
        rows = [periodic.facts(entry, now) for entry in app.schedule.list()]
    if as_json:
        render.echo_json(rows)
    else:
        render.show_rows(rows, _COLUMNS, "Schedule")


@schedule.command()
@_NAME
@click.argument("task")
@_definition
@_place
def add(context: click.Context, /, name: str, task: str, place: str | None, **given: Any) -> None:
    """Add an entry, or replace the one of this name."""
    changes = _changes(given)
    if "schedule" not in changes:
        raise click.UsageError("give one of --every, --cron and --solar")
    with _app(context, place, _where(given)) as app:
        _show(app, app.schedule.add(name, task, changes.pop("schedule"), **changes))


@schedule.command("set")
@_NAME
@click.option("--task", metavar="NAME", help="Name of the task.")
@_definition
@_place
def set_(context: click.Context, /, name: str, task: str | None, place: str | None, **given: Any) -> None:
    """Change parts of an entry."""
    changes = _changes(given) | ({"task": task} if task else {})
    if not changes:
        raise click.UsageError("give what is to change, e.g. --every 60")
    with _app(context, place, _where(given)) as app:
        _show(app, app.schedule.set(name, **changes))


@schedule.command()
@_NAME
@_place
def pause(context: click.Context, /, name: str, place: str | None, **where: str | None) -> None:
    """Send no ticks of an entry until it is resumed."""
    with _app(context, place, where) as app:
        _show(app, app.schedule.pause(name))


@schedule.command()
@_NAME
@_place
def resume(context: click.Context, /, name: str, place: str | None, **where: str | None) -> None:
    """End the pause of an entry; ticks of the pause are not sent."""
    with _app(context, place, where) as app:
        _show(app, app.schedule.resume(name))


@schedule.command()
@_NAME
@_place
def remove(context: click.Context, /, name: str, place: str | None, **where: str | None) -> int:
    """Remove an entry. One of code comes back when a beat starts: pause it instead."""
    with _app(context, place, where) as app:
        there = app.schedule.remove(name)
    click.echo(f"{name}: removed" if there else f"{name}: there is no such entry")
    return 0 if there else 1


@schedule.command()
@_NAME
@_place
def run(context: click.Context, /, name: str, place: str | None, **where: str | None) -> None:
    """Send the call of an entry now, beside its ticks."""
    with _app(context, place, where) as app:
        click.echo(app.schedule.run(name).id)


def _show(app: IgniteTasks, entry: Any) -> None:
    facts = periodic.facts(entry, app.schedule.now())
    state, following = facts["state"], facts["next_run_at"] or "-"
    click.echo(f"{entry.name}: {state}, {facts['schedule']}, next run {following}")
