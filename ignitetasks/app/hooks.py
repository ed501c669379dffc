"""The methods of a task that run around its execution; only a class that overrides one pays for it.

This file must not call them (``trace.py`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Their names; ``on_replace`` belongs to ``composing``, since the task itself calls it.
HOOKS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")


class Hooks:
    """Called around a task's run; to be overridden."""

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called before each run; what it raises is raised by the task."""

    def on_success(self, retval: Any, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Called after a run that returned."""

    def on_failure(
        self, exc: BaseException, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: Any
    ) -> None:
        """Called after a run that failed."""

    def on_retry(
        self, exc: BaseException, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: Any
    ) -> None:
        """Called after a run that is to be repeated."""

    def after_return(
        self, status: str, retval: Any, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any], einfo: Any
    ) -> None:
        """Called after `on_success` and `on_failure`."""
