"""Real workers: ``python -m ignitetasks worker`` in a process of its own, waited for until it takes tasks."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from support.polling import until
from support.processes import Processes, Running, children_of


class WorkerProcess:
    """One worker.

    Args:
        running: Its process.
        name: Its name in the node's status.

    Attributes:
        running: As given.
        name: As given.
    """

    def __init__(self, running: Running, name: str) -> None:
        self.running = running
        self.name = name

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self.running.pid

    @property
    def children(self) -> list[int]:
        """Process ids of its children, as the kernel has them now."""
        return children_of(self.pid)

    def text(self) -> str:
        """Returns everything it has logged."""
        return self.running.text()

    def stop(self, timeout: float = 30.0) -> int:
        """Stops it warmly (SIGTERM: running tasks end first) and returns the exit code."""
        return self.running.stop(signal.SIGTERM, timeout)

    def stop_cold(self, timeout: float = 30.0) -> int:
        """Stops it at once (SIGQUIT: running tasks go back) and returns the exit code."""
        return self.running.stop(signal.SIGQUIT, timeout)

    def kill(self) -> None:
        """Kills the supervisor with -9."""
        self.running.kill()


def start_worker(
    processes: Processes,
    status: Callable[[], Mapping[str, Any]],
    app: str,
    *,
    name: str,
    queues: Sequence[str] = (),
    concurrency: int = 1,
    pool: str = "prefork",
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    path: Sequence[str | os.PathLike[str]] = (),
    wait: bool = True,
) -> WorkerProcess:
    """Starts a worker and waits until all its slots take tasks.

    Args:
        processes: Who ends it.
        status: Asks its node for ``status``; a node that is not there yet is an exception, and is asked again.
        app: ``module[:attribute]``.
        name: The worker's name.
        queues: Its queues; none means the app's default.
        concurrency: Tasks at a time.
        pool: ``prefork``, ``threads`` or ``solo``.
        options: Further words of the command line.
        env: Environment, e.g. that of `EmbeddedNode.env`.
        path: Folders its modules are imported from.
        wait: False returns at once.
    """
    words = ["worker", "-A", app, "-n", name, "--pool", pool, *options]
    if pool != "solo":
        words += ["-c", str(concurrency)]
    if queues:
        words += ["-Q", ",".join(queues)]
    worker = WorkerProcess(processes.command(*words, name=f"worker-{name}", env=env, path=path), name)
    if wait:
        wait_ready(worker, status, concurrency)
    return worker


def wait_ready(worker: WorkerProcess, status: Callable[[], Mapping[str, Any]], slots: int) -> None:
    """Waits until all slots of a worker take tasks, or have taken one."""

    def ready() -> bool:
        if not worker.running.alive:
            raise AssertionError(f"worker {worker.name} ended by itself:\n{worker.text()}")
        try:
            workers = status()["workers"]
        except Exception:
            return False  # its node is just being started
        mine = [one for one in workers if one["name"] == worker.name and one["pid"] == worker.pid]
        return bool(mine) and mine[0]["free"] + mine[0]["running"] >= slots

    until(ready, lambda: f"worker {worker.name} to be ready:\n{worker.text()}")
