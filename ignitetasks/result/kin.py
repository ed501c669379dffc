"""What a task led to, and what is done once it has ended. This file must not know how a handle waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ignitetasks import deferred
from ignitetasks.errors import IncompleteStream
from ignitetasks.hub import Epoch
from ignitetasks.message import Completion
from ignitetasks.result.facts import Facts
from ignitetasks.result.family import ancestors, children_of
from ignitetasks.utils.graph import DependencyGraph


class Kin(Facts):
    """The half of a handle that knows its family."""

    __slots__ = ()

    parent: Any
    led_to: tuple[Any, ...]
    _epoch: Epoch | None

    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Waits for the task's end."""
        raise NotImplementedError

    def _set(self, completion: Completion) -> None:
        raise NotImplementedError

    def maybe_throw(self, propagate: bool = True, callback: Callable[[str, Any], Any] | None = None) -> Any:
        """Raises the exception of a task that has failed; else returns what there is of a result.

        Of a task that runs that is what it has told of itself, of one that is repeated the reason for it.
        """
        if not self.ready():
            return self.result
        good, value = self._open()
        if not good and propagate:
            raise value
        if callback is not None:
            callback(self.id, value)
        return value

    maybe_reraise = maybe_throw

    def throw(self, *_: Any) -> None:
        """Raises the exception of a task that has failed."""
        self.maybe_throw()

    def then(self, callback: Callable[[Any], Any], on_error: Any = None, weak: bool = False) -> Any:
        """Calls a function with this handle once the task has ended, from another thread where that is later.

        Args:
            callback: Called with the handle.
            on_error: Called with the exception instead, where the task failed.
            weak: Not needed.
        """

        def call() -> None:
            good, value = self._open()
            if good or on_error is None:
                callback(self)
            else:
                on_error(value)

        if self.ready():
            call()
            return
        deferred.load("futures").call_back(self.source.client.hub, self.id, self._epoch, self._set, call)

    @property
    def supports_native_join(self) -> bool:
        """True: any number of results come by one question."""
        return True

    @property
    def children(self) -> list[Any]:
        """The handles of what the task led to: what follows it, its callbacks, and the tasks it sent."""
        return children_of(self, type(self)._of)

    def iterdeps(self, intermediate: bool = False) -> Iterator[tuple[Any, Any]]:
        """Yields pairs of a handle and what it led to, from this one on.

        Args:
            intermediate: True goes on where a task has not ended.

        Raises:
            IncompleteStream: A task has not ended.
        """
        stack: deque[tuple[Any, Any]] = deque([(None, self)])
        while stack:
            parent, node = stack.popleft()
            yield parent, node
            if node.ready():
                stack.extend((node, child) for child in node.children or ())
            elif not intermediate:
                raise IncompleteStream(f"task {node.id} has not ended, so what follows it is not known")

    def collect(self, intermediate: bool = False, **options: Any) -> Iterator[tuple[Any, Any]]:
        """Waits for the task and all that it led to; yields pairs of handle and result.

        Args:
            intermediate: Kept for its name: every task is waited for.
            **options: As for `get`.
        """
        stack: deque[Any] = deque([self])
        while stack:
            node = stack.popleft()
            value = node.get(**options)
            yield node, value
            stack.extend(node.children or ())

    def get_leaf(self) -> Any:
        """Returns the result of the last of the tasks that this one led to."""
        return deque((value for _, value in self.collect()), 1).pop()

    @property
    def graph(self) -> DependencyGraph:
        """What led to what: for each handle, those it led to."""
        return self.build_graph(intermediate=True)

    def build_graph(self, intermediate: bool = False, formatter: Any = None) -> DependencyGraph:
        """Returns what led to what.

        Args:
            intermediate: True goes on where a task has not ended.
            formatter: Taken for Celery's sake.

        Raises:
            IncompleteStream: A task has not ended.
        """
        found = DependencyGraph()
        for parent, node in self.iterdeps(intermediate):
            found.add_arc(node)
            if parent is not None:
                found.add_edge(parent, node)
        return found

    def as_tuple(self) -> Any:
        """Returns ids only, as nested tuples; `result_from_tuple` reads them."""
        return (self.id, self.parent and self.parent.as_tuple()), None

    def as_list(self) -> list[str]:
        """Returns its id and those of what comes before it."""
        return [self.id, *(one.id for one in ancestors(self))]

    @classmethod
    def _of(cls, task_id: str, source: Any) -> Any:
        return cls(task_id, app=source)  # type: ignore[call-arg]
