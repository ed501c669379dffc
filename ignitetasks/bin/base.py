"""What commands of other packages are made with: ``@click.command(cls=CeleryCommand)``, under Celery's module name.

This file must only name them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ignitetasks.cli.appoptions import Command as CeleryCommand
from ignitetasks.cli.options import Common as CLIContext
from ignitetasks.cli.options import Level as LogLevel

__all__ = [
    "COMMA_SEPARATED_LIST", "LOG_LEVEL", "CLIContext", "CeleryCommand", "CeleryOption", "CommaSeparatedList",
    "LogLevel", "handle_preload_options",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


class CeleryOption(click.Option):
    """An option whose default may be something of the command line's object.

    Args:
        *args: As for an option of click.
        help_group: Not needed: options are shown in one list.
        default_value_from_context: Name of an attribute of ``context.obj`` that is the default.
        **kwargs: As for an option of click.
    """

    def __init__(
        self, *args: Any, help_group: str | None = None, default_value_from_context: str | None = None, **kwargs: Any
    ) -> None:
        self.default_value_from_context = default_value_from_context
        super().__init__(*args, **kwargs)

    def get_default(self, ctx: click.Context, call: bool = True) -> Any:
        """Returns the default."""
        if self.default_value_from_context:
            return getattr(ctx.obj, self.default_value_from_context)
        return super().get_default(ctx, call)


class CommaSeparatedList(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Names with commas between them."""

    name = "name,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        """Returns the names as a list."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else list(value)


COMMA_SEPARATED_LIST = CommaSeparatedList()
LOG_LEVEL = LogLevel()


def handle_preload_options(f: F) -> F:
    """Returns the function: a `CeleryCommand` tells receivers of ``user_preload_options`` by itself."""
    return f
