"""The processes of the demonstration: a worker started as a command, the node behind it, and how they are killed.

Stops all it has started, and nothing else. Must not know what the tasks do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from ignitetasks import IgniteTasks, Settings, jvm

_HERE = Path(__file__).resolve().parent
_STOP_SECONDS = 20.0
# One core per training: otherwise the numeric libraries of all children fight for the same cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Crew:
    """A worker command and its node, for the length of a ``with`` block.

    Args:
        app: The application, configured for the data directory to use.
        concurrency: Children of the worker.
        environment: Further variables of the worker.

    Attributes:
        killed: Process ids of all children this object has killed.
    """

    def __init__(self, app: IgniteTasks, concurrency: int, environment: dict[str, str]) -> None:
        self._settings: Settings = app.settings
        self._app = app
        self._concurrency = concurrency
        self._environment = environment
        self._worker: subprocess.Popen[bytes] | None = None
        self._ran_before = jvm.find(self._settings) is not None
        self.killed: set[int] = set()
        self.log = self._settings.data_dir / "worker.log"

    def __enter__(self) -> Crew:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ignitetasks", "worker", "-A", "tasks", "-c", str(self._concurrency)]
        command += ["--data-dir", str(self._settings.data_dir)]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C here must not reach it before we are done with it.
            self._worker = subprocess.Popen(
                command,
                cwd=_HERE,
                env={**os.environ, **ONE_THREAD, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int | None:
        """Stops the worker, then the node unless it ran before; returns the worker's exit code. May be repeated."""
        worker = self._worker
        if worker is not None and worker.poll() is None:
            worker.terminate()
            try:
                worker.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                worker.send_signal(signal.SIGQUIT)
                try:
                    worker.wait(5.0)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()
        self._app.close()
        if not self._ran_before:
            jvm.stop(self._settings)
        return None if worker is None else worker.returncode

    def check(self) -> None:
        """Raises when the worker has ended by itself."""
        if self._worker is not None and self._worker.poll() is not None:
            raise RuntimeError(f"the worker ended with code {self._worker.returncode}; its log:\n{self.tail()}")

    def tail(self, lines: int = 20) -> str:
        """Returns the last lines the worker has written."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:]) if self.log.exists() else ""

    def children(self) -> list[int]:
        """Returns the process ids of the worker's children."""
        worker = self._worker
        if worker is None:
            return []
        text = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def kill_child(self, pid: int) -> None:
        """Kills one child with ``kill -9``."""
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def kill_node(self) -> int:
        """Kills the worker's JVM with ``kill -9``; the worker then ends its children, whose tasks nobody owns.

        Returns:
            The JVM's process id.
        """
        node = jvm.find(self._settings)
        if node is None:
            raise RuntimeError("no node is running")
        self.killed.update(self.children())
        os.kill(node.pid, signal.SIGKILL)
        return node.pid

    def wait_for_new_node(self, old: int, seconds: float = 60.0) -> int:
        """Waits until another JVM serves the data directory; returns its process id."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            node = jvm.find(self._settings)
            if node is not None and node.pid != old:
                return node.pid
            time.sleep(0.02)
        raise RuntimeError(f"no new node after {seconds:g} s; the worker's log:\n{self.tail()}")
