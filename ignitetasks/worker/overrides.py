"""Time limits changed at run time, in a child: put into deliveries as they come.

Nothing here is touched before the first change, so that workers whose limits nobody changes pay nothing. This file
must not decide which limits a task has had; it only tells those of its decorator from those of a call.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ignitetasks.worker.execute import Executor
from ignitetasks.worker.model import HARD_MS, SOFT_MS, TASK, Delivery


class LimitOverrides:
    """The limits that remote control has set.

    Args:
        executor: Whose tasks they are of.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._limits: dict[str, tuple[int, int]] = {}

    def set(self, task: str, soft_ms: int, hard_ms: int) -> None:
        """Sets the limits of a task's executions that start from now on.

        Args:
            task: Its name.
            soft_ms: Soft limit in milliseconds; 0 for the worker's own.
            hard_ms: Hard limit in milliseconds; 0 for the worker's own.
        """
        settings = self._executor.settings
        self._limits[task] = (soft_ms or settings.soft_ms, hard_ms or settings.hard_ms)

    def apply(self, deliveries: Iterable[Delivery]) -> None:
        """Puts the limits into deliveries; one that a call was given of its own stays.

        Args:
            deliveries: Not yet started.
        """
        for delivery in deliveries:
            limits = self._limits.get(delivery[TASK])
            runner = self._executor.runner(delivery) if limits is not None else None
            if limits is None or runner is None:
                continue
            options = runner.task.options
            runner.soft_ms, runner.hard_ms = limits
            for place, declared in ((SOFT_MS, options.soft_time_limit), (HARD_MS, options.time_limit)):
                # The sender has written the decorator's limits into the record; zero means those of the runner.
                if declared and delivery[place] == math.ceil(declared * 1000):
                    delivery[place] = 0
