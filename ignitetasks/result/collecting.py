"""What takes the ends of several tasks while somebody waits for all of them. This file must not wait for anything."""

from __future__ import annotations

from ignitetasks import states
from ignitetasks.hub import Waiter
from ignitetasks.message import Completion

_FAILED = frozenset({states.FAILURE_CODE, states.REVOKED_CODE, states.DEAD_CODE, states.REJECTED_CODE})


class Collector(Waiter):
    """Takes the completions of some handles; has enough at the first failure where that is wanted."""

    __slots__ = ("_first_failure", "found")

    def __init__(self, count: int, first_failure: bool) -> None:
        super().__init__(count, self._take)
        self.found: list[Completion] = []
        self._first_failure = first_failure

    def _take(self, completion: Completion) -> None:
        self.found.append(completion)
        if self._first_failure and completion.state in _FAILED:
            self.enough = self.left  # whoever waits has seen enough
