"""The progress bar as rich draws it; loaded when the first one is asked for (see deferred.py).

This file must not decide whether there is a bar, and must not know tasks.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class TerminalBar:
    """One bar on standard error.

    Args:
        label: What is counted.
        total: How many there will be; None when that is not known.
    """

    def __init__(self, label: str, total: int | None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            # Standard output belongs to the program.
            console=Console(stderr=True),
        )
        self._row = self._progress.add_task(label, total=total)

    def start(self) -> None:
        """Shows it."""
        self._progress.start()

    def advance(self, n: int) -> None:
        """Counts n more."""
        self._progress.advance(self._row, n)

    def stop(self) -> None:
        """Leaves it as it is."""
        self._progress.stop()
