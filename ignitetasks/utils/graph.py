"""What depends on what, as ``AsyncResult.graph`` shows it: readable as text, and drawn by Graphviz."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any, TextIO

__all__ = ["CycleError", "DependencyGraph"]


class DependencyGraph(dict[Any, list[Any]]):
    """A map from each object to those that follow it.

    Args:
        it: Pairs of an object and those that follow it.
        formatter: Taken for Celery's sake: `to_dot` has one form.
    """

    def __init__(self, it: Iterable[tuple[Hashable, Iterable[Hashable]]] | None = None, formatter: Any = None) -> None:
        super().__init__()
        for obj, others in it or ():
            self.add_arc(obj)
            for other in others:
                self.add_edge(obj, other)

    def add_arc(self, obj: Hashable) -> None:
        """Adds an object."""
        self.setdefault(obj, [])

    def add_edge(self, A: Hashable, B: Hashable) -> None:
        """Adds that B follows A."""
        self.setdefault(A, []).append(B)

    def connect(self, graph: DependencyGraph) -> None:
        """Adds all of another graph."""
        self.update(graph)

    def topsort(self) -> list[Any]:
        """Returns all objects, each behind those that follow it.

        Raises:
            CycleError: An object follows itself.
        """
        return list(TopologicalSorter(self).static_order())

    def valency_of(self, obj: Hashable) -> int:
        """Returns how many objects follow one, directly or not."""
        return len(self.get(obj, ())) + sum(self.valency_of(other) for other in self.get(obj, ()))

    def edges(self) -> list[Any]:
        """Returns the objects that others follow."""
        return [obj for obj, others in self.items() if others]

    def to_dot(self, fh: TextIO, formatter: Any = None) -> None:
        """Writes it in Graphviz's language.

        Args:
            fh: The file.
            formatter: Taken for Celery's sake.
        """
        fh.write("digraph dependencies {\n")
        for obj, others in self.items():
            fh.write(f"  {_quoted(obj)}{'' if others else ' [shape=box]'};\n")
            for other in others:
                fh.write(f"  {_quoted(obj)} -> {_quoted(other)};\n")
        fh.write("}\n")

    def __str__(self) -> str:
        return "\n".join(line for obj in self for line in self._lines(obj, 0))

    __repr__ = __str__

    def _lines(self, obj: Any, depth: int) -> Iterable[str]:
        yield f"{' ' * 4 * depth}{obj}({self.valency_of(obj)})"
        for other in self.get(obj, ()):
            yield from self._lines(other, depth + 1)


def _quoted(obj: Any) -> str:
    text = str(obj).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
