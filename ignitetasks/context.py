"""What a running task may know of itself: the current request.

The worker (or eager execution) sets the current request around a call; `current_request()` and `self.request`
read it. The worker sets only the parts it has and how to make a request of them, since most tasks never look:
building happens at the first look. This file must not import anything of the application, the transport or the
worker, and holds no state besides one context variable.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Request:
    """One execution of a task, as the task itself sees it. Treat it as read-only.

    Attributes:
        id: Id of the task; None when its function was called directly.
        task: Name of the task.
        args: Positional arguments of this execution, without a bound ``self``.
        kwargs: Keyword arguments of this execution.
        retries: How many times the task has been retried so far.
        deliveries: How many executions of this attempt were lost with their process.
        fence: Number of this delivery; larger for every later one of the same task.
        eta: Earliest time the task was asked to run at (UTC), or None.
        expires: Time after which it must not start any more (UTC), or None.
        created: When the task was submitted (UTC), or None.
        headers: The caller's own headers.
        queue: Queue it was taken from.
        priority: Its priority, 0-255.
        root_id: Id of the first task of the workflow.
        parent_id: Id of the task that sent this one, or None.
        group: Id of the group it belongs to, or None.
        hostname: Name of the worker that runs it.
        timelimit: Soft and hard limit in seconds, None where there is none.
        delivery_info: Queue (as ``routing_key``), priority and whether it was delivered before.
        called_directly: True when no worker runs it.
        is_eager: True when it runs in the caller's process by request.
        options: Everything else the caller sent along.
    """

    id: str | None = None
    task: str | None = None
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    retries: int = 0
    deliveries: int = 0
    fence: int = 0
    eta: datetime | None = None
    expires: datetime | None = None
    created: datetime | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: int = 0
    root_id: str | None = None
    parent_id: str | None = None
    group: str | None = None
    hostname: str | None = None
    timelimit: tuple[float | None, float | None] = (None, None)
    delivery_info: dict[str, Any] = field(default_factory=dict)
    called_directly: bool = True
    is_eager: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def correlation_id(self) -> str | None:
        """The task's id under the name message brokers use."""
        return self.id

    @property
    def redelivered(self) -> bool:
        """Whether an earlier execution of this attempt was lost with its process."""
        return self.deliveries > 0


#: A request still to be made: the function that makes it, and its argument.
Pending = tuple[Callable[[Any], Request], Any]

# Not a plain global: threads of one child, and later coroutines of one thread, each run their own task.
_current: contextvars.ContextVar[Request | Pending | None] = contextvars.ContextVar("ignitetasks_request", default=None)

#: Makes a request (or the parts of one) current; returns the token for `leave`.
enter = _current.set
#: Makes the request current that was so before the matching `enter`.
leave = _current.reset


def current_request() -> Request | None:
    """Return the request of the task that runs here.

    Returns:
        The request, or None outside of a task. The same object for the whole execution.
    """
    current = _current.get()
    if type(current) is tuple:
        make, parts = current
        current = make(parts)
        # No token is kept: the `leave` of the execution restores what was before it in any case.
        _current.set(current)
    return current  # type: ignore[return-value]
