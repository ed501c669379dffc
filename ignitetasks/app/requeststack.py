"""A task's requests as a stack, under Celery's name.

This file must not keep any: the current one is in ``context``, and the task knows how to get back behind a pushed one.
"""

from __future__ import annotations

from typing import Any

from ignitetasks import context
from ignitetasks.context import Request


class RequestStack:
    """The requests of a task.

    Args:
        task: The task.
    """

    def __init__(self, task: Any) -> None:
        self._task = task

    @property
    def top(self) -> Request | None:
        """The request that is current; None where the task does not run."""
        current = context.current_request()
        return None if current is None or current.task not in (None, self._task.name) else current

    def push(self, request: Request) -> None:
        """Makes a request current.

        Args:
            request: The request, e.g. a `Context` made by hand.
        """
        request.task, request.owner = request.task or self._task.name, request.owner or self._task
        self._pushed.append(context.enter(request))

    def pop(self) -> None:
        """Takes back the last `push`."""
        context.leave(self._pushed.pop())

    def __len__(self) -> int:
        return len(self._pushed)

    @property
    def _pushed(self) -> list[Any]:
        pushed: list[Any] = self._task.__dict__.setdefault("_pushed", [])
        return pushed
