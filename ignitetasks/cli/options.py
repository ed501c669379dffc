"""Options that several commands share, and the settings they make.

A command's own option wins over the environment (``IGNITETASKS_*``). Must not start anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from ignitetasks.cli.loading import import_module, load_app
from ignitetasks.config import DURABILITIES, Settings

F = TypeVar("F", bound=Callable[..., Any])


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
    if told.app is None:
        return Settings.from_env(**given)
    app = load_app(told.app)
    app.configure(**given)
    return app.settings


@dataclass
class Common:
    """What the command line was told for all commands, before the command's name.

    Attributes:
        traceback: Show where in the code an error came from.
        app: Where the application is, as for ``-A``.
        config: Module of settings to load into it.
        quiet: Say only what was asked for.
        plain: No colours.
    """

    traceback: bool = False
    app: str | None = None
    config: str | None = None
    quiet: bool = False
    plain: bool = False


def common(context: click.Context) -> Common:
    """Returns what the command line was told for all commands."""
    found = context.find_object(Common)
    return found if found is not None else Common()


def app_option(command: F) -> F:
    """Adds ``-A``, which may also stand before the command's name."""
    return click.option("-A", "--app", "place", metavar="MODULE[:ATTRIBUTE]", help="Where the application is.")(command)


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
    told = common(context)
    named = place or told.app
    if named is None:
        raise click.UsageError("name the application: -A MODULE[:ATTRIBUTE]")
    app: Any = load_app(named)
    if told.config is not None:
        app.config_from_object(told.config)
    for name in include:
        import_module(name)
    app.prepare()
    if any(value is not None for value in where.values()):
        app.configure(**where)
    return app
