"""Tasks that look whether they should stop: the caller asks, the task decides when it can.

    @app.task(bind=True, base=AbortableTask)
    def long(self):
        while not self.is_aborted():
            ...

The request to stop is kept by the node for a day, so it is seen on any machine. Nothing is killed: to end a task from
the outside, revoke it with ``terminate=True``.
"""

from __future__ import annotations

from typing import Any, ParamSpec, TypeVar

from ignitetasks import states
from ignitetasks.app.task import Task
from ignitetasks.result import AsyncResult
from ignitetasks.store import Store
from ignitetasks.transport.base import Transport

__all__ = ["ABORTED", "AbortableAsyncResult", "AbortableTask"]

#: State of a task that was asked to stop and has not ended.
ABORTED = "ABORTED"

_BUCKET = "aborted"
_KEPT_SECONDS = 86_400.0

P = ParamSpec("P")
R = TypeVar("R")


class AbortableAsyncResult(AsyncResult[R]):
    """The handle of a task that can be asked to stop."""

    __slots__ = ()

    def abort(self) -> None:
        """Asks the task to stop; it does so when it looks."""
        Store(self.source.client.transport, _BUCKET).put(self.id, b"1", ttl_seconds=_KEPT_SECONDS)

    @property
    def state(self) -> str:
        """``ABORTED`` between the request to stop and the task's end; else as of every handle."""
        state = super().state
        return ABORTED if state not in states.READY_STATES and self.is_aborted() else state

    status = state

    def is_aborted(self) -> bool:
        """Tells whether it was asked to stop."""
        return _is_asked(self.source.client.transport, self.id)


class AbortableTask(Task[P, R]):
    """A task that can be asked to stop: its handles have `abort`, and it has `is_aborted`."""

    def AsyncResult(self, task_id: str, **options: Any) -> AbortableAsyncResult[R]:  # Celery's name
        """Returns the handle of a task by its id, with `abort`; ``options`` are arguments of `AsyncResult`."""
        options = {"task_name": self.name, "app": self.app, **options}
        return AbortableAsyncResult(task_id, **options)

    def is_aborted(self, task_id: str | None = None, **_: Any) -> bool:
        """Tells whether the running task was asked to stop, or the one with this id."""
        wanted = task_id or self.request.id
        return bool(wanted) and _is_asked(self.app.transport, str(wanted))


def _is_asked(transport: Transport, task_id: str) -> bool:
    return Store(transport, _BUCKET).get(task_id) is not None
