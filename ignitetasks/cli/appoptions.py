"""Options that an application adds to commands: ``app.user_options``.

The application is known before the words behind a command are read, so that its options are read with the others. Must
not know what a command does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ignitetasks import signals
from ignitetasks.cli.loading import load_app
from ignitetasks.cli.options import common
from ignitetasks.errors import ConfigurationError

_KEY = "ignitetasks.user_options"
_WORDS = ("-A", "--app")


class Command(click.Command):
    """A command that takes the options which the application adds to it, or to all commands (``preload``).

    Their values are told to receivers of ``user_preload_options`` and, by a worker, of ``celeryd_init``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the words behind the command's name."""
        app = _application(ctx, args)
        added = [] if app is None else [*app.user_options["preload"], *app.user_options[self.name or ""]]
        ctx.meta[_KEY] = added = sorted(added, key=lambda one: str(one.name))
        rest = super().parse_args(ctx, args)
        names = [str(one.name) for one in added]
        given = common(ctx).user_options = {name: ctx.params.pop(name) for name in names if name in ctx.params}
        if app is not None:
            signals.user_preload_options.send(sender=self, app=app, options={**ctx.params, **given})
        return rest

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Returns the command's options and those that were added."""
        return [*super().get_params(ctx), *ctx.meta.get(_KEY, ())]


def _application(ctx: click.Context, args: Sequence[str]) -> Any:
    """Returns the application that the command line names; None where it names none, or one that cannot be loaded."""
    place = _place(args) or common(ctx).place
    if place is None:
        return None
    try:
        return load_app(place)
    except ConfigurationError:
        return None  # the command says so, if it needs one


def _place(args: Sequence[str]) -> str | None:
    for index, word in enumerate(args):
        if word == "--":
            return None
        if word in _WORDS:
            return args[index + 1] if index + 1 < len(args) else None
        for start in ("--app=", "-A"):
            if word.startswith(start):
                return word.removeprefix(start)
    return None
