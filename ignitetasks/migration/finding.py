"""What the reader of a project has to say: one line of one file, and what it means for the move.

Must not read files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: ``rename``: works once ``celery`` is called ``ignitetasks`` there; ``hand``: somebody has to look; ``gone``: has no
#: meaning here, and has to leave.
Level = Literal["rename", "hand", "gone"]
LEVELS: tuple[Level, ...] = ("rename", "hand", "gone")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing in a project that belongs to Celery.

    Attributes:
        file: Path, as the project was named.
        line: Number of the line, from 1.
        level: How much work it is.
        what: The name it is about.
        text: What to do; empty for most renames.
    """

    file: str
    line: int
    level: Level
    what: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All that was found in one project.

    Attributes:
        findings: In the order of files and lines.
        files: How many files were read.
        unreadable: Files that could not be read, with the reason.
    """

    findings: tuple[Finding, ...]
    files: int
    unreadable: tuple[tuple[str, str], ...] = ()

    def count(self, level: Level) -> int:
        """Returns how many findings are of one level."""
        return sum(finding.level == level for finding in self.findings)

    @property
    def clean(self) -> bool:
        """True when changing the imports is all there is to do."""
        return not self.unreadable and not self.count("hand") and not self.count("gone")
