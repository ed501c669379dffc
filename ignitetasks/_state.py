"""Which application is meant where none is named: `current_app`, `current_task`, and what waits for apps to come.

This file must stay a leaf: it holds apps without knowing what one is; ``app/base.py`` makes them known here.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ignitetasks.local import Proxy

__all__ = [
    "connect_on_app_finalize",
    "current_app",
    "current_task",
    "get_current_app",
    "get_current_task",
    "get_current_worker_task",
    "set_default_app",
]


class _Thread(threading.local):
    app: Any = None


_thread = _Thread()
_default: Any = None
_latest: Callable[[], Any] = lambda: None  # noqa: E731
_apps: weakref.WeakSet[Any] = weakref.WeakSet()
#: What is called with every application when that is complete; tests empty it under this name.
_on_app_finalizers: set[Callable[[Any], Any]] = set()
_lock = threading.RLock()


class _Makers:
    """How to make what this file must not know."""

    app: Callable[[], Any] | None = None
    task: Callable[[], Any] = staticmethod(lambda: None)


makers = _Makers()


def register_app(app: Any, current: bool) -> None:
    """Notes an application that was made.

    Args:
        app: The application.
        current: Whether it is meant from now on where none is named.
    """
    global _latest
    _register_app(app)
    with _lock:
        if current:
            _latest = weakref.ref(app)
            _thread.app = app


def _register_app(app: Any) -> None:
    # Extensions of Flask put another function in its place while they make an app that is to be known later.
    with _lock:
        _apps.add(app)


def deregister_app(app: Any) -> None:
    """Forgets an application that is no longer to be used."""
    global _default, _latest
    with _lock:
        _apps.discard(app)
        if _default is app:
            _default = None
        if _thread.app is app:
            _thread.app = None
        if _latest() is app:
            _latest = lambda: None  # noqa: E731


def all_apps() -> list[Any]:
    """Returns the applications that exist."""
    with _lock:
        return list(_apps)


def set_default_app(app: Any) -> None:
    """Names the application of threads that have not chosen one."""
    global _default
    _default = app


def set_current_app(app: Any) -> None:
    """Names the application of this thread; None for the default one."""
    _thread.app = app


@contextmanager
def app_of_thread(app: Any) -> Iterator[Any]:
    """Names the application of this thread for the length of a ``with`` block."""
    before, _thread.app = _thread.app, app
    try:
        yield app
    finally:
        _thread.app = before


@contextmanager
def kept() -> Iterator[None]:
    """Brings back, after a ``with`` block, which applications there are and which is meant."""
    global _default, _latest, _on_app_finalizers
    before = (_thread.app, _default, _latest, list(_apps), set(_on_app_finalizers))
    try:
        yield
    finally:
        _thread.app, _default, _latest, apps, waiting = before
        with _lock:
            _apps.clear()
            _apps.update(apps)
            _on_app_finalizers = waiting


def existing_app() -> Any:
    """Returns the application that is meant here, as `get_current_app`, or None where there is none."""
    return _thread.app or _default or _latest()


def get_current_app() -> Any:
    """Returns the application that is meant here.

    That of the thread, else the default one, else the one that was made last; where there is none at all, an
    application with the settings of the environment is made.
    """
    app = existing_app()
    if app is None:
        if makers.app is None:
            raise RuntimeError("there is no application; make one with IgniteTasks(...)")
        app = makers.app()
        set_default_app(app)
    return app


def get_current_task() -> Any:
    """Returns the task that runs here, or None."""
    return makers.task()


def get_current_worker_task() -> Any:
    """Returns the task that a worker runs here, or None; one that another calls directly does not count."""
    return get_current_app().current_worker_task


def connect_on_app_finalize(callback: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Calls a function with every application when that is complete; at once for those that are."""
    with _lock:
        _on_app_finalizers.add(callback)
        ready = [app for app in _apps if getattr(app, "finalized", False)]
    for app in ready:
        callback(app)
    return callback


def announce_finalized(app: Any) -> None:
    """Calls what waits for applications to be complete."""
    for callback in list(_on_app_finalizers):
        callback(app)


#: Stands for the application that is meant here.
current_app: Any = Proxy(get_current_app, name="current_app")
#: Stands for the application of threads that have not chosen one.
default_app: Any = Proxy(lambda: _default or get_current_app(), name="default_app")
#: Stands for the task that runs here; false outside of one.
current_task: Any = Proxy(get_current_task, name="current_task")
