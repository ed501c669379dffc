"""Commands that other packages add to the command line, by entry points of the group ``ignitetasks.commands``.

They are looked for where a name is no command of this package's own, and for the list of all: nothing else pays for
them. Must not know what one does.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import click

GROUP = "ignitetasks.commands"


def names() -> list[str]:
    """Returns the names of such commands."""
    return [one.name for one in entry_points(group=GROUP)]


def command(name: str) -> click.Command | None:
    """Returns such a command, or None where there is none.

    Args:
        name: Its name.
    """
    for point in entry_points(group=GROUP, name=name):
        return _load(point)
    return None


def _load(point: EntryPoint) -> click.Command:
    try:
        found = point.load()
    except Exception as error:
        return _broken(point, f"{type(error).__name__}: {error}")
    return found if isinstance(found, click.Command) else _broken(point, f"it is {found!r}, and no command of click")


def _broken(point: EntryPoint, why: str) -> click.Command:
    """Returns a command that says why it cannot run: the others go on."""
    text = f"the command {point.name!r} of {point.value} cannot be loaded: {why}"

    def fail() -> None:
        raise click.ClickException(text)

    options = {"ignore_unknown_options": True, "allow_extra_args": True}
    short = "(cannot be loaded)"
    return click.Command(point.name, context_settings=options, callback=fail, help=text, short_help=short)
