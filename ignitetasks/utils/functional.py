"""Small helpers for lists, maps and functions, under Celery's names. Must not know tasks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

__all__ = [
    "arity_greater", "chunks", "dictfilter", "first", "firstmethod", "fun_accepts_kwargs", "fun_takes_argument",
    "is_list", "lookahead", "mattrgetter", "maybe", "maybe_list", "memoize", "noop", "padlist", "pass1", "regen",
    "seq_concat_item", "seq_concat_seq", "uniq",
]  # fmt: skip

T = TypeVar("T")


def noop(*args: Any, **kwargs: Any) -> None:
    """Does nothing, whatever it is given."""


def pass1(arg: T, *args: Any, **kwargs: Any) -> T:
    """Returns its first argument."""
    return arg


def maybe(typ: Callable[[Any], T], val: Any) -> T | None:
    """Returns what a function makes of a value; None for None."""
    return typ(val) if val is not None else None


def mattrgetter(*attrs: str) -> Callable[[Any], dict[str, Any]]:
    """Returns a function that makes a map of attributes of an object; of those it has not the value is None."""
    return lambda obj: {attr: getattr(obj, attr, None) for attr in attrs}


def seq_concat_item(seq: Any, item: Any) -> Any:
    """Returns a list or tuple with one value more."""
    return (*seq, item) if isinstance(seq, tuple) else [*seq, item]


def seq_concat_seq(a: Any, b: Any) -> Any:
    """Returns two lists or tuples as one, of the kind of the longer one, of the first where they are as long."""
    kind = type(b) if len(b) > len(a) else type(a)
    return kind([*a, *b])


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


def arity_greater(fun: Callable[..., Any], n: int) -> bool:
    """Tells whether a function takes more than so many positional arguments."""
    taken = inspect.signature(fun).parameters.values()
    if any(one.kind is one.VAR_POSITIONAL for one in taken):
        return True
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in taken) > n


def fun_takes_argument(name: str, fun: Callable[..., Any], position: int | None = None) -> bool:
    """Tells whether a function takes an argument of a name, or so many positional ones."""
    taken = inspect.signature(fun).parameters
    loose = any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in taken.values())
    return loose or name in taken or (position is not None and len(taken) >= position)
