"""Counts executions from inside the tasks: one line per start, in a file opened with O_APPEND.

The only witness that does not depend on what is being shown: a line is with the kernel before the task goes on, so
not even ``kill -9`` takes it back. Must not use anything of ignitetasks.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "TENANT_MODELS_EXECUTIONS"


@dataclass(frozen=True)
class Execution:
    """One start of a task: what it is called here, and the process that ran it."""

    key: str
    pid: int


def note(key: str) -> None:
    """Writes one line, where the run asks for it."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    # One write of a short line to a file opened like this is never mixed with that of another process.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{os.getpid()} {key}\n".encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Execution]:
    """Returns all executions so far, in the order of their starts."""
    if not path.exists():
        return []
    pairs = (line.split(" ", 1) for line in path.read_text("utf-8").splitlines())
    return [Execution(key, int(pid)) for pid, key in pairs]


def counts(executions: Sequence[Execution]) -> Counter[str]:
    """Returns how often each key was started."""
    return Counter(one.key for one in executions)


def unexplained(executions: Sequence[Execution], killed: set[int]) -> list[str]:
    """Returns the keys that were started again although no kill explains it.

    A start may be repeated only if the process of the start before it was killed by this run.

    Args:
        executions: In order.
        killed: Processes this run has killed.
    """
    pids: defaultdict[str, list[int]] = defaultdict(list)
    for one in executions:
        pids[one.key].append(one.pid)
    return [key for key, starts in pids.items() if not set(starts[:-1]) <= killed]
