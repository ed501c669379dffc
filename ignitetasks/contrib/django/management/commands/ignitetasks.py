"""``manage.py ignitetasks ...``: the command line of ignitetasks, for the app of the Django project.

``manage.py ignitetasks worker -c 4`` is ``ignitetasks worker -A PROJECT -c 4``. Must not have options of its own.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandParser

from ignitetasks.cli.main import cli, main


class Command(BaseCommand):  # type: ignore[misc]  # Django has no type information
    """Hands the words behind ``manage.py ignitetasks`` to the command line."""

    help = "Runs a command of ignitetasks for this project: worker, beat, status, inspect, ..."
    requires_system_checks: tuple[str, ...] = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """Runs the command; its options are not Django's, so Django does not parse them."""
        code = main(with_app(argv[2:]))
        if code:
            sys.exit(code)

    def add_arguments(self, parser: CommandParser) -> None:
        """Takes words from ``call_command``."""
        parser.add_argument("words", nargs="*")

    def handle(self, *_: Any, words: list[str], **__: Any) -> None:
        """Runs the command from ``call_command("ignitetasks", "status")``."""
        code = main(with_app(words))
        if code:
            sys.exit(code)


def with_app(words: list[str]) -> list[str]:
    """Returns the words with ``-A PROJECT`` where a command takes it and it is not given.

    Args:
        words: Words behind ``manage.py ignitetasks``.
    """
    if any(word in ("-A", "--app") or word.startswith("--app=") for word in words):
        return words
    project = os.environ.get("DJANGO_SETTINGS_MODULE", "").partition(".")[0]
    at, command = 0, None
    group: click.Command = cli
    while at < len(words) and isinstance(group, click.Group) and words[at] in group.commands:
        group = command = group.commands[words[at]]
        at += 1
    takes_app = command is not None and any("-A" in parameter.opts for parameter in command.params)
    return [*words[:at], "-A", project, *words[at:]] if takes_app and project else words
