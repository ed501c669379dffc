"""A worker inside this process: its supervisor in a thread, so that log records and signals are seen right here.

Threads and solo pools run tasks in this process too; prefork children are forked from it. For tests, and for homes
in memory. This file must not contain what a worker does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from ignitetasks.errors import NodeError
from ignitetasks.worker.main import make_worker
from ignitetasks.worker.model import WorkerApp, WorkerPlan
from ignitetasks.worker.solo import SoloWorker
from ignitetasks.worker.supervisor import Supervisor


class InProcessWorker:
    """Runs a worker in a thread of this process for the length of a ``with`` block.

    Attributes:
        plan: What the worker is.
        worker: What runs; None outside of the block.
    """

    def __init__(
        self,
        app: WorkerApp,
        plan: WorkerPlan,
        *,
        start_timeout_seconds: float = 60.0,
        stop_timeout_seconds: float | None = None,
        on_ready: Callable[[], None] | None = None,
        children: bool = False,
    ) -> None:
        """Start nothing yet.

        Args:
            app: The application.
            plan: What the worker is to be.
            start_timeout_seconds: Longest wait until it takes tasks.
            stop_timeout_seconds: Longest wait for running tasks at the end; None waits for ever.
            on_ready: Called in the worker's thread, when it takes tasks.
            children: True forks a child also for the threads and asyncio pools, as a worker of its own does.
        """
        self.plan = plan
        self.worker: Supervisor | SoloWorker | None = None
        self._app = app
        self._start_timeout = start_timeout_seconds
        self._stop_timeout = stop_timeout_seconds
        self._on_ready = on_ready
        self._children = children
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> InProcessWorker:
        """Start the worker and wait until it takes tasks.

        Raises:
            NodeError: It did not start, or not in time.
        """
        self._error = None
        self._ready.clear()
        self.worker = make_worker(self._app, self.plan, self._became_ready, in_process=not self._children)
        self._thread = threading.Thread(target=self._run, args=(self.worker,), name="ignitetasks-worker", daemon=True)
        self._thread.start()
        in_time = self._ready.wait(self._start_timeout)
        if self._error is not None:
            raise NodeError(f"the worker could not start: {self._error}") from self._error
        if not in_time:
            self.stop()
            raise NodeError(f"the worker was not ready after {self._start_timeout:g} s; is its node up?")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the worker; running tasks end first."""
        self.stop()

    @property
    def alive(self) -> bool:
        """Whether the worker's thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Stop the worker and wait for it; running tasks end first. Harmless when repeated.

        Raises:
            NodeError: A task still runs after the time for stopping.
        """
        worker, thread = self.worker, self._thread
        if worker is None or thread is None:
            return
        worker.stop()
        thread.join(self._stop_timeout)
        if thread.is_alive():
            raise NodeError(
                f"the worker did not stop within {self._stop_timeout:g} s; give it longer if tasks take longer"
            )
        self.worker = self._thread = None

    def _became_ready(self) -> None:
        if self._on_ready is not None:
            self._on_ready()
        self._ready.set()

    def _run(self, worker: Supervisor | SoloWorker) -> None:
        try:
            worker.run()
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()
