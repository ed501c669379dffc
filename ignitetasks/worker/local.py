"""A worker for the length of a block, for scripts and notebooks: ``with app.local_worker(): ...``.

The worker is a copy (fork) of this very process, so tasks of ``__main__`` and of notebook cells exist in it without
being imported; cells run later are not seen by it. This file must not contain what a worker does.
"""

from __future__ import annotations

import os
import select
import signal
import time
import warnings
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

from ignitetasks.errors import IgniteTasksError, NodeError
from ignitetasks.utils.processes import die_with_parent, flush_streams
from ignitetasks.worker.inprocess import InProcessWorker
from ignitetasks.worker.main import make_plan, make_worker
from ignitetasks.worker.model import PREFORK, SOLO, WorkerApp, WorkerPlan

_READY: Final = b"R"
_POLL_SECONDS: Final = 0.01
#: Longest wait, after a killed worker, for its end; in seconds.
_KILL_SECONDS: Final = 5.0


class LocalWorker:
    """Runs a worker in forked processes while the block lasts.

    The fork copies this process with its current thread only. Locks that another thread holds in this moment stay
    locked in the copy: where other threads are at work, enter the block before they start, or use a worker of its
    own (``ignitetasks worker``). The worker dies with the thread that entered the block.
    """

    def __init__(
        self,
        app: WorkerApp,
        concurrency: int = 2,
        pool: str = PREFORK,
        queues: Sequence[str] | None = None,
        *,
        start_timeout_seconds: float = 60.0,
        stop_timeout_seconds: float | None = None,
        **options: Any,
    ) -> None:
        """Check everything; nothing is started.

        Args:
            app: The application.
            concurrency: Tasks at the same time.
            pool: ``prefork``, ``threads`` or ``solo``.
            queues: Queues to take tasks from; None for the application's default queue.
            start_timeout_seconds: Longest wait until the worker takes tasks.
            stop_timeout_seconds: Longest wait for running tasks at the end of the block; then they go back to
                their queues. None waits for ever.
            **options: Further options of `make_plan`.

        Raises:
            ConfigurationError: A value cannot be.
        """
        if pool == SOLO:
            concurrency = 1
        self._app = app
        self._plan: WorkerPlan = make_plan(app, concurrency=concurrency, pool=pool, queues=queues, **options)
        self._start_timeout = start_timeout_seconds
        self._stop_timeout = stop_timeout_seconds
        self._owner = 0
        self._inside: InProcessWorker | None = None
        #: Process id of the worker; 0 outside of the block.
        self.pid = 0

    def __enter__(self) -> LocalWorker:
        """Start the worker and wait until it takes tasks.

        Returns:
            This object.

        Raises:
            NodeError: The node could not be started, or the worker was not ready in time.
        """
        if self.pid or self._inside is not None:
            raise IgniteTasksError("This local worker runs already; make a second one for a nested block.")
        if self._app.transport.address() is not None:
            # The home is in this process: so is the worker, and nothing has to be forked to be near it.
            self._inside = InProcessWorker(
                self._app,
                self._plan,
                start_timeout_seconds=self._start_timeout,
                stop_timeout_seconds=self._stop_timeout,
            )
            self._inside.__enter__()
            return self
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        flush_streams()
        self._owner = os.getpid()
        with warnings.catch_warnings():
            # Newer Pythons warn of forks beside other threads; the class's description says what to do about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if not self.pid:
            os.close(read_end)
            self._work(write_end)
        os.close(write_end)
        try:
            self._wait_ready(read_end)
        except BaseException:
            self._end(signal.SIGQUIT, _KILL_SECONDS)
            raise
        finally:
            os.close(read_end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the worker; running tasks end first."""
        self.stop()

    def stop(self) -> None:
        """Stop the worker; running tasks end first. Harmless when repeated."""
        if self._inside is not None:
            inside, self._inside = self._inside, None
            inside.stop()
        # A forked copy of the owner leaves the block too; the worker is not its own.
        if self.pid and self._owner == os.getpid():
            self._end(signal.SIGTERM, self._stop_timeout)

    def _work(self, ready: int) -> None:
        """Be the worker; never returns."""
        code = 1
        try:
            # Cold: when the notebook's process dies, nobody waits for what its tasks still do.
            die_with_parent(self._owner, signal.SIGQUIT)
            os.setpgid(0, 0)
            worker = make_worker(self._app, self._plan, lambda: _tell(ready, _READY))
            code = worker.run()
        except BaseException as error:
            _tell(ready, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        finally:
            flush_streams()
            os._exit(code)

    def _wait_ready(self, ready: int) -> None:
        found, _, _ = select.select([ready], [], [], self._start_timeout)
        if not found:
            raise NodeError(f"the local worker was not ready after {self._start_timeout:g} s; see the node's log")
        said = os.read(ready, 4096)
        if said != _READY:
            reason = said.decode("utf-8", "replace") or "its process died"
            raise NodeError(f"the local worker could not start: {reason}")

    def _end(self, signum: int, patience: float | None) -> None:
        """Signal the worker and wait for its end, more and more firmly."""
        pid, self.pid = self.pid, 0
        os.kill(pid, signum)
        if _wait_for_end(pid, patience):
            return
        os.kill(pid, signal.SIGQUIT)
        if not _wait_for_end(pid, _KILL_SECONDS):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _wait_for_end(pid: int, seconds: float | None) -> bool:
    deadline = None if seconds is None else time.monotonic() + seconds
    while deadline is None or time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _tell(descriptor: int, message: bytes) -> None:
    try:
        os.write(descriptor, message)
    except OSError:  # nobody waits any more
        return
