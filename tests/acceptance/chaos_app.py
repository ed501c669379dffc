"""The application of the fault tests: tasks that write down their own executions, fence included."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from typing import Any

from history import Journal, answer

from ignitetasks import IgniteTasks

app = IgniteTasks("chaos")
_journal = Journal(os.environ.get("CHAOS_HISTORY") or tempfile.gettempdir(), "task")


def _run(request: Any, n: int, ms: int) -> list[int]:
    _journal.write("start", "ok", id=request.id, n=n, fence=request.fence)
    if ms:
        time.sleep(ms / 1000)
    _journal.write("end", "ok", id=request.id, n=n, fence=request.fence)
    return [n, answer(n), request.fence]


@app.task(bind=True)
def work(self: Any, n: int, ms: int = 0) -> list[int]:
    """Returns its number, what that stands for, and its fence."""
    return _run(self.request, n, ms)


@app.task(bind=True, idempotency_key=lambda n, ms=0: f"key-{n}")
def keyed(self: Any, n: int, ms: int = 0) -> list[int]:
    """The same under an idempotency key made of its number."""
    return _run(self.request, n, ms)


@app.task(bind=True)
def follow(self: Any, before: Any, n: int, expected: list[int]) -> list[int]:
    """The same for what follows other tasks; if it was not given exactly their results, it says what is wrong."""
    given = [before] if before and isinstance(before[0], int) else before
    told = _run(self.request, n, 0)
    return told if [one[:2] for one in given] == [[m, answer(m)] for m in expected] else [n, -1, self.request.fence]


@app.task(bind=True)
def poison(self: Any, n: int, switch: str) -> list[int]:
    """Kills the process it runs in for as long as a file is there."""
    _journal.write("start", "ok", id=self.request.id, n=n, fence=self.request.fence)
    if os.path.exists(switch):
        os.kill(os.getpid(), signal.SIGKILL)
    _journal.write("end", "ok", id=self.request.id, n=n, fence=self.request.fence)
    return [n, answer(n), self.request.fence]
