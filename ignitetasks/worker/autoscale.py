"""Decides how large a pool should be, between two bounds: more when every child is busy, fewer when some stay idle.

Pure: the supervisor tells it the time and what it sees, and does what it says. This file must not know processes.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Final

from ignitetasks.errors import ConfigurationError

#: Seconds children have to be idle before the pool shrinks; the environment variable is Celery's.
KEEPALIVE_SECONDS: Final = float(os.environ.get("AUTOSCALE_KEEPALIVE", "30"))
#: Seconds between two growths, so that one burst of short tasks is not taken for lasting work.
GROW_SECONDS: Final = 0.2
#: Where a class written for Celery has its rule.
_RULES: Final = ("_maybe_scale", "maybe_scale", "scale_up", "scale_down", "body")


class Autoscaler:
    """Watches one pool.

    The setting ``worker_autoscaler`` names a class of your own: a subclass, usually with another `decide`.

    Args:
        max_concurrency: Largest pool.
        min_concurrency: Smallest pool.
        keepalive: Seconds children have to be idle before the pool shrinks.

    Attributes:
        max_concurrency: Largest pool.
        min_concurrency: Smallest pool.
        keepalive: As given.
    """

    def __init__(self, max_concurrency: int, min_concurrency: int = 0, keepalive: float = KEEPALIVE_SECONDS) -> None:
        self.keepalive = keepalive
        self.max_concurrency = self.min_concurrency = 0
        self._grown = 0.0
        self._enough: float | None = None
        self._spare = 0
        self.update(max_concurrency, min_concurrency)

    def update(self, max_concurrency: int | None = None, min_concurrency: int | None = None) -> tuple[int, int]:
        """Changes the bounds.

        Args:
            max_concurrency: Largest pool; None leaves it.
            min_concurrency: Smallest pool; None leaves it.

        Returns:
            Both.

        Raises:
            ValueError: They cannot be.
        """
        most = self.max_concurrency if max_concurrency is None else max_concurrency
        least = self.min_concurrency if min_concurrency is None else min_concurrency
        least = max(least, 1)
        if most < least:
            raise ValueError(f"autoscale needs max >= min, not max={most} and min={least}")
        self.max_concurrency, self.min_concurrency = most, least
        return most, least

    def decide(self, now: float, size: int, busy: int) -> int:
        """Says by how much the pool is to change.

        Args:
            now: Monotonic seconds.
            size: How many children there are.
            busy: How many of them run a task.

        Returns:
            How many more, or fewer when negative.
        """
        if size < self.min_concurrency:
            return self.min_concurrency - size
        if size > self.max_concurrency:
            return self.max_concurrency - size
        if busy >= size:
            self._enough = None
            if size == self.max_concurrency or now - self._grown < GROW_SECONDS:
                return 0
            self._grown = now
            # Doubling: a pool of one is at a hundred after seven steps.
            return min(size, self.max_concurrency - size)
        return self._shrink(now, size, busy)

    def _shrink(self, now: float, size: int, busy: int) -> int:
        spare = size - max(busy, self.min_concurrency)
        if self._enough is None:
            self._enough, self._spare = now, spare
        # The fewest that were idle at any look: the pool was never smaller than what it needed.
        self._spare = min(self._spare, spare)
        if now - self._enough < self.keepalive:
            return 0
        by, self._enough = self._spare, None
        return -max(by, 0)


def load(named: Any) -> type[Autoscaler]:
    """Returns the class that the setting ``worker_autoscaler`` names.

    Args:
        named: ``module:Class``, ``module.Class``, a class, or None for `Autoscaler`.

    Raises:
        ConfigurationError: It cannot be imported, is no subclass of `Autoscaler`, or has a rule that nobody asks.
    """
    found: Any = named or Autoscaler
    if isinstance(found, str):
        module, _, name = found.partition(":") if ":" in found else found.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigurationError(f"worker_autoscaler names {named!r}, which cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Autoscaler)):
        raise ConfigurationError(
            f"worker_autoscaler names {named!r}, which is no subclass of ignitetasks.worker.autoscale.Autoscaler."
        )
    unasked = [name for name in _RULES if hasattr(found, name)]
    if unasked and found.decide is Autoscaler.decide:
        raise ConfigurationError(
            f"worker_autoscaler names {named!r}, whose {unasked[0]} nobody asks; its rule is decide(now, size, busy), "
            "which returns by how much the pool is to change."
        )
    return found
