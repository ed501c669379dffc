"""The command line as an object, for programs that run it or add commands to it: ``celery(["worker", "-A", "shop"])``.

This file must not define commands.
"""

from __future__ import annotations

from ignitetasks.cli.main import cli as celery
from ignitetasks.cli.main import main

__all__ = ["celery", "main"]
