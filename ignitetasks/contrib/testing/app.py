"""Applications for tests: everything in memory, nothing shared with the next test.

This file must not start a worker (worker.py does).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from ignitetasks import _state
from ignitetasks.app.base import IgniteTasks
from ignitetasks.app.log import Logging
from ignitetasks.contrib.testing import tasks
from ignitetasks.transport.memory import forget_home

__all__ = ["DEFAULT_TEST_CONFIG", "TestApp", "Trap", "UnitLogging", "set_trap", "setup_default_app"]

#: Settings of a test's app where nobody says otherwise.
DEFAULT_TEST_CONFIG: Mapping[str, Any] = {
    "broker_url": "memory://",
    "worker_hijack_root_logger": False,
    "worker_log_color": False,
    "accept_content": ["json"],
    "task_serializer": "json",
    "result_serializer": "json",
    "enable_utc": True,
    "timezone": "UTC",
}
#: What says where the tasks of an app are kept; without any of them a test's are kept in memory.
_PLACES = frozenset({"cluster", "data_dir", "instance", "settings", "transport"})
_OURS = ("memory://", "ignite://")
_numbers = itertools.count(1)
#: The one task of the kit; named here so that it is registered before the app is complete.
PING = tasks.ping


class Trap:
    """Stands for an app, and fails whoever uses it: for tests of code that must pass its app on."""

    def __getattr__(self, name: str) -> NoReturn:
        """Fails the use, unless it is only looked at by a tool that patches objects."""
        if name in ("_is_coroutine", "_is_coroutine_marker", "__func__"):
            raise AttributeError(name)
        raise RuntimeError(f"the test depends on current_app: its {name!r} was used")


class UnitLogging(Logging):
    """The log of an app in a test: what is there is left as it is, whoever asks for a set-up.

    Args:
        app: The application.
    """

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.already_setup = True


def TestApp(  # Celery's name
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    enable_logging: bool = False,
    set_as_current: bool = False,
    log: Any = None,
    backend: Any = None,
    broker: str | None = None,
    **kwargs: Any,
) -> IgniteTasks:
    """Makes an app for a test; its tasks are kept in memory, apart from those of every other app.

    Args:
        name: Its name.
        config: Settings under Celery's names. URLs of brokers that do not exist here mean memory.
        enable_logging: Accepted; a worker inside a test never sets up logging by itself.
        set_as_current: True makes it the current app.
        log: Accepted, without meaning.
        backend: Accepted: results are kept with their tasks.
        broker: ``memory://name`` shares a home with other apps, ``ignite://host,host`` uses a cluster.
        **kwargs: Further arguments of `IgniteTasks`.
    """
    given = {**DEFAULT_TEST_CONFIG, **(config or {})}
    given.pop("broker_url")
    url = broker or (config or {}).get("broker_url")
    urls = {"broker_url": url, "result_backend": given.pop("result_backend", backend)}
    if str(url).startswith(_OURS):
        kwargs["broker"] = url
    elif not _PLACES & (kwargs.keys() | given.keys()):
        kwargs["transport"] = f"memory://test.{os.getpid()}.{next(_numbers)}"
    app = IgniteTasks(name or "ignitetasks.tests", set_as_current=set_as_current, **kwargs)
    app.conf.update(given)
    # Without the warning of a URL that means nothing here; extensions of tasks read them for servers of their own.
    app.conf.changes.update({key: value for key, value in urls.items() if value is not None})
    return app


TestApp.__test__ = False  # type: ignore[attr-defined]  # no test, for pytest


@contextmanager
def set_trap(app: Any) -> Iterator[None]:
    """Fails every use of the current or default app for the length of a ``with`` block.

    Args:
        app: The app of the test; it may be used.
    """
    with _state.app_of_thread(Trap()):
        yield


@contextmanager
def setup_default_app(app: IgniteTasks, use_trap: bool = False) -> Iterator[None]:
    """Brings the current and the default app back to what they were, and closes the test's app.

    Args:
        app: The app of the test.
        use_trap: True fails every use of the current app meanwhile.
    """
    with _state.kept():
        try:
            if use_trap:
                with set_trap(app):
                    yield
            else:
                yield
        finally:
            home = app.settings.memory
            app.close()
            if home is not None:
                forget_home(home)
