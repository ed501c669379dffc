"""A worker without work leaves the processor alone, in every pool."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import suite_tasks as suite

#: Share of one core a worker and its children may take; a loop that never waits takes about all of one.
_SHARE = 0.25
_SECONDS = 2.0


def processor_seconds(pid: int) -> float:
    """CPU time of a process and its children that live, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_an_idle_worker_waits(workers, queue, pool):
    worker = workers(queues=[queue], pool=pool, concurrency=1 if pool == "solo" else 2)
    assert suite.add.apply_async((1, 2), queue=queue).get(timeout=60) == 3
    before, start = processor_seconds(worker.pid), time.monotonic()
    time.sleep(_SECONDS)  # what is measured is a rest, so there is nothing to wait for
    share = (processor_seconds(worker.pid) - before) / (time.monotonic() - start)
    assert share < _SHARE
