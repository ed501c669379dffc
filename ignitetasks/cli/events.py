"""``ignitetasks events``: watch tasks and workers live, print events, or let a camera take pictures.

Must not know where events come from: see ``app.events``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ignitetasks.app import IgniteTasks
from ignitetasks.cli import celery_words, render
from ignitetasks.cli.appoptions import Command
from ignitetasks.cli.celery_words import no_effect
from ignitetasks.cli.options import app_of, app_option, common, instance_options
from ignitetasks.events import NOW, OLDEST
from ignitetasks.events.snapshot import evcam
from ignitetasks.events.state import State

_REFRESH_SECONDS = 0.25
_SHOWN_TASKS = 25


class _Since(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "cursor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Returns a cursor."""
        words = {"now": NOW, "oldest": OLDEST}
        if value in words:
            return words[value]
        try:
            return int(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is neither now, oldest nor the number of an event", param, ctx)


def _service_words(command: Callable[..., Any]) -> Callable[..., Any]:
    for words in (("--pidfile",), ("--uid",), ("--gid",), ("--umask",), ("--executable",), ("-f", "--logfile")):
        command = no_effect(*words, why=celery_words.WATCHING)(command)
    command = no_effect("--detach", why=celery_words.WATCHING, is_flag=True)(command)
    return no_effect("-l", "--loglevel", why="it logs nothing, it shows what it hears")(command)


@click.command(cls=Command)
@app_option
@click.option("-d", "--dump", is_flag=True, help="Print each event as a line.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@click.option("-c", "--camera", metavar="MODULE.CLASS", help="Take pictures with this camera.")
@click.option(
    "-F",
    "--frequency",
    "--freq",
    "frequency",
    type=float,
    default=1.0,
    show_default=True,
    help="Seconds between two pictures.",
)
@click.option("-r", "--maxrate", metavar="RATE", help="Most pictures: 10/m, or a number a second.")
@click.option(
    "--since",
    type=_Since(),
    default="now",
    show_default=True,
    help="Begin at now, oldest, or behind an event's number.",
)
@click.option("--type", "types", default="#", metavar="TYPE", help="Only these: task.failed, task.#, worker.#.")
@click.option("-n", "--limit", type=int, metavar="N", help="End after so many events.")
@click.option("--timeout", type=float, metavar="SECONDS", help="End when none came for so long.")
@instance_options
@_service_words
@click.pass_context
def events(
    context: click.Context,
    /,
    place: str | None,
    dump: bool,
    as_json: bool,
    camera: str | None,
    frequency: float,
    maxrate: str | None,
    since: int,
    types: str,
    limit: int | None,
    timeout: float | None,
    **where: Any,
) -> None:
    """Watch what tasks and workers do. Events must be on: `worker -E`, or `ignitetasks control enable_events`."""
    if place is None and common(context).place is None:
        app: Any = IgniteTasks("cli")
        app.configure(**where)
    else:
        app = app_of(context, place, **where)
    if camera is not None:
        evcam(camera, freq=frequency, maxrate=maxrate, app=app)
        return
    receiver = app.events.Receiver(routing_key=types, since=since)
    try:
        if as_json or dump or not sys.stdout.isatty():
            for event in receiver.itercapture(limit, timeout):
                click.echo(json.dumps(event, default=str) if as_json else line(event))
                sys.stdout.flush()
        else:
            _watch(app, receiver, limit, timeout)
    except TimeoutError:
        return
    finally:
        app.close()


def line(event: dict[str, Any]) -> str:
    """Words an event in one line: its number, time, worker, type, task, and the rest."""
    event = dict(event)
    head = [str(event.pop("seq", "")), time.strftime("%H:%M:%S", time.localtime(event.pop("timestamp", 0)))]
    head += [str(event.pop(name, "-") or "-") for name in ("hostname", "type")]
    if "uuid" in event:
        head.append(f"{event.pop('name', None) or ''}[{event.pop('uuid')}]")
    hidden = ("clock", "utcoffset", "local_received", "pid", "traceback")
    rest = (f"{name}={value}" for name, value in event.items() if name not in hidden and value is not None)
    return " ".join([*head, *rest]).replace("\n", " ")


def _watch(app: Any, receiver: Any, limit: int | None, timeout: float | None) -> None:
    state = app.events.State()
    receiver.handlers = {"*": state.event}
    drawn = 0.0
    with Live(picture(state), console=render.console(), auto_refresh=False, screen=True) as live:
        for _ in receiver.itercapture(limit, timeout):
            if time.monotonic() - drawn > _REFRESH_SECONDS:
                drawn = time.monotonic()
                live.update(picture(state), refresh=True)
        live.update(picture(state), refresh=True)


def picture(state: State) -> Group:
    """Draws workers and the latest tasks.

    Args:
        state: What is known of them.
    """
    workers = Table(title="Workers", title_justify="left", title_style="bold")
    for name in ("worker", "state", "running", "ended", "heard of"):
        workers.add_column(name)
    for worker in state.workers.values():
        heard = render.duration((time.time() - worker.heartbeats[-1]) * 1000) if worker.heartbeats else "-"
        style = "green" if worker.alive else "red"
        numbers = (str(worker.active or 0), str(worker.processed or 0), heard)
        workers.add_row(Text(str(worker.hostname)), Text(worker.status_string, style), *map(Text, numbers))
    tasks = Table(title="Tasks", title_justify="left", title_style="bold")
    for name in ("time", "task", "id", "worker", "state", "took"):
        tasks.add_column(name)
    for uuid, task in state.tasks_by_time(_SHOWN_TASKS):
        cells = (
            time.strftime("%H:%M:%S", time.localtime(task.timestamp or 0)),
            str(task.name or "-"),
            uuid,
            str(task.worker.hostname if task.worker else "-"),
        )
        took = render.duration(task.runtime * 1000) if task.runtime is not None else "-"
        tasks.add_row(*map(Text, cells), render.state_text(task.state), Text(took))
    return Group(workers, tasks, Text(f"{state.event_count} events; Ctrl-C ends", "dim"))
