"""`Backend`: results and states under the methods of a result backend; ``app.backend`` and ``task.backend``.

There is no separate store: a result is in the record of its task. So what reads works for any task, and what writes
works where the record allows it: a running task tells its own state. This file must not talk to a node itself.
"""

from __future__ import annotations

from typing import Any

from ignitetasks import _state, states
from ignitetasks.errors import InvalidTaskError

__all__ = ["Backend"]


class Backend:
    """Results of an application.

    Args:
        app: The application.
    """

    READY_STATES = states.READY_STATES
    UNREADY_STATES = states.UNREADY_STATES
    EXCEPTION_STATES = states.EXCEPTION_STATES
    #: Results outlive every process.
    persistent = True
    supports_native_join = True

    def __init__(self, app: Any) -> None:
        self.app = app

    def ensure_chords_allowed(self) -> None:
        """Does nothing: chords need no backend that is able to count."""

    def __repr__(self) -> str:
        return f"<Backend of {self.app!r}>"

    def as_uri(self, include_password: bool = False) -> str:
        """Returns where results are, as a URL."""
        settings = self.app.settings
        if settings.transport is not None:
            return str(settings.transport)
        return f"ignite://{','.join(settings.cluster)}" if settings.cluster else f"ignite://{settings.data_dir}"

    def get_state(self, task_id: str) -> str:
        """Returns the state of a task."""
        return str(self.app.AsyncResult(task_id).state)

    get_status = get_state

    def get_result(self, task_id: str) -> Any:
        """Returns the result of a task, its exception, or what it told of itself while it runs."""
        return self.app.AsyncResult(task_id).result

    def get_traceback(self, task_id: str) -> str | None:
        """Returns the traceback of a task that failed, as text, or None."""
        found: str | None = self.app.AsyncResult(task_id).traceback
        return found

    def get_task_meta(self, task_id: str, cache: bool = True) -> dict[str, Any]:
        """Returns state, result and traceback of a task as a map."""
        handle = self.app.AsyncResult(task_id)
        return {
            "task_id": task_id,
            "status": handle.state,
            "result": handle.result,
            "traceback": handle.traceback,
            "date_done": handle.date_done,
        }

    def get_many(self, task_ids: list[str], timeout: float | None = None, **_: Any) -> list[tuple[str, dict[str, Any]]]:
        """Waits for tasks and returns the id and the map of each; see `get_task_meta`."""
        for task_id in task_ids:
            self.app.AsyncResult(task_id).get(timeout=timeout, propagate=False)
        return [(task_id, self.get_task_meta(task_id)) for task_id in task_ids]

    def wait_for(self, task_id: str, timeout: float | None = None, **_: Any) -> dict[str, Any]:
        """Waits for the end of a task and returns its map; see `get_task_meta`."""
        self.app.AsyncResult(task_id).get(timeout=timeout, propagate=False)
        return self.get_task_meta(task_id)

    def forget(self, task_id: str) -> None:
        """Removes the record of a task that has ended."""
        self.app.AsyncResult(task_id).forget()

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **_: Any
    ) -> Any:
        """Tells the state of the task that runs here, as `Task.update_state` does.

        Args:
            task_id: Id of the running task.
            result: What belongs to the state.
            state: A state of its own, such as ``PROGRESS``.
            traceback: Accepted, and of no use.
            request: Accepted, and of no use.

        Raises:
            InvalidTaskError: No task of this id runs here, or the state is an end, which only its run decides.
        """
        task = _state.get_current_task()
        running = task.request.id if task is not None else None
        if running != task_id or state in states.READY_STATES:
            raise InvalidTaskError(
                f"{state} cannot be stored for task {task_id}: a record changes by its own run alone; return a value, "
                "raise an error, or call update_state inside the task"
            )
        task.update_state(task_id, state, result)
        return result

    def mark_as_started(self, task_id: str, **meta: Any) -> Any:
        """Tells that the task that runs here has started; see `store_result`."""
        return self.store_result(task_id, meta, states.STARTED)

    def cleanup(self) -> None:
        """Does nothing: the node removes what has expired."""

    def process_cleanup(self) -> None:
        """Does nothing: there is nothing to release after a task."""
