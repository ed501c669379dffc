"""Options that several commands share, and the settings they make.

A command's own option wins over the environment (``IGNITETASKS_*``). Must not start anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
    """Makes settings of a command's options and the environment.

    Args:
        **given: Options by the name of their setting; None means not given.

    Raises:
        ConfigurationError: One has a value that is not allowed.
    """
    return Settings.from_env(**given)
