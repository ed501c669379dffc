"""How often calls of a task may start: what workers declare, what was set at run time, and a bucket for each task.

A bucket is one number, the time at which it would be full again; starts are spread evenly, and a few that are late may
come at once. This file must not know queues or connections; its home asks it with the lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

#: Starts may come this much early after a pause or a late one, so that fast rates need no wait for each start.
_SPARE_US: Final = 20_000
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}


def interval_us(text: str) -> int:
    """Returns the time between two starts at a rate, in microseconds; 0 for a text that sets no limit.

    Args:
        text: As `ignitetasks.rates.rate_text` writes it.
    """
    number, _, unit = text.partition("/")
    rate = float(number or 0) / _UNIT_SECONDS[unit or "s"]
    return max(1, round(1e6 / rate)) if rate else 0


class Rates:
    """The rates that hold, and what is left of them."""

    def __init__(self) -> None:
        self._declared: dict[str, int] = {}
        self._overrides: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self._full_us: dict[str, int] = {}

    def settle(self, declared: Iterable[Mapping[str, str]]) -> None:
        """Takes what workers declare; where they differ, the stricter counts."""
        self._declared = {}
        for limits in declared:
            for task, text in limits.items():
                self._declared[task] = max(interval_us(text), self._declared.get(task, 0))
        self._combine()

    def override(self, limits: Mapping[str, str]) -> None:
        """Takes what was set at run time, which wins; an empty text lifts a limit."""
        self._overrides = {task: interval_us(text) for task, text in limits.items()}
        self._combine()

    def _combine(self) -> None:
        whole = {**self._declared, **self._overrides}
        self._limits = {task: interval for task, interval in whole.items() if interval}

    def next_us(self, task: str, now_us: int) -> int:
        """Returns when a call of a task may start; not after now if it may."""
        interval = self._limits.get(task)
        return 0 if interval is None else self._full(task, interval, now_us) - _SPARE_US

    def _full(self, task: str, interval: int, now_us: int) -> int:
        # A clock that was set back, or a slower rate before, must not close it for longer than this rate would.
        return min(max(self._full_us.get(task, 0), now_us), now_us + _SPARE_US + interval)

    def use(self, task: str, now_us: int) -> None:
        """Takes one start out of a task's bucket."""
        interval = self._limits.get(task)
        if interval is not None:
            self._full_us[task] = self._full(task, interval, now_us) + interval

    def give_back(self, task: str) -> None:
        """Puts a start back that was not used after all."""
        interval = self._limits.get(task)
        if interval is not None and task in self._full_us:
            self._full_us[task] -= interval
