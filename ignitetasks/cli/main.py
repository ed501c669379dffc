"""The command group, and how errors end: one sentence on standard error and an exit code.

0 is success, 1 an error while running, 2 a wrong command line or setting, 69 that nobody answered what asks workers or
the node, 130 Ctrl-C. No traceback unless asked for.
Must not contain a command's work: see the other files of this package.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from ignitetasks.app import IgniteTasks
from ignitetasks.cli import (
    beat,
    calling,
    celery_words,
    events,
    inspect,
    loading,
    logtool,
    migrate,
    multi,
    node,
    plugins,
    remote,
    schedule,
    upgrade,
    worker,
)
from ignitetasks.cli.options import Common
from ignitetasks.config import place_of
from ignitetasks.errors import ConfigurationError, IgniteTasksError
from ignitetasks.jvm import VERSION

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


_BROKER = (
    "a broker has no meaning here: tasks live in Apache Ignite. Name its data nodes with --cluster HOST:PORT, or "
    "leave it out for the node of this machine"
)


class Program(celery_words.Group):
    """The whole command line; called as a program, it ends the process with the exit code of `main`.

    Commands of other packages are there too, see `plugins`.
    """

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command of this package's own, or of another package."""
        return super().get_command(ctx, cmd_name) or plugins.command(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands."""
        return sorted({*super().list_commands(ctx), *plugins.names()})

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs the command line.

        Args:
            args: Words behind the program's name; None takes those of this process.
            prog_name: As for a command of click.
            complete_var: As for a command of click.
            standalone_mode: False returns, or raises, what the command did.
            **extra: As for a command of click.
        """
        if standalone_mode:
            sys.exit(main(args))
        return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)


@click.group(
    cls=Program,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, message="ignitetasks %(version)s")
@click.option("-A", "--app", metavar="MODULE[:ATTRIBUTE]", envvar="IGNITETASKS_APP", help="Where the application is.")
@click.option("--config", metavar="MODULE", help="Module of settings for the application.")
@click.option("--workdir", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Folder to work in.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what was asked for.")
@click.option("-C", "--no-color", "plain", is_flag=True, help="No colours.")
@click.option("-b", "--broker", metavar="URL", hidden=True)
@click.option("--result-backend", metavar="URL", hidden=True)
@click.option("--loader", hidden=True)
@click.option("--skip-checks", is_flag=True, help="Leave out Django's checks.")
@click.option(
    "--traceback", envvar="IGNITETASKS_TRACEBACK", is_flag=True, help="Show where in the code an error came from."
)
@click.pass_context
def cli(
    context: click.Context,
    /,
    traceback: bool,
    app: str | None,
    config: str | None,
    workdir: str | None,
    quiet: bool,
    plain: bool,
    broker: str | None,
    result_backend: str | None,
    loader: str | None,
    skip_checks: bool,
) -> None:
    """Durable background tasks for Python, with Apache Ignite as the only thing behind them.

    \b
    In tasks.py:    app = IgniteTasks("shop")
                    @app.task
                    def add(x, y): return x + y
    Then:           ignitetasks worker -A tasks -c 4
    And anywhere:   add.delay(2, 3).get(timeout=10)
    """  # noqa: D301 \b is click's mark for text that is not to be wrapped
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        return
    run = context.ensure_object(Common)
    context.default_map = _defaults(cli, app, quiet)
    run.traceback, run.place, run.config, run.quiet, run.plain = traceback, app, config, quiet, plain
    run.broker = broker if place_of(broker) else None
    if workdir is not None:
        os.chdir(workdir)
        sys.path.insert(0, os.getcwd())
    if plain:
        os.environ["NO_COLOR"] = "1"
        context.color = False
    if skip_checks:
        os.environ["IGNITETASKS_SKIP_CHECKS"] = "1"
    for option, value, why in (
        ("--broker", broker if run.broker is None else None, _BROKER),
        ("--result-backend", result_backend, _BROKER),
        ("--loader", loader, "the application has its loader, IgniteTasks(loader=...)"),
    ):
        if value and not quiet:
            click.echo(f"{option} {value}: {why}", err=True)


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
for group in (upgrade.upgrade, upgrade.graph, logtool.logtool):
    cli.add_command(group)
cli.add_command(events.events)
cli.add_command(multi.multi)
cli.add_command(beat.beat)
cli.add_command(schedule.schedule)
for command in (inspect.status, inspect.purge, inspect.result, inspect.dead, inspect.sql):
    cli.add_command(command)
for command in (remote.inspect, remote.control):
    cli.add_command(command)
for command in (calling.call, calling.listing, calling.report, calling.shell):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Words behind the program's name; None takes those of this process.

    Returns:
        The exit code.
    """
    run = Common()
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
    if "-A" not in words:
        words = ["-A", loading.GIVEN, *words]
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
