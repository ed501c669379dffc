"""Checks the arguments of a call against the function's signature before anything is sent.

This file must not call the function.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ignitetasks.errors import ArgumentError, InvalidOption


class Arity:
    """Checks arguments against a signature; the common case by two comparisons.

    Args:
        fn: The function.
        bound: True when its first parameter is the task itself.
    """

    def __init__(self, fn: Callable[..., Any], bound: bool) -> None:
        signature = inspect.signature(fn)
        parameters = list(signature.parameters.values())
        if bound:
            if not parameters:
                raise InvalidOption(f"{fn.__qualname__}: a task with bind=True needs a first parameter for itself")
            if parameters[0].kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
                parameters = parameters[1:]
        self.signature = signature.replace(parameters=parameters)
        positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
        self._fewest = sum(1 for one in positional if one.default is one.empty)
        self._most = len(positional)
        if any(one.kind is one.VAR_POSITIONAL for one in parameters):
            self._most = sys.maxsize
        if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
            self._fewest = sys.maxsize  # cannot be met by position alone: always the full check

    def check(self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raises `ArgumentError` when the call could not be made."""
        if not kwargs and self._fewest <= len(args) <= self._most:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{task}{self.signature} cannot be called like this: {error}") from None


def arity_of(fn: Callable[..., Any], bound: bool) -> Arity | None:
    """Returns what checks calls of a function; None for a function of C that shows no signature."""
    try:
        inspect.signature(fn)
    except (TypeError, ValueError):
        return None
    return Arity(fn, bound)


def as_call(args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Returns arguments as they are sent.

    Raises:
        ArgumentError: ``args`` is no list or tuple, or ``kwargs`` no map with text keys.
    """
    if args is None:
        args = ()
    elif not isinstance(args, (list, tuple)):
        raise ArgumentError(f"args must be a list or tuple of positional arguments, not {type(args).__name__}")
    if kwargs is None:
        kwargs = {}
    elif not _is_keywords(kwargs):
        raise ArgumentError(f"kwargs must be a map with text keys, not {type(kwargs).__name__}")
    return args, kwargs if isinstance(kwargs, dict) else dict(kwargs)


def _is_keywords(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)
