"""A worker without work leaves the processor alone, in every pool, and so does its node."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
import suite_tasks as suite

#: Share of one core a worker and its children may take; a loop that never waits takes about all of one.
_SHARE = 0.25
_SECONDS = 2.0
#: Times a second that all threads of the node together may wake up; Ignite's own clock alone did a hundred.
_WAKE_UPS = 90


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


def wake_ups(pid: int) -> dict[str, int]:
    """How often each thread of a process has gone to sleep, by its number and name."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            lines = (thread / "status").read_text().splitlines()
            count = next(line for line in lines if line.startswith("voluntary_ctxt_switches"))
            found[f"{thread.name} {(thread / 'comm').read_text().strip()}"] = int(count.split()[1])
    return found


def test_an_idle_node_sleeps(workers, queue, node):
    workers(queues=[queue], concurrency=1)
    assert suite.add.apply_async((1, 2), queue=queue).get(timeout=60) == 3
    pid = node.pid
    for _ in range(10):
        before, start = wake_ups(pid), time.monotonic()
        time.sleep(_SECONDS)  # what is measured is a rest, so there is nothing to wait for
        span = time.monotonic() - start
        rates = {name: (count - before.get(name, count)) / span for name, count in wake_ups(pid).items()}
        if sum(rates.values()) < _WAKE_UPS:
            break
    assert sum(rates.values()) < _WAKE_UPS, sorted(rates.items(), key=lambda item: -item[1])[:8]
