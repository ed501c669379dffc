"""The handle of a task that was run here and now. This file must not ask a node for anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ignitetasks import states
from ignitetasks.errors import TaskRevokedError
from ignitetasks.result.guard import assert_will_not_block
from ignitetasks.result.handle import AsyncResult

R = TypeVar("R")

_NO_ID = "-"
#: A task that refuses its message has nobody to tell so but its caller, who sees the state.
_RAISED = states.PROPAGATE_STATES - {states.REJECTED}


class EagerResult(AsyncResult[R]):
    """How a task that was run eagerly ended.

    Args:
        id: Its id; None where it was never run.
        ret_value: What it returned, or the exception it raised.
        state: Name of its state.
        traceback: Formatted traceback of the exception.
        name: Name of the task.
    """

    __slots__ = ("_state", "_traceback", "_value")

    def __init__(
        self, id: str | None, ret_value: Any, state: str, traceback: Any = None, name: str | None = None
    ) -> None:
        super().__init__(id or _NO_ID, None, name)
        if id is None:
            self.id = None  # type: ignore[assignment]
        self._value = ret_value
        self._state = state
        self._traceback = traceback

    def get(  # type: ignore[override]
        self, timeout: float | None = None, propagate: bool = True, disable_sync_subtasks: bool = True, **_: Any
    ) -> R:
        """Returns the result, or raises the exception; None where the task refused its message or was ignored."""
        if disable_sync_subtasks:
            assert_will_not_block()
        if self._state in _RAISED and propagate:
            raise self._value if isinstance(self._value, BaseException) else Exception(self._value)
        value: Any = self._value if self._state == states.SUCCESS or self._state in _RAISED else None
        return value  # type: ignore[no-any-return]

    wait = get  # type: ignore[assignment]

    def _get_task_meta(self) -> dict[str, Any]:
        """Returns what is known of the call as a map."""
        return {
            "task_id": self.id,
            "status": self._state,
            "result": self._value,
            "traceback": self._traceback,
            "name": self.task_name,
        }

    async def _await(self) -> R:
        return self.get(disable_sync_subtasks=False)

    @property
    def state(self) -> str:
        """The task's state."""
        return self._state

    status = state

    @property
    def result(self) -> Any:
        """What it returned, or the exception it raised."""
        return self._value

    info = result

    @property
    def traceback(self) -> str | None:
        """The formatted traceback of the exception, or None."""
        return None if self._traceback is None else str(self._traceback)

    @property
    def children(self) -> list[Any]:
        """Nothing: what an eager task started has run already."""
        return []

    @property
    def supports_native_join(self) -> bool:
        """False: there is nothing to wait for."""
        return False

    def ready(self) -> bool:
        """True."""
        return True

    def successful(self) -> bool:
        """Tells whether it ended well."""
        return self._state == states.SUCCESS

    def failed(self) -> bool:
        """Tells whether it failed, or was rejected."""
        return self._state in (states.FAILURE, states.REJECTED)

    def exists(self) -> bool:
        """True."""
        return True

    def then(self, callback: Callable[[Any], Any], on_error: Any = None, weak: bool = False) -> Any:
        """Calls a function with this handle."""
        return callback(self)

    def maybe_throw(self, propagate: bool = True, callback: Callable[[str, Any], Any] | None = None) -> Any:
        """Raises the exception of a task that failed; else returns its result."""
        if self._state in _RAISED and propagate:
            raise self._value
        if callback is not None:
            callback(self.id, self._value)
        return self._value

    maybe_reraise = maybe_throw

    def forget(self) -> None:
        """Does nothing: nothing is stored."""

    def revoke(self, *_: Any, **__: Any) -> None:
        """Makes it look revoked; it has run already."""
        self._state, self._value, self._traceback = states.REVOKED, TaskRevokedError(f"{self.id} was revoked"), None

    def __copy__(self) -> EagerResult[R]:
        return EagerResult(self.id, self._value, self._state, self._traceback, self.task_name)

    def __reduce__(self) -> tuple[Any, ...]:
        return EagerResult, (self.id, self._value, self._state, self._traceback, self.task_name)

    def __repr__(self) -> str:
        return f"<EagerResult: {self.id}>"
