"""ignitetasks as a peer: tasks, client, worker command, settings.

Variants (BENCH_VARIANT): 'power', the default, has every acknowledged task and result on the disk (fsync); 'process'
has them with the kernel, safe against the death of any process. Both run the same node: one JVM with the ledger.
A driver of the peers imports this file; it must not start anything by being imported.
"""

import os
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import common

from ignitetasks import IgniteTasks, control

_VARIANT = common.VARIANT or "power"
_DATA_DIR = os.environ.get("IGNITETASKS_DATA_DIR") or Path(tempfile.gettempdir(), f"peer-ignitetasks-{_VARIANT}")

app = IgniteTasks("bench", data_dir=_DATA_DIR, durability=_VARIANT, default_queue="bench")

QUEUES: list[str] = []
# The node is not one of the servers the driver starts; run.py counts it as broker memory all the same.
BROKERS: list[str] = []


@app.task
def noop(i):
    """Returns its argument."""
    return i


@app.task
def echo(data):
    """Returns its argument, which is large."""
    return data


@app.task
def cpu(ms):
    """Keeps a core busy."""
    return common.cpu(ms)


@app.task(ignore_result=True)
def count(i):
    """Counts in shared memory; no result is kept."""
    common.count(i)


class BenchClient(common.Client):
    """The client's side of the workloads, by the documented calls only."""

    settings = {  # noqa: RUF012  # the peers' way
        "broker": "embedded Ignite, persistent ledger",
        "results": "the same ledger",
        "ack": "late",
        "commit": "fsync" if _VARIANT == "power" else "with the kernel (no fsync)",
        "worker": "prefork, 2 children",
    }

    def open(self):
        """Connects, so that no workload pays for it; the other peers' clients connect at their first call too."""
        app.client.transport.session()

    def close(self):
        """Closes the connections."""
        app.close()

    def submit(self, i):
        """Sends one task; it is durable when this returns."""
        noop.delay(i)

    def call(self, i):
        """Sends one task and waits for its value."""
        return noop.delay(i).get(timeout=60)

    def call_echo(self, data):
        """Sends a large value and waits for it to come back."""
        handle = echo.delay(data)
        value = handle.get(timeout=120)
        handle.forget()
        return value

    def batch(self, n):
        """Sends n tasks and returns their n values in order."""
        return noop.bulk([(i,) for i in range(n)]).get(timeout=600)

    def deep(self, lo, hi):
        """Sends counted tasks without results."""
        count.bulk([(i,) for i in range(lo, hi)])


def reset():
    """Removes the tasks that wait; what is done stays in the ledger until it expires."""
    with closing(control.connect(app.settings, start=True)) as transport:
        control.purge(transport)


def workers():
    """Returns the commands that start the workers."""
    command = f"{sys.executable} -m ignitetasks worker -A peer_ignitetasks:app -c 2 --loglevel warning"
    return [command.split()]
