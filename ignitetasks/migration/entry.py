"""One line of the catalogue of Celery's public interface: a name, what became of it, and why.

Must not contain any line of the catalogue itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["same", "better", "gone"]
Kind = Literal["setting", "call", "signal", "event", "command", "module", "package", "variable"]

SAME: Verdict = "same"
BETTER: Verdict = "better"
GONE: Verdict = "gone"


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one documented name of Celery.

    Attributes:
        kind: What the name names.
        name: As Celery writes it: ``task_acks_late``, ``Task.retry``, ``celery worker --pool``, ``celery.bootsteps``.
        verdict: ``same``: works as documented there; ``better``: works, and ``text`` says what else is promised;
            ``gone``: has no meaning here, and ``text`` says why and what to use.
        text: One or two sentences; may be empty where the verdict is ``same``.
        section: Headline of the table it stands in.
    """

    kind: Kind
    name: str
    verdict: Verdict
    text: str
    section: str


def rows(kind: Kind, section: str, *lines: tuple[str, Verdict, str]) -> Iterator[Entry]:
    """Yields the entries of one table.

    Args:
        kind: What all its names name.
        section: Headline.
        *lines: Names, divided by blanks where several share one fate, verdict and text.
    """
    for names, verdict, text in lines:
        for name in names.split() if kind == "setting" else names.split(" / "):
            yield Entry(kind, name, verdict, text, section)
