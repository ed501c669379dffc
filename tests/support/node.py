"""A private embedded node: a real JVM on a data directory of its own, which nobody else finds."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from ignitetasks import jvm
from ignitetasks.config import Settings
from ignitetasks.control import connect
from ignitetasks.transport.base import Transport
from support.polling import until
from support.processes import is_alive, kill_pid

#: When pytest is killed with -9, no finalizer runs: a node that nobody uses any more then ends by itself.
_IDLE_EXIT_SECONDS = 60


class EmbeddedNode:
    """One data directory and the JVM on it.

    Args:
        data_dir: The directory.
        durability: ``process`` or ``power``.
        **settings: Further settings.

    Attributes:
        data_dir: As given.
        settings: What an app needs to find it.
    """

    def __init__(self, data_dir: Path, durability: str = "process", **settings: Any) -> None:
        self.data_dir = data_dir
        self.overrides: dict[str, Any] = {
            "data_dir": data_dir,
            "durability": durability,
            "idle_exit_seconds": _IDLE_EXIT_SECONDS,
            **settings,
        }
        self.settings = Settings.from_env(**self.overrides)
        self._transport: Transport | None = None
        # Registered before anything runs; harmless when the fixture has stopped it already.
        atexit.register(self._end)

    @property
    def env(self) -> dict[str, str]:
        """Environment variables by which another process finds (or starts) this node."""
        return {f"IGNITETASKS_{name.upper()}": str(value) for name, value in self.overrides.items()}

    @property
    def pid(self) -> int | None:
        """Process id of the JVM; None when none is ready."""
        connection = jvm.find(self.settings)
        return connection.pid if connection else None

    @property
    def transport(self) -> Transport:
        """A way to the node beside the application's, e.g. for ``status``; starts none."""
        if self._transport is None:
            self._transport = connect(self.settings, start=False, kind="test")
        return self._transport

    def start(self) -> jvm.Connection:
        """Starts the JVM where none runs."""
        return jvm.ensure_running(self.settings)

    def call(self, op: str, *args: Any) -> Any:
        """Calls an operation of the gateway."""
        return self.transport.call(op, *args)

    def status(self) -> dict[str, Any]:
        """Returns the answer of ``status``."""
        answer: dict[str, Any] = self.call("status")
        return answer

    def worker_status(self, name: str) -> dict[str, Any] | None:
        """Returns what the node knows of a worker."""
        return next((one for one in self.status()["workers"] if one["name"] == name), None)

    def queue_status(self, name: str) -> dict[str, Any]:
        """Returns the numbers of a queue; zeros for one the node does not know."""
        zeros = dict.fromkeys(("pending", "delayed", "running", "workers", "free_slots", "oldest_ms"), 0)
        return next((one for one in self.status()["queues"] if one["name"] == name), {"name": name, **zeros})

    def record(self, task_id: str) -> Any:
        """Returns a task's record: a map, None for unknown, "expired"."""
        return self.call("info", [task_id])[0]

    def kill(self) -> None:
        """Kills the JVM with -9 and waits until it is gone."""
        pid = self.pid
        if pid is None:
            raise AssertionError(f"no node runs on {self.data_dir}")
        kill_pid(pid)

    def stop(self) -> bool:
        """Stops the JVM cleanly; True when one ran."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        return jvm.stop(self.settings)

    def close(self) -> None:
        """Stops the JVM, whatever state it is in, and removes its data."""
        atexit.unregister(self._end)
        self._end()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    def _end(self) -> None:
        try:
            self.stop()
        finally:
            for pid in leftovers(self.data_dir):
                kill_pid(pid)

    def __enter__(self) -> EmbeddedNode:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class GivenNode(EmbeddedNode):
    """A node that somebody else has started and will stop, e.g. one in a container."""

    def start(self) -> jvm.Connection:
        """Finds it."""
        return until(lambda: jvm.find(self.settings), f"a node at {self.data_dir}")

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """Leaves it alone."""
        atexit.unregister(self._end)
        self._end()


def leftovers(folder: Path) -> list[int]:
    """Returns the pids of JVMs whose command line names a file below a folder."""
    mark = os.fsencode(os.path.realpath(folder)) + b"/"
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes()
            if mark in line and b"org.ignitetasks" in line and is_alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def stop_politely(pid: int) -> None:
    """Asks a JVM to stop and waits for its end."""
    kill_pid(pid, signal.SIGTERM)
