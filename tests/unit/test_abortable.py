"""Tasks that look whether they should stop, with everything in memory and the worker in this process."""

from __future__ import annotations

import threading

from ignitetasks import IgniteTasks
from ignitetasks.contrib.abortable import ABORTED, AbortableAsyncResult, AbortableTask


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
        assert handle.is_aborted() and long.is_aborted(task_id=handle.id)
        assert handle.state in (ABORTED, "SUCCESS")
        assert handle.get(timeout=20) == "stopped when asked"
        other = short.apply_async()
        assert (other.get(timeout=20), other.is_aborted()) == (1, False)


def test_a_task_that_waits_can_be_asked_too() -> None:
    app = IgniteTasks("abortable", transport="memory://abortable-waits")

    @app.task(base=AbortableTask)
    def short() -> int:
        return 1

    with app:
        handle = short.delay()
        assert handle.state == "PENDING"
        handle.abort()
        assert handle.state == handle.status == ABORTED
        with app.local_worker(pool="threads"):
            assert handle.get(timeout=20) == 1  # it did not look
        assert handle.state == "SUCCESS"


def test_outside_a_worker_nobody_has_asked() -> None:
    app = IgniteTasks("abortable", transport="memory")

    @app.task(bind=True, base=AbortableTask)
    def look(self: AbortableTask[..., bool]) -> bool:
        return self.is_aborted()

    assert look() is False
