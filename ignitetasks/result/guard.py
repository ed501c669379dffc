"""Whether waiting is allowed here: a task that waits for another one may hold the slot that one needs.

This file must not wait for anything.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from ignitetasks import context

_allowed: contextvars.ContextVar[bool | None] = contextvars.ContextVar("ignitetasks_join_allowed", default=None)


def task_join_will_block() -> bool:
    """Tells whether code that runs here is inside a task and has not been allowed to wait."""
    allowed = _allowed.get()
    if allowed is not None:
        return not allowed
    return context.inside_worker()


def assert_will_not_block() -> None:
    """Raises a RuntimeError where waiting could block a worker for ever."""
    if task_join_will_block():
        raise RuntimeError(
            "Never call result.get() within a task: the task waited for may need this very slot. Use a chain or a "
            "chord, or, where it cannot block, result.get(disable_sync_subtasks=False) or 'with allow_join_result():'"
        )


@contextlib.contextmanager
def allow_join_result() -> Iterator[None]:
    """Allows waiting for results inside a task for the length of a ``with`` block."""
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


@contextlib.contextmanager
def denied_join_result() -> Iterator[None]:
    """Denies waiting for results for the length of a ``with`` block."""
    token = _allowed.set(False)
    try:
        yield
    finally:
        _allowed.reset(token)
