"""Waiting for a condition with a deadline: the only way tests wait for another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Generous: a deadline is for a test that would hang, never a measurement.
PATIENCE_SECONDS = 60.0


def until(
    condition: Callable[[], T],
    what: str | Callable[[], str] = "",
    timeout: float = PATIENCE_SECONDS,
    step: float = 0.02,
) -> T:
    """Calls a function until its answer is true, and returns that.

    Args:
        condition: What is asked.
        what: What is waited for, for the message; a function is called when the time is over.
        timeout: Seconds.
        step: Seconds between two questions.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            words = what() if callable(what) else what or condition
            raise AssertionError(f"waited {timeout:g} s in vain for {words}; last answer: {answer!r}")
        time.sleep(step)
