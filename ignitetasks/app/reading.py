"""Reads settings out of a module, an object or a map. This file must not know which settings there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_ABSENT = object()


def start_of(namespace: str | None) -> str:
    """Returns what names of a namespace begin with."""
    if not namespace:
        return ""
    return namespace if namespace.endswith("_") else f"{namespace}_"


def read_object(source: Any, namespace: str | None, keep: Callable[[str], bool]) -> dict[str, Any]:
    """Returns the settings of a module, an object or a map.

    Args:
        source: Where they are.
        namespace: Only names that start with it and an underscore are meant, and are taken without.
        keep: Tells of a name whether it is one of ours.
    """
    items: Iterable[tuple[str, Any]] = source.items() if isinstance(source, Mapping) else _attributes(source)
    found: dict[str, Any] = {}
    for name, value in items:
        if namespace:
            start = start_of(namespace)
            if name.startswith(start):
                found[name.removeprefix(start).lower()] = value
        elif not name.startswith("_") and (keep(name) or isinstance(source, Mapping)):
            found[name] = value
    return found


def _attributes(source: Any) -> Iterator[tuple[str, Any]]:
    for name in dir(source):
        value = getattr(source, name, _ABSENT)
        if value is not _ABSENT:  # names may be listed that are not there: Django's overridden settings do so
            yield name, value
