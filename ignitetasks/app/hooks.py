"""The methods of a task that run around its execution; only a class that overrides one pays for it.

This file must not call them (``trace.py`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import loaders

#: Their names; ``on_replace`` belongs to ``composing``, since the task itself calls it.
HOOKS = ("before_start", "on_success", "on_failure", "on_retry", "after_return")


#: What every task names as its ``Request`` at first.
PLAIN_REQUEST = "ignitetasks.worker.request:Request"


def request_class(task: Any) -> Any:
    """Returns the class of its own that a task names as its ``Request``, or None where it names none.

    Raises:
        ConfigurationError: It names nothing that can be imported.
    """
    named = getattr(task, "Request", PLAIN_REQUEST)
    kind = None if named == PLAIN_REQUEST else loaders.symbol_by_name(named)
    plain = f"{getattr(kind, '__module__', '')}:{getattr(kind, '__qualname__', '')}" == PLAIN_REQUEST
    return None if plain else kind


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
