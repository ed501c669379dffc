"""Commands around an application: call a task, list what there is, report, a Python shell.

Must not run tasks.
"""

from __future__ import annotations

import code
import importlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from ignitetasks import control, deferred
from ignitetasks.app import IgniteTasks
from ignitetasks.cli import render
from ignitetasks.cli.appoptions import Command
from ignitetasks.cli.celery_words import no_effect
from ignitetasks.cli.options import app_of, app_option, common, instance_options
from ignitetasks.owntasks import is_own

#: What the shell has beside the application and its tasks.
_SHELL_NAMES = (
    "Task", "chain", "chord", "chunks", "group", "signature", "subtask", "xmap", "xstarmap",
)  # fmt: skip


class _Json(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    def __init__(self, kind: type, words: str) -> None:
        self.name = words
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the value that some JSON says."""
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"{value!r} is no JSON: {error}", param, ctx)
        if not isinstance(found, self._kind):
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return found


class _When(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns a number of seconds or a point in time."""
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
        try:
            return datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            self.fail(
                f"{value!r} is neither a number of seconds nor a time such as 2030-01-31T12:00:00+00:00", param, ctx
            )


def _app(context: click.Context, place: str | None, where: Mapping[str, Any]) -> Any:
    if place is not None or common(context).place is not None:
        return app_of(context, place, **where)
    app = IgniteTasks("cli")
    app.configure(**where)
    return app


@click.command(cls=Command)
@click.argument("name")
@app_option
@click.option("-a", "--args", "args", type=_Json(list, "a list in JSON"), default="[]", help="Positional arguments.")
@click.option("-k", "--kwargs", "kwargs", type=_Json(dict, "a map in JSON"), default="{}", help="Keyword arguments.")
@click.option("--eta", type=_When(), help="When to run it, in ISO 8601.")
@click.option("--countdown", type=float, metavar="SECONDS", help="Run it after so long.")
@click.option("--expires", type=_When(), help="Do not start it after this time, or so many seconds.")
@click.option("--serializer", help="Encoding of the arguments.")
@click.option("--queue", metavar="NAME", help="Queue to send it to.")
@click.option("--priority", type=int, help="0 to 255, the larger the sooner.")
@click.option("--exchange", hidden=True)
@click.option("--routing-key", hidden=True)
@instance_options
@click.pass_context
def call(
    context: click.Context,
    /,
    name: str,
    place: str | None,
    args: Any,
    kwargs: Any,
    exchange: Any,
    routing_key: Any,
    **given: Any,
) -> None:
    """Send a task by its name and print its id."""
    where = {one: given.pop(one) for one in ("cluster", "data_dir", "namespace")}
    options = {one: value for one, value in given.items() if value is not None}
    if routing_key is not None:
        options.setdefault("queue", routing_key)
    app = _app(context, place, where)
    click.echo(app.send_task(name, args, kwargs, **options).id)
    app.close()


@click.command("list", cls=Command)
@click.argument("what", type=click.Choice(("bindings", "queues", "workers", "tasks")))
@app_option
@click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON.")
@instance_options
@click.pass_context
def listing(context: click.Context, /, what: str, place: str | None, as_json: bool, **where: Any) -> None:
    """List queues (or bindings, as Celery calls them), workers, or the tasks that workers know."""
    app = _app(context, place, where)
    status = control.status(app.transport)
    if what == "tasks":
        answers = app.control.inspect().registered() or {}
        names = sorted({task for tasks in answers.values() for task in tasks})
    elif what == "workers":
        names = sorted(one.name for one in status.workers)
    else:
        names = sorted({one.name for one in status.queues} | {name for one in status.workers for name in one.queues})
    app.close()
    if as_json:
        render.echo_json(names)
        return
    for name in names:
        click.echo(f"{name}  {name}  {name}" if what == "bindings" else name)


@click.command(cls=Command)
@app_option
@click.pass_context
def report(context: click.Context, /, place: str | None) -> None:
    """Show versions and settings, secrets hidden, for bug reports."""
    click.echo(deferred.load("bug_report").bug_report(_app(context, place, {})))


@click.command(cls=Command)
@app_option
@click.option("-I", "--ipython", "kind", flag_value="ipython", help="IPython.")
@click.option("-B", "--bpython", "kind", flag_value="bpython", help="bpython.")
@click.option("-P", "--python", "kind", flag_value="python", help="Python's own.")
@click.option("-T", "--without-tasks", is_flag=True, help="Leave out the tasks.")
@no_effect("--eventlet", why="there is no eventlet pool", is_flag=True)
@no_effect("--gevent", why="there is no gevent pool", is_flag=True)
@click.pass_context
def shell(context: click.Context, /, place: str | None, kind: str | None, without_tasks: bool) -> None:
    """Open a Python shell with `app`, its tasks, and what workflows are made of."""
    app = app_of(context, place)
    package = importlib.import_module("ignitetasks")
    names: dict[str, Any] = {"app": app, "celery": app, "ignitetasks": package}
    names |= {name: getattr(package, name) for name in _SHELL_NAMES}
    if not without_tasks:
        names |= {name.rpartition(".")[2]: task for name, task in app.tasks.items() if not is_own(name)}
    for one in (kind,) if kind else ("ipython", "bpython", "python"):
        if _open(one, names):
            return
    raise click.ClickException(f"{kind} is not installed: pip install {kind}, or leave the option out")


def _open(kind: str, names: dict[str, Any]) -> bool:
    """Opens a shell; False where it is not installed."""
    try:
        if kind == "ipython":
            importlib.import_module("IPython").start_ipython(argv=[], user_ns=names)
        elif kind == "bpython":
            importlib.import_module("bpython").embed(names)
        else:
            code.interact(f"names: {', '.join(sorted(names))}", local=names, exitmsg="")
    except ImportError:
        return False
    return True
