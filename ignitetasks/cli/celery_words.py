"""Words of Celery's command line that have nothing to do here, each with its reason and a way out.

Options among them are taken, so that a command line goes on working, and said to have no effect. Must not do anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_NO_AMQP = "there is no AMQP behind this; `ignitetasks status`, `list queues` and `sql` look into the node"
_FLOWER = (
    "flower reads a message broker; `ignitetasks status`, `events`, `sql`, and `worker --metrics-port` for Prometheus, "
    "show what it would"
)
#: Commands that are not here.
COMMANDS: Mapping[str, str] = {"amqp": _NO_AMQP, "flower": _FLOWER}
_MIGRATE = (
    "tasks are not moved between brokers: let the old workers empty their queues; `ignitetasks migrate check PATH` "
    "reads a project"
)

SCHEDULE_FILE = "entries and their runs are kept by the node"
FORKED = "children are forked from this process"
BEAT_NAME = "beats have no names: any number of them may run"
REMOTE_BEAT = "schedules are changed through the node, whether a beat runs or not"
WATCHING = "this program watches in its own terminal; let a service manager run it in the background"


class Group(click.Group):
    """Commands, and what to use instead of those that only Celery has."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that words name.

        Raises:
            UsageError: There is none; it says what to use where Celery has one.
        """
        reason = COMMANDS.get(args[0]) if ctx.parent is None else _MIGRATE if "://" in args[0] else None
        if reason is not None and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no {args[0]!r} here: {reason}.")
        return super().resolve_command(ctx, args)


def no_effect(*words: str, why: str, is_flag: bool = False) -> Callable[[F], F]:
    """Adds an option that changes nothing, and says so when it is given.

    Args:
        *words: The option, and other ways to write it.
        why: Why there is nothing to change.
        is_flag: It takes no value.
    """

    def tell(_context: click.Context, _option: click.Parameter, value: Any) -> None:
        if value:
            click.echo(f"{words[-1]} has no effect: {why}", err=True)

    return click.option(*words, hidden=True, is_flag=is_flag, expose_value=False, callback=tell)
