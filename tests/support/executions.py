"""A file that tasks append to, so that their executions are counted by themselves and not by the system under test."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path


class ExecutionLog:
    """Lines of words in a file; safe from any number of processes and threads, and not lost with them.

    Args:
        path: The file; made at the first line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def add(self, *words: object) -> None:
        """Appends one line, by one write to a file opened with O_APPEND: the kernel keeps lines whole."""
        line = " ".join(str(word) for word in words) + "\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def lines(self, prefix: str = "") -> list[str]:
        """Returns the lines so far, in order, whose first words are the prefix."""
        try:
            text = self.path.read_text()
        except FileNotFoundError:
            return []
        start = prefix + " "
        return [line for line in text.splitlines() if not prefix or line == prefix or line.startswith(start)]

    def count(self, prefix: str) -> int:
        """Returns how many lines start with these words."""
        return len(self.lines(prefix))

    def counts(self, prefix: str = "") -> Counter[str]:
        """Returns how often each line was written."""
        return Counter(self.lines(prefix))
