"""Stand-ins for objects that are looked up at each use: the current app, the current task.

This file must stay a leaf: it knows nothing of apps or tasks, only of a function that finds the object.
"""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

__all__ = ["PromiseProxy", "Proxy", "maybe_evaluate", "try_import"]


class Proxy:
    """Behaves like whatever a function returns, asked anew at each use.

    Args:
        local: Returns the object.
        args: Positional arguments for it.
        kwargs: Keyword arguments for it.
        name: Name of the stand-in itself, for its ``repr`` while there is no object.
        __doc__: Text of the stand-in.
    """

    __slots__ = ("__args", "__kwargs", "__local", "__name", "__weakref__")

    def __init__(
        self,
        local: Callable[..., Any],
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        __doc__: str | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "_Proxy__local", local)
        put(self, "_Proxy__args", tuple(args or ()))
        put(self, "_Proxy__kwargs", dict(kwargs or {}))
        put(self, "_Proxy__name", name)

    def _get_current_object(self) -> Any:
        """Returns the object behind; raises whatever finding it raises."""
        get = object.__getattribute__
        return get(self, "_Proxy__local")(*get(self, "_Proxy__args"), **get(self, "_Proxy__kwargs"))

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        return self._get_current_object().__dict__  # type: ignore[no-any-return]

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return self._get_current_object().__class__  # type: ignore[no-any-return]

    @property
    def __wrapped__(self) -> Any:
        return self._get_current_object()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._get_current_object(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._get_current_object(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._get_current_object(), name)

    def __repr__(self) -> str:
        try:
            return repr(self._get_current_object())
        except RuntimeError:
            return f"<Proxy {object.__getattribute__(self, '_Proxy__name') or 'without an object'}>"

    def __bool__(self) -> bool:
        try:
            return bool(self._get_current_object())
        except RuntimeError:
            return False

    def __dir__(self) -> list[str]:
        return dir(self._get_current_object())

    def __str__(self) -> str:
        return str(self._get_current_object())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the object."""
        return self._get_current_object()(*args, **kwargs)

    def __hash__(self) -> int:
        return hash(self._get_current_object())

    def __len__(self) -> int:
        return len(self._get_current_object())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._get_current_object())

    def __contains__(self, item: Any) -> bool:
        return item in self._get_current_object()

    def __getitem__(self, key: Any) -> Any:
        return self._get_current_object()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._get_current_object()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._get_current_object()[key]

    def __enter__(self) -> Any:
        return self._get_current_object().__enter__()

    def __exit__(self, *exc_info: Any) -> Any:
        return self._get_current_object().__exit__(*exc_info)

    def __reduce__(self) -> Any:
        return self._get_current_object().__reduce__()

    def __eq__(self, other: object) -> bool:
        return bool(self._get_current_object() == maybe_evaluate(other))

    def __ne__(self, other: object) -> bool:
        return not self == other


def _binary(name: str) -> Callable[[Proxy, Any], Any]:
    apply = getattr(operator, name)

    def method(self: Proxy, other: Any) -> Any:
        return apply(self._get_current_object(), maybe_evaluate(other))

    return method


# What else an object can be asked by an operator; a language rule: such methods are looked up on the class.
for _name in ("lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor"):
    setattr(Proxy, f"__{_name.strip('_')}__", _binary(_name))


class PromiseProxy(Proxy):
    """A `Proxy` that asks its function once and keeps the answer."""

    __slots__ = ("__thing",)

    def _get_current_object(self) -> Any:
        try:
            return object.__getattribute__(self, "_PromiseProxy__thing")
        except AttributeError:
            return self.__evaluate__()

    def __evaluated__(self) -> bool:
        """Tells whether the function was asked already."""
        try:
            object.__getattribute__(self, "_PromiseProxy__thing")
        except AttributeError:
            return False
        return True

    def __maybe_evaluate__(self) -> Any:
        """Returns the object, found now if it was not yet."""
        return self._get_current_object()

    def __evaluate__(self) -> Any:
        """Asks the function and keeps its answer."""
        thing = Proxy._get_current_object(self)
        object.__setattr__(self, "_PromiseProxy__thing", thing)
        return thing


def maybe_evaluate(value: Any) -> Any:
    """Returns the object behind a stand-in, and anything else as it is."""
    return value._get_current_object() if issubclass(type(value), Proxy) else value


def try_import(module: str, default: Any = None) -> ModuleType | Any:
    """Imports a module; returns ``default`` where there is none of this name."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return default
