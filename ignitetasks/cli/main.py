"""The command group, and how errors end: one sentence on standard error and an exit code.

0 is success, 1 an error while running, 2 a wrong command line or setting, 130 Ctrl-C. No traceback unless asked for.
Must not contain a command's work: see the other files of this package.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from ignitetasks.app import IgniteTasks
from ignitetasks.cli import inspect, loading, migrate, node, worker
from ignitetasks.errors import ConfigurationError, IgniteTasksError
from ignitetasks.jvm import VERSION

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


@dataclass
class _Run:
    """What one run of the command line was told for all commands."""

    traceback: bool = False


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, message="ignitetasks %(version)s")
@click.option(
    "--traceback", envvar="IGNITETASKS_TRACEBACK", is_flag=True, help="Show where in the code an error came from."
)
@click.option("-A", "--app", "place", metavar="MODULE[:ATTRIBUTE]", help="The application, for all commands.")
@click.option("--workdir", type=click.Path(exists=True, file_okay=False), help="Change to this folder first.")
@click.option("-C", "--no-color", is_flag=True, help="Show no colours.")
@click.option("-q", "--quiet", is_flag=True, help="Say less.")
@click.pass_context
def cli(
    context: click.Context, traceback: bool, place: str | None, workdir: str | None, no_color: bool, quiet: bool
) -> None:
    """Durable background tasks for Python, with Apache Ignite as the only thing behind them.

    \b
    In tasks.py:    app = IgniteTasks("shop")
                    @app.task
                    def add(x, y): return x + y
    Then:           ignitetasks worker -A tasks -c 4
    And anywhere:   add.delay(2, 3).get(timeout=10)
    """  # noqa: D301 \b is click's mark for text that is not to be wrapped
    run: _Run = context.obj
    run.traceback = traceback
    if workdir:
        os.chdir(workdir)
        sys.path.insert(0, os.getcwd())
    if no_color:
        os.environ["NO_COLOR"] = "1"
        context.color = False
    context.default_map = _defaults(cli, place, quiet)


def _defaults(group: click.Group, place: str | None, quiet: bool) -> dict[str, Any]:
    """Returns defaults for every command below a group that takes what was given before it."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found[name] = _defaults(command, place, quiet)
            continue
        taken = {one.name for one in command.params}
        given = {"place": place, "quiet": quiet or None}
        found[name] = {key: value for key, value in given.items() if value is not None and key in taken}
    return found


cli.add_command(worker.worker)
cli.add_command(node.node)
cli.add_command(migrate.migrate)
for command in (inspect.status, inspect.purge, inspect.result, inspect.dead, inspect.sql):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Words behind the program's name; None takes those of this process.

    Returns:
        The exit code.
    """
    run = _Run()
    try:
        answer = cli.main(args=arguments, prog_name="ignitetasks", standalone_mode=False, obj=run)
    except (Exception, KeyboardInterrupt) as error:
        if run.traceback and not isinstance(error, click.ClickException):
            traceback.print_exc()
        return _report(error)
    return answer if isinstance(answer, int) else OK


def run_for(app: IgniteTasks, arguments: Sequence[str] | None = None) -> int:
    """Runs the command line for an application that is there already, so that ``-A`` need not be given.

    Args:
        app: The application.
        arguments: Words behind the program's name; None takes those of this process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = cli.commands.get(words[0]) if words else None
    if command is not None and any("-A" in one.opts for one in command.params) and "-A" not in words:
        words[1:1] = ["-A", loading.GIVEN]
    loading.given.append(app)
    try:
        return main(words)
    finally:
        loading.given.pop()


def _report(error: BaseException) -> int:
    if isinstance(error, click.ClickException):
        error.show()
        return USAGE if isinstance(error, click.UsageError) else FAILED
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has enough (`| head`); Python must not fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    if isinstance(error, IgniteTasksError):
        click.echo(f"Error: {error}", err=True)
        return USAGE if isinstance(error, ConfigurationError) else FAILED
    words = "".join(traceback.format_exception_only(type(error), error)).strip()
    click.echo(f"Error: {words} (unexpected: run `ignitetasks --traceback ...` to see where)", err=True)
    return FAILED
