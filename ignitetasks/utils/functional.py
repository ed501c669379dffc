"""Small helpers for lists, maps and functions, under Celery's names. Must not know tasks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

__all__ = [
    "chunks", "dictfilter", "first", "firstmethod", "fun_accepts_kwargs", "is_list", "lookahead", "maybe_list",
    "memoize", "noop", "padlist", "regen", "uniq",
]  # fmt: skip

T = TypeVar("T")


def noop(*args: Any, **kwargs: Any) -> None:
    """Does nothing, whatever it is given."""


def is_list(obj: Any, scalars: tuple[type, ...] = (dict, str, bytes), iters: tuple[type, ...] = (Iterable,)) -> bool:
    """Tells whether a value holds several; texts and maps count as one."""
    return isinstance(obj, iters) and not isinstance(obj, scalars)


def maybe_list(obj: Any, scalars: tuple[type, ...] = (dict, str, bytes)) -> Any:
    """Returns a list of one for a single value; None and lists as they are."""
    return obj if obj is None or is_list(obj, scalars) else [obj]


def chunks(it: Iterable[T], n: int) -> Iterator[list[T]]:
    """Yields lists of ``n``; the last may be shorter."""
    source = iter(it)
    while part := list(islice(source, n)):
        yield part


def first(predicate: Callable[[T], Any] | None, it: Iterable[T]) -> T | None:
    """Returns the first value for which a function says yes (or that is not None); None when there is none."""
    keep = predicate or (lambda value: value is not None)
    return next((value for value in it if keep(value)), None)


def firstmethod(method: str, on_call: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Returns a function that asks a list of objects by a method, and returns the first answer that is not None."""

    def ask(it: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        for one in it:
            bound = getattr(one, method)
            answer = on_call(bound, *args, **kwargs) if on_call else bound(*args, **kwargs)
            if answer is not None:
                return answer
        return None

    return ask


def padlist(container: Iterable[T], size: int, default: Any = None) -> list[Any]:
    """Returns the first ``size`` values, filled up where there are fewer."""
    found: list[Any] = list(islice(container, size))
    return found + [default] * (size - len(found))


def uniq(it: Iterable[T]) -> Iterator[T]:
    """Yields each value once, in the order they come."""
    return iter(dict.fromkeys(it))


def lookahead(it: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Yields each value with the next one; the last with None."""
    source = iter(it)
    end: Any = object()
    here = next(source, end)
    while here is not end:
        following = next(source, end)
        yield here, None if following is end else following
        here = following


def regen(it: Iterable[T]) -> list[T] | tuple[T, ...]:
    """Returns a list of what an iterator yields, so that it can be read again; lists and tuples as they are."""
    return it if isinstance(it, (list, tuple)) else list(it)


def dictfilter(d: dict[str, Any] | None = None, **kw: Any) -> dict[str, Any]:
    """Returns the entries of a map (or keywords) that are not None."""
    return {key: value for key, value in {**(d or {}), **kw}.items() if value is not None}


def memoize(maxsize: int | None = None, keyfun: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Returns a decorator that keeps a function's answers.

    Args:
        maxsize: How many are kept, the latest used; None keeps all.
        keyfun: Makes the key of a call, of its arguments; None takes the arguments.
    """

    def decorate(fun: Callable[..., Any]) -> Callable[..., Any]:
        if keyfun is None:
            return functools.lru_cache(maxsize)(fun)
        kept: dict[Any, Any] = {}

        @functools.wraps(fun)
        def call(*args: Any, **kwargs: Any) -> Any:
            key = keyfun(args, kwargs)
            if key not in kept:
                if maxsize is not None and len(kept) >= maxsize:
                    kept.pop(next(iter(kept)))
                kept[key] = fun(*args, **kwargs)
            else:
                kept[key] = kept.pop(key)  # the latest used stands last
            return kept[key]

        return call

    return decorate


def fun_accepts_kwargs(fun: Callable[..., Any]) -> bool:
    """Tells whether a function takes keyword arguments that it does not name; True where nobody can know."""
    try:
        parameters = inspect.signature(fun).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(one.kind is one.VAR_KEYWORD for one in parameters)
