"""How many processors this process may use: the kernel's set of them, and the quota of its control groups."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def usable_cpus(root: Path = Path("/")) -> int:
    """Returns how many processors this process may keep busy, at least 1.

    A quota of one and a half is two. What cannot be read counts as no quota.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    cpus = len(os.sched_getaffinity(0))
    quotas = [quota for quota in _quotas(root) if quota > 0]
    return max(1, min([cpus, *(math.ceil(quota) for quota in quotas)]))


def _quotas(root: Path) -> Iterator[float]:
    """Yields the quotas of this process's control groups and of those above them, in processors."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("" if number == "0" else controllers)
        folder = top / group.lstrip("/")
        for one in (folder, *folder.parents):
            if not one.is_relative_to(top):
                break
            words = (
                _text(one / "cpu.max").split()
                if number == "0"
                else [_text(one / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
            )
            if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]):
                yield int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
