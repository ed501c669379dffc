"""Repeats on errors, given to a task that exists: ``add_autoretry_behaviour(task, autoretry_for=(OSError,))``."""

from __future__ import annotations

from typing import Any

__all__ = ["add_autoretry_behaviour"]

_OPTIONS = (
    "autoretry_for", "dont_autoretry_for", "retry_kwargs", "retry_backoff", "retry_backoff_max", "retry_jitter",
)  # fmt: skip


def add_autoretry_behaviour(task: Any, **options: Any) -> None:
    """Sets the options of a task that say when it is repeated by itself; every task heeds its own.

    Args:
        task: The task.
        **options: Those of ``app.task`` of these names; others are left alone.
    """
    for name in _OPTIONS:
        if name in options:
            setattr(task, name, options[name])
