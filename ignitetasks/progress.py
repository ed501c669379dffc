"""A progress bar for bulk calls; the only file of the client library that imports rich.

This file must not know tasks: it counts.
"""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Bar:
    """A bar on the terminal, or nothing at all.

    Args:
        label: What is counted.
        total: How many there will be; None when that is not known.
        show: False shows nothing.
    """

    def __init__(self, label: str, total: int | None, show: bool) -> None:
        self._progress: Progress | None = None
        if show:
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

    def advance(self, n: int) -> None:
        """Counts n more."""
        if self._progress is not None:
            self._progress.advance(self._row, n)

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
