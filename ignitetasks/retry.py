"""When a failed task runs again: a pure value and one function of it.

This file must not sleep, look at a clock, or know about workers; retries of client calls live in
``transport/retrying.py``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how late a task is repeated.

    Attributes:
        max_retries: Repeats after the first run; None means without end.
        delay_seconds: Pause before each repeat when there is no backoff.
        backoff_seconds: Pause before the first repeat, doubled at each further one; 0 means no backoff.
        backoff_max_seconds: Upper bound of a backoff pause.
        jitter: True draws each backoff pause evenly between 0 and its computed length.
        retry_for: Exception classes that are repeated.
        never_for: Exception classes that are not, even where a base class of theirs is in ``retry_for``.
    """

    max_retries: int | None = 3
    delay_seconds: float = 180.0
    backoff_seconds: float = 0.0
    backoff_max_seconds: float = 600.0
    jitter: bool = True
    retry_for: tuple[type[BaseException], ...] = ()
    never_for: tuple[type[BaseException], ...] = ()

    def matches(self, error: BaseException) -> bool:
        """Tells whether an exception of a task is one to repeat the task for."""
        return isinstance(error, self.retry_for) and not isinstance(error, self.never_for)

    def exhausted(self, retries: int) -> bool:
        """Tells whether a task that was already repeated ``retries`` times has no repeat left."""
        return self.max_retries is not None and retries >= self.max_retries

    def next_delay(self, retries: int, draw: Callable[[], float] = random.random) -> float | None:
        """Returns the pause before the next run.

        Args:
            retries: Repeats already made.
            draw: Source of numbers in [0, 1) for the jitter.

        Returns:
            Seconds, or None when no repeat is left.
        """
        if self.exhausted(retries):
            return None
        if self.backoff_seconds <= 0:
            return self.delay_seconds
        # The exponent is capped: 2**1100 no longer fits a float, and the bound holds long before.
        pause = min(self.backoff_seconds * 2.0 ** min(retries, 64), self.backoff_max_seconds)
        return pause * draw() if self.jitter else pause
