"""Parts of a worker that steps may require, under the names of Celery's; all are there before any step is started.

This file must only name them.
"""

from __future__ import annotations

from ignitetasks.bootsteps import Step

__all__ = ["Beat", "Consumer", "Pool", "Timer"]


class Timer(Step):
    """``worker.timer``."""


class Pool(Step):
    """``worker.pool``."""


class Beat(Step):
    """The beat of ``worker -B``."""


class Consumer(Step):
    """``worker.consumer``."""
