"""`shared_task`: a task of every application, for code that does not know which one it will be used in.

This file must not make applications.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from ignitetasks import _state
from ignitetasks.app import utils
from ignitetasks.app.task import Task
from ignitetasks.local import Proxy

__all__ = ["app_or_default", "bugreport", "shared_task"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def shared_task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def shared_task(
    *, name: str | None = None, bind: Literal[True], **options: Any
) -> Callable[[Callable[Concatenate[Any, P], R]], Task[P, R]]: ...
@overload
def shared_task(
    *, name: str | None = None, bind: Literal[False] = False, **options: Any
) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def shared_task(fn: Any = None, /, **options: Any) -> Any:
    """Makes a task of a function in every application there is or will be; as ``app.task``.

    Args:
        fn: The function, when used without parentheses.
        **options: As for ``app.task``.

    Returns:
        A stand-in for the current application's task.
    """

    def share(function: Callable[..., Any]) -> Any:
        def register(app: Any) -> Any:
            name = options.get("name") or app.task_name(function)
            kept = app._tasks.get(name)
            return kept if kept is not None and kept.shares is function else _register(app, function, options)

        _state.connect_on_app_finalize(register)
        return Proxy(lambda: register(_state.get_current_app()), name=getattr(function, "__name__", None))

    return share if fn is None else share(fn)


def _register(app: Any, function: Callable[..., Any], options: dict[str, Any]) -> Any:
    task = app.task(**options)(function)
    object.__setattr__(task, "shares", function)
    return task


def app_or_default(app: Any = None) -> Any:
    """Returns an application, or the current one for None."""
    return _state.get_current_app() if app is None else app


def bugreport(app: Any = None) -> str:
    """Returns what a report of a fault should say about versions and settings of an app, or the current one."""
    return utils.bugreport(app_or_default(app))
