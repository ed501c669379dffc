"""A place for files and a look into /proc: what the standalone driver needs of a machine. Starts no servers."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MB = 1_000_000


class Servers:
    """The folder of a run; servers there are none.

    Attributes:
        tmp: Path of the folder.
    """

    def __init__(self) -> None:
        self.tmp = tempfile.mkdtemp(prefix="ignitetasks-bench-")

    def pids(self, _names: Sequence[str]) -> list[int]:
        """Returns the processes of some servers."""
        return []

    def stop(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.tmp, ignore_errors=True)


def _stat(pid: int | str) -> list[str]:
    """Returns the fields of /proc/PID/stat from the state on; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def tree(root: int) -> list[int]:
    """Returns a process and everything below it."""
    children = defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(name)):
            children[int(fields[1])].append(int(name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        todo += children[pid]
        if _stat(pid):
            found.append(pid)
    return found


def cpu_seconds(pids: Iterable[int], waited_for: bool = False) -> float:
    """Returns the CPU seconds some processes have used, with those of their dead children where wanted."""
    last = 15 if waited_for else 13
    return sum(sum(map(int, _stat(pid)[11:last])) for pid in pids) / _TICKS


def memory_mb(pids: Iterable[int]) -> tuple[float, float]:
    """Returns resident memory and its proportional share (shared pages counted once), in MB."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, rest = line.partition(":")
            if name in sums:
                sums[name] += int(rest.split()[0]) * 1024
    return sums["Rss"] / _MB, sums["Pss"] / _MB


def kill(pid: int) -> None:
    """Ends a process for good, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
