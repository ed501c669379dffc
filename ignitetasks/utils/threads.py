"""A stack of which each thread, and each coroutine, has one of its own. Must not know tasks."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

__all__ = ["LocalStack"]


class LocalStack:
    """Values of the running thread or coroutine, the last one on top."""

    def __init__(self) -> None:
        self._values: ContextVar[tuple[Any, ...]] = ContextVar("values", default=())

    def push(self, obj: Any) -> Any:
        """Puts a value on top, and returns it."""
        self._values.set((*self._values.get(), obj))
        return obj

    def pop(self) -> Any:
        """Takes the topmost value; None where there is none."""
        *rest, last = self._values.get() or (None,)
        self._values.set(tuple(rest))
        return last

    @property
    def top(self) -> Any:
        """The topmost value; None where there is none."""
        return self._values.get()[-1] if self._values.get() else None

    @property
    def stack(self) -> list[Any]:
        """All values, the topmost last."""
        return list(self._values.get())

    def __len__(self) -> int:
        return len(self._values.get())
