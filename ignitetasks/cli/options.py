"""Options that several commands share, and the settings they make.

A command's own option wins over the environment (``IGNITETASKS_*``). Must not start anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click

from ignitetasks.cli.loading import default_app, import_module, load_app
from ignitetasks.config import DURABILITIES, Settings
from ignitetasks.errors import NodeError, NotConnected

F = TypeVar("F", bound=Callable[..., Any])

#: Exit code when nobody answered, or the node cannot be reached.
UNAVAILABLE = 69

_LEVELS = ("debug", "info", "warning", "error", "critical", "fatal")
#: Names of the options that say how a program runs as a service.
SERVICE = ("background", "logfile", "pidfile", "uid", "gid", "umask")


class Level(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A level of the log, in letters of any size."""

    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns the level's name."""
        name = str(value).lower()
        if name not in _LEVELS:
            self.fail(f"{value!r} is not one of {', '.join(_LEVELS)}", param, ctx)
        return "critical" if name == "fatal" else name


def service_options(command: F) -> F:
    """Adds the options of a program that runs until it is told to stop: its log, and how it runs as a service."""
    for option in (
        click.option("--umask", metavar="OCTAL", help="Mask of new files of -D."),
        click.option("--gid", metavar="GROUP", help="Group to run as."),
        click.option("--uid", metavar="USER", help="User to run as (started by root)."),
        click.option("--pidfile", metavar="FILE", help="File that says which process this is."),
        click.option("-D", "--detach", "background", is_flag=True, help="Go into the background."),
        click.option("-f", "--logfile", metavar="FILE", help="Where to log; by default standard error."),
        click.option(
            "--log-json/--log-text", default=None, help="Log lines as JSON or text; by default text on a terminal."
        ),
        click.option("-l", "--loglevel", type=Level(), help=f"Lowest level that is logged: {', '.join(_LEVELS)}."),
    ):
        command = option(command)
    return command


def instance_options(command: F) -> F:
    """Adds the options that say which node a command talks to."""
    for option in (
        click.option("--namespace", metavar="NAME", help="Namespace of the application."),
        click.option("--cluster", metavar="HOST:PORT,...", help="Data nodes of a cluster; without: the embedded node."),
        click.option("--data-dir", metavar="DIR", help="Data directory of the node.", type=click.Path()),
    ):
        command = option(command)
    return command


def durability_option(command: F) -> F:
    """Adds ``--durability``."""
    return click.option(
        "--durability",
        type=click.Choice(DURABILITIES),
        help="What an acknowledged task survives: loss of power, or the death of processes.",
    )(command)


def settings_of(**given: Any) -> Settings:
    """Makes settings of a command's options, the application named before the command, and the environment.

    Args:
        **given: Options by the name of their setting; None means not given.

    Raises:
        ConfigurationError: One has a value that is not allowed.
    """
    context = click.get_current_context(silent=True)
    told = common(context) if context is not None else Common()
    if told.place is None:
        return Settings.from_env(**given)
    app = load_app(told.place)
    app.configure(**given)
    return app.settings


@dataclass
class Common:
    """What the command line was told for all commands, before the command's name.

    Attributes:
        traceback: Show where in the code an error came from.
        place: Where the application is, as for ``-A``.
        config: Module of settings to load into it.
        quiet: Say only what was asked for.
        plain: No colours.
        broker: Where the application's tasks are kept, as a URL.
        user_options: Values of the options that the application has added.
    """

    traceback: bool = False
    place: str | None = None
    config: str | None = None
    quiet: bool = False
    plain: bool = False
    broker: str | None = None
    user_options: dict[str, Any] = field(default_factory=dict)

    @property
    def app(self) -> Any:
        """The application, loaded; for commands of other packages, which have no ``-A`` of their own.

        Raises:
            UsageError: None is named.
            ConfigurationError: It cannot be loaded.
        """
        return application(self)

    no_color = property(lambda self: self.plain, doc="No colours.")

    def echo(self, message: Any = None, **style: Any) -> None:
        """Prints a message; see `click.secho`."""
        click.secho(message, **style)

    secho = echo

    def style(self, message: str = "", **style: Any) -> str:
        """Returns a text in a colour, where colours are shown; see `click.style`."""
        return message if self.plain else click.style(message, **style)

    OK = property(lambda self: self.style("OK", fg="green", bold=True), doc="What went well.")
    ERROR = property(lambda self: self.style("ERROR", fg="red", bold=True), doc="What did not.")

    def error(self, message: Any = None, **style: Any) -> None:
        """Prints a message on standard error."""
        click.secho(message, err=True, **style)


def common(context: click.Context) -> Common:
    """Returns what the command line was told for all commands."""
    found = context.find_object(Common)
    return found if found is not None else Common()


def reached(context: click.Context, run: Callable[[], int]) -> int:
    """Runs what asks the node; where that cannot be reached, says so and returns `UNAVAILABLE`.

    Args:
        context: The command's.
        run: Returns the exit code.
    """
    try:
        return run()
    except (NodeError, NotConnected) as error:
        if common(context).traceback:
            raise
        click.echo(f"Error: {error}", err=True)
        return UNAVAILABLE


def app_option(command: F) -> F:
    """Adds ``-A``, which may also stand before the command's name."""
    return click.option("-A", "--app", "place", metavar="MODULE[:ATTRIBUTE]", help="Where the application is.")(command)


def settings_arguments(command: F) -> F:
    """Adds words ``NAME=VALUE`` behind the options: settings for this one program."""
    return click.argument("words", nargs=-1, metavar="[NAME=VALUE]...")(command)


def names_option(*words: str, help: str) -> Callable[[F], F]:
    """Adds an option that takes names, separated by commas, once or several times."""
    return click.option(*words, metavar="NAME,...", help=help, callback=_names, multiple=True)


def _names(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    names = [name.strip() for value in values for name in value.split(",") if name.strip()]
    if values and not names:
        # An empty variable in a script must not mean "all of them".
        raise click.BadParameter("name at least one, or leave the option out")
    return names or None


def app_of(context: click.Context, place: str | None, include: Iterable[str] = (), **where: Any) -> Any:
    """Loads the application a command works with.

    Args:
        context: The command's.
        place: What ``-A`` of the command says.
        include: Further modules to import.
        **where: Settings that say which node it talks to; None means not given.

    Raises:
        UsageError: No application is named.
        ConfigurationError: It cannot be loaded.
    """
    app = application(common(context), place)
    for name in include:
        import_module(name)
    app.prepare()
    if any(value is not None for value in where.values()):
        app.configure(**where)
    return app


def application(told: Common, place: str | None = None) -> Any:
    """Loads the application that a command line means.

    Args:
        told: What was said before the command's name.
        place: What ``-A`` of the command says.

    Raises:
        UsageError: None is named.
        ConfigurationError: It cannot be loaded.
    """
    named = place or told.place
    if named is None and told.config is None:
        raise click.UsageError(
            "name the application: -A MODULE[:ATTRIBUTE], or, where there is none but settings: --config MODULE"
        )
    app: Any = load_app(named) if named is not None else default_app()
    if told.config is not None:
        import_module(told.config)  # with the working directory on the path, and its own words where it is not there
        app.config_from_object(told.config)
    if told.broker is not None:
        app.conf.broker_url = told.broker
    return app
