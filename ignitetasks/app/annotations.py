"""``task_annotations``: attributes of tasks that the configuration changes. This file must not import any task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ignitetasks import loaders
from ignitetasks.errors import ConfigurationError

__all__ = ["annotations_for", "prepare"]


class MapAnnotation:
    """Annotations of a map: by task name, by pattern (``proj.*``), or ``*`` for all.

    Args:
        annotations: Maps of attributes by name or pattern.

    Raises:
        ConfigurationError: What is said of a task is no map.
    """

    def __init__(self, annotations: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        annotations = annotations or {}
        for name, attributes in annotations.items():
            if not isinstance(attributes, Mapping):
                raise ConfigurationError(
                    f"task_annotations: what is said of {name!r} must be a map of attributes, not {attributes!r:.100}"
                )
        self._annotations = annotations

    def annotate_any(self) -> Mapping[str, Any] | None:
        """Returns what holds for every task."""
        return self._annotations.get("*")

    def annotate(self, task: Any) -> Mapping[str, Any] | None:
        """Returns what holds for one task: under its very name, else under the patterns it fits."""
        exact = self._annotations.get(task.name)
        if exact is not None:
            return exact
        found: dict[str, Any] = {}
        for pattern, attributes in self._annotations.items():
            if pattern != "*" and "*" in pattern and fnmatchcase(task.name, pattern):
                found.update(attributes)
        return found or None


def prepare(annotations: Any) -> list[Any]:
    """Returns what annotates tasks: maps, objects with ``annotate``, or the names of such.

    Raises:
        ConfigurationError: A part is none of these.
    """
    if annotations is None:
        return []
    parts = annotations if isinstance(annotations, (list, tuple)) else [annotations]
    return [_prepared(part) for part in parts]


def _prepared(part: Any) -> Any:
    if isinstance(part, Mapping):
        return MapAnnotation(part)
    found = loaders.symbol_by_name(part)
    if isinstance(found, type):
        found = found()
    if isinstance(found, Mapping):
        return MapAnnotation(found)
    if not hasattr(found, "annotate") and not hasattr(found, "annotate_any"):
        raise ConfigurationError(f"task_annotations: {part!r} is neither a map nor an object with annotate(task)")
    return found


def annotations_for(prepared: list[Any], task: Any) -> Iterator[Mapping[str, Any]]:
    """Yields the attributes that annotations give to a task, the general ones first."""
    for part in prepared:
        for method, args in (("annotate_any", ()), ("annotate", (task,))):
            attributes = getattr(part, method, lambda *_: None)(*args)
            if attributes:
                yield attributes
