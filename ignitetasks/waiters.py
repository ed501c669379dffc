"""Somebody who waits for ends of tasks, as the hub sees them.

This file must not know where completions come from.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ignitetasks.message import Completion

#: Words of running tasks that are kept for one that does not listen; the oldest go first.
HEARD_ITEMS: Final = 1_000


class Waiter:
    """Somebody who wants some completions; made by the caller, filled by the hub.

    Args:
        count: How many completions are wanted.
        sink: Gets each completion, under the hub's lock: it must be quick and must not call the hub.

    Attributes:
        asked: True when the node was asked for some of its ids; else it relies on an `Epoch`.
        left: Completions still missing.
        enough: `ResultHub.wait` returns when no more than so many are missing.
        hear: Gets what its tasks say while they run, in the thread that waits; None for nothing.
        heard: What they have said, and `hear` has not got yet; the last of each.
    """

    __slots__ = ("__weakref__", "asked", "enough", "hear", "heard", "left", "sink", "wake")

    def __init__(self, count: int, sink: Callable[[Completion], None]) -> None:
        self.left = count
        self.enough = 0
        self.asked = False
        self.sink = sink
        self.wake = threading.Event()
        self.hear: Callable[[Completion], None] | None = None
        self.heard: deque[Completion] = deque(maxlen=HEARD_ITEMS)

    @property
    def satisfied(self) -> bool:
        """True when the caller need not wait any longer."""
        return self.left <= self.enough

    def told(self, word: Completion) -> None:
        """Takes what a running task says, under the hub's lock."""
        if self.hear is not None:
            self.heard.append(word)
            self.wake.set()

    def listen(self) -> None:
        """Hears what has been said; in the thread that waits, without the hub's lock."""
        while self.hear is not None and self.heard:
            self.hear(self.heard.popleft())
