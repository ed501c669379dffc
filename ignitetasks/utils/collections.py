"""Maps whose entries are also attributes, under Celery's names. Must not know tasks."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, MutableMapping
from typing import Any

__all__ = ["AttributeDict", "AttributeDictMixin", "ChainMap", "DictAttribute"]


class AttributeDictMixin:
    """Makes the entries of a map its attributes."""

    def __getattr__(self, k: str) -> Any:
        try:
            return self[k]  # type: ignore[index]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {k!r}") from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value


class AttributeDict(dict[str, Any], AttributeDictMixin):
    """A dict whose entries are also attributes."""


class DictAttribute(MutableMapping[str, Any]):
    """An object as a map of its attributes.

    Args:
        obj: The object.

    Attributes:
        obj: The object.
    """

    def __init__(self, obj: Any) -> None:
        object.__setattr__(self, "obj", obj)

    def __getattr__(self, key: str) -> Any:
        return getattr(object.__getattribute__(self, "obj"), key)

    def __setattr__(self, key: str, value: Any) -> None:
        setattr(self.obj, key, value)

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self.obj, key)
        except AttributeError:
            raise KeyError(key) from None

    __setitem__ = __setattr__

    def __delitem__(self, key: str) -> None:
        delattr(self.obj, key)

    def __iter__(self) -> Iterator[str]:
        return iter(dir(self.obj))

    def __len__(self) -> int:
        return len(dir(self.obj))
