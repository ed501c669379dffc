"""Calls of a group or a header that are still to be generated. This file must not know what a call is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from itertools import islice
from typing import Any


class Members(MutableSequence[Any]):
    """A list that reads an iterator only as far as it is looked at, and keeps what it has read.

    Its length, its end and every change of it read all; its truth and a look at one place read what they need.

    Args:
        source: What is read, once.
        make: Is given each item, and gives what is kept.
    """

    def __init__(self, source: Iterable[Any], make: Callable[[Any], Any] | None = None) -> None:
        self._source = iter(source) if make is None else map(make, source)
        self._read: list[Any] = []
        self.complete = False

    def _next(self) -> bool:
        """Reads one more; returns whether there was one."""
        if self.complete:
            return False
        for one in self._source:
            self._read.append(one)
            return True
        self.complete = True
        return False

    def _all(self) -> list[Any]:
        while self._next():
            pass
        return self._read

    def __iter__(self) -> Iterator[Any]:
        index = 0
        while index < len(self._read) or self._next():
            yield self._read[index]
            index += 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index >= 0:
            while index >= len(self._read) and self._next():
                pass
            return self._read[index]
        return self._all()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._all()[index] = value

    def __delitem__(self, index: Any) -> None:
        del self._all()[index]

    def insert(self, index: int, value: Any) -> None:
        """Puts one in front of a place."""
        self._all().insert(index, value)

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        return bool(self._read) or self._next()

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, (list, tuple, Members)) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __json__(self) -> list[Any]:
        return self._all()

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self._all(),)

    def __repr__(self) -> str:
        shown = [repr(one) for one in self._read]
        return f"[{', '.join(shown if self.complete else [*shown, '...'])}]"


def listed(tasks: Any, make: Callable[[Any], Any]) -> Any:
    """Returns what ``make`` makes of calls: a list, or `Members` where they are still to be generated."""
    if isinstance(tasks, Members) and tasks.complete:
        return [make(one) for one in tasks]
    if isinstance(tasks, (Iterator, Members)):
        return Members(tasks, make)
    return [make(one) for one in tasks]


def is_one(tasks: Iterable[Any]) -> bool:
    """Tells whether there is exactly one; reads no further than the second."""
    return len(list(islice(tasks, 2))) == 1
