"""A progress bar for bulk calls, or the absence of one.

This file must not know tasks: it counts. What draws is in bar.py, loaded when a bar is asked for.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from ignitetasks import deferred


class _Drawn(Protocol):
    def start(self) -> None:
        """Shows it."""

    def advance(self, n: int) -> None:
        """Counts n more."""

    def stop(self) -> None:
        """Leaves it as it is."""


class Bar:
    """A bar on the terminal, or nothing at all.

    Args:
        label: What is counted.
        total: How many there will be; None when that is not known.
        show: False shows nothing.
    """

    def __init__(self, label: str, total: int | None, show: bool) -> None:
        self._drawn: _Drawn | None = deferred.load("bar").TerminalBar(label, total) if show else None

    def advance(self, n: int) -> None:
        """Counts n more."""
        if self._drawn is not None:
            self._drawn.advance(n)

    def __enter__(self) -> Bar:
        if self._drawn is not None:
            self._drawn.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._drawn.stop()
