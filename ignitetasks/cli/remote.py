"""``ignitetasks inspect`` and ``ignitetasks control``: one remote control command, its arguments, and the answers.

Commands of the application's own are known as soon as it is loaded. Exit code 69 when no worker answered, or no node.
Must not know what a command does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.pretty import Pretty
from rich.text import Text

from ignitetasks.app import IgniteTasks
from ignitetasks.app.cluster import COMMANDS
from ignitetasks.cli import render
from ignitetasks.cli.appoptions import Command
from ignitetasks.cli.options import (
    UNAVAILABLE,
    app_of,
    app_option,
    common,
    instance_options,
    names_option,
    reached,
)
from ignitetasks.worker.control import CommandInfo, Panel

_IDS = "[id1 [id2 [... [idN]]]]"

#: Commands that the cluster answers and not a worker; declared here as workers' commands are at theirs.
_CLUSTER: Mapping[str, CommandInfo] = {
    "scheduled": CommandInfo(None, "inspect", True, 1.0, "List tasks whose time has not come.", None, None, None),
    "revoked": CommandInfo(None, "inspect", True, 1.0, "List revoked task ids.", None, None, None),
    "revoke": CommandInfo(None, "control", True, 1.0, "Revoke tasks by id.", _IDS, None, "task_id"),
    "terminate": CommandInfo(
        None, "control", True, 1.0, "End tasks by id.", f"<signal> {_IDS}", [("signal", str)], "task_id"
    ),
    "revoke_by_stamped_headers": CommandInfo(
        None, "control", True, 1.0, "Revoke tasks by stamps.", "[key1=value1 [... [keyN=valueN]]]", None, "headers"
    ),
    "rate_limit": CommandInfo(
        None,
        "control",
        True,
        1.0,
        "Set the rate limit of a task in the whole cluster.",
        "<task_name> <rate_limit (e.g., 5/s | 5/m | 5/h)>",
        [("task_name", str), ("rate_limit", str)],
        None,
    ),
}


#: Commands that change what the cluster keeps, besides telling workers.
_DURABLE = ("enable_events", "disable_events")
#: Commands that may also end what runs.
_REVOKES = ("revoke", "revoke_by_stamped_headers")


def _commands(kind: str) -> dict[str, CommandInfo]:
    found = {**Panel.meta, **_CLUSTER}
    return {name: info for name, info in sorted(found.items()) if info.type == kind and info.visible}


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("arguments", nargs=-1, metavar="[ARGUMENT]..."),
        click.argument("command", required=False, metavar="COMMAND"),
        app_option,
        click.option("--list", "listing", is_flag=True, help="List the commands there are."),
        click.option("-t", "--timeout", type=float, metavar="SECONDS", help="Longest wait for answers."),
        names_option("-d", "--destination", help="Names of the workers to ask."),
        click.option("--pattern", metavar="GLOB", help="Only workers whose name fits."),
        click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON."),
        instance_options,
        click.pass_context,
    ):
        command = option(command)
    return command


@click.command(cls=Command)
@_options
def inspect(context: click.Context, /, **given: Any) -> int:
    """Ask workers: `ignitetasks inspect --list` shows what."""
    return reached(context, lambda: _run(context, "inspect", **given))


@click.command(cls=Command)
@click.option("--terminate", is_flag=True, help="With a revoke: also end the processes that run the tasks.")
@click.option("--signal", "signame", metavar="NAME", help="With --terminate: how to end them; SIGTERM, else.")
@_options
def control(context: click.Context, /, terminate: bool, signame: str | None, **given: Any) -> int:
    """Tell workers what to do: `ignitetasks control --list` shows what."""
    more: dict[str, Any] = {"terminate": True} if terminate else {}
    if signame is not None:
        more["signal"] = signame
    if more and (not terminate or given["command"] not in _REVOKES):
        raise click.UsageError(f"--terminate, and with it --signal, go with {' and '.join(_REVOKES)}")
    return reached(context, lambda: _run(context, "control", more=more, **given))


def _run(
    context: click.Context,
    kind: str,
    command: str | None,
    arguments: tuple[str, ...],
    place: str | None,
    listing: bool,
    timeout: float | None,
    destination: list[str] | None,
    pattern: str | None,
    as_json: bool,
    more: Mapping[str, Any] | None = None,
    **where: str | None,
) -> int:
    app = _application(context, place, where)
    commands = _commands(kind)
    if listing or command is None:
        _show_list(kind, commands)
        return 0
    info = commands.get(command) or next((one for one in commands.values() if one.alias == command), None)
    if info is None:
        raise click.UsageError(f"there is no {kind} command {command!r}; there are: {', '.join(commands)}")
    given = {**_arguments(command, info, arguments), **(more or {})}
    if command in _DURABLE:
        replies = getattr(app.control, command)(**given, destination=destination, reply=True)
    else:
        wait = timeout if timeout is not None else max(info.default_timeout, 1.0)
        replies = app.control.broadcast(command, given, destination, reply=True, timeout=wait, pattern=pattern)
    app.close()
    if not replies and kind == "control" and command in COMMANDS and not destination and pattern is None:
        # What the cluster keeps is done, with or without workers to say so.
        if as_json:
            render.echo_json({})
        else:
            click.echo("done; no worker is running")
        return 0
    return _show(context, replies or [], as_json)


def _application(context: click.Context, place: str | None, where: Mapping[str, Any]) -> Any:
    if place is None and common(context).place is None:
        # Built-in commands need nobody's code.
        app = IgniteTasks("cli")
        app.configure(**where)
        return app
    return app_of(context, place, **where)


def _arguments(command: str, info: CommandInfo, words: tuple[str, ...]) -> dict[str, Any]:
    if len(words) < (info.signature or "").partition("[")[0].count("<"):
        raise click.UsageError(f"{command} takes {info.signature}")
    given: dict[str, Any] = {}
    rest = list(words)
    for name, kind in info.args or ():
        if not rest:
            break
        word = rest.pop(0)
        try:
            given[name] = kind(word)
        except (TypeError, ValueError) as error:
            raise click.UsageError(f"{command}: {name} cannot be {word!r}: {error}") from error
    if info.variadic:
        given[info.variadic] = rest
    elif rest:
        raise click.UsageError(f"{command} takes {info.signature or 'no arguments'}, not {' '.join(rest)!r} too")
    return given


def _show_list(kind: str, commands: Mapping[str, CommandInfo]) -> None:
    formatter = click.HelpFormatter()
    with formatter.section(f"{kind.capitalize()} Commands"):
        formatter.write_dl([(f"{name} {info.signature or ''}".strip(), info.help) for name, info in commands.items()])
    click.echo(formatter.getvalue(), nl=False)


def _show(context: click.Context, replies: list[dict[str, Any]], as_json: bool) -> int:
    if not replies:
        click.echo("Error: No nodes replied within time constraint", err=True)
        return UNAVAILABLE
    answers = {name: answer for reply in replies for name, answer in reply.items()}
    if as_json:
        render.echo_json(answers)
        return 0
    out = render.console()
    for name, answer in answers.items():
        status, style, body = _status(answer)
        out.print(Text("-> ", "dim") + Text(name, "bold cyan") + Text(": ") + Text(status, style))
        if body is not None:
            out.print(body)
    if not common(context).quiet:
        out.print(f"\n{len(answers)} node{'' if len(answers) == 1 else 's'} online.")
    return 0


def _status(answer: Any) -> tuple[str, str, Any]:
    """Returns a word for an answer, its style, and what else is to be shown."""
    if isinstance(answer, Mapping) and set(answer) == {"ok"}:
        return "OK", "green", _indented(answer["ok"])
    if isinstance(answer, Mapping) and set(answer) == {"error"}:
        return "ERROR", "bold red", _indented(answer["error"])
    if not answer:
        return "OK", "green", Text("    - empty -", "dim")
    if isinstance(answer, list) and all(isinstance(one, str) for one in answer):
        return "OK", "green", Text("\n".join(f"    * {one}" for one in answer))
    return "OK", "green", Pretty(answer, indent_size=4, margin=0)


def _indented(value: Any) -> Text:
    return Text("\n".join(f"    {line}" for line in str(value).splitlines()))
