"""Tasks that look whether they should stop, with everything in memory and the worker in this process."""

from __future__ import annotations

import threading

from ignitetasks import IgniteTasks
from ignitetasks.contrib.abortable import AbortableAsyncResult, AbortableTask


def test_a_running_task_sees_that_it_should_stop() -> None:
    app = IgniteTasks("abortable", transport="memory://abortable")
    started = threading.Event()

    @app.task(bind=True, base=AbortableTask)
    def long(self: AbortableTask[..., str]) -> str:
        started.set()
        pause = threading.Event()
        while not self.is_aborted():
            pause.wait(0.01)
        return "stopped when asked"

    @app.task(base=AbortableTask)
    def short() -> int:
        return 1

    with app, app.local_worker(concurrency=2, pool="threads"):
        handle = long.delay()
        assert isinstance(handle, AbortableAsyncResult)
        assert started.wait(20)
        assert not handle.is_aborted()
        long.AsyncResult(handle.id).abort()
        assert handle.is_aborted()
        assert handle.get(timeout=20) == "stopped when asked"
        other = short.apply_async()
        assert (other.get(timeout=20), other.is_aborted()) == (1, False)


def test_outside_a_worker_nobody_has_asked() -> None:
    app = IgniteTasks("abortable", transport="memory")

    @app.task(bind=True, base=AbortableTask)
    def look(self: AbortableTask[..., bool]) -> bool:
        return self.is_aborted()

    assert look() is False
