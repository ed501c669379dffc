"""The command line; ``main`` is the entry point of ``ignitetasks`` and ``python -m ignitetasks``.

Everything it can do is a call into the rest of the package: what decides anything does not belong here.
"""

from ignitetasks.cli.main import main

__all__ = ["main"]
