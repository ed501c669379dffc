"""``app.events``: the parts of `ignitetasks.events`, bound to an application.

This file must not contain behaviour of events.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ignitetasks.events.dispatcher import EventDispatcher
from ignitetasks.events.receiver import EventReceiver
from ignitetasks.events.state import State


class Events:
    """Makes receivers, dispatchers and states of an application.

    Args:
        app: The application.
    """

    def __init__(self, app: Any = None) -> None:
        self.app = app

    def Receiver(self, channel: Any = None, *args: Any, **options: Any) -> EventReceiver:
        """Returns what captures events; see `EventReceiver` for the arguments."""
        return EventReceiver(channel, *args, **{"app": self.app, **options})

    def Dispatcher(self, connection: Any = None, *args: Any, **options: Any) -> EventDispatcher:
        """Returns what sends events; see `EventDispatcher` for the arguments."""
        return EventDispatcher(connection, *args, **{"app": self.app, **options})

    def State(self, *args: Any, **options: Any) -> State:
        """Returns an empty picture of workers and tasks; see `State` for the arguments."""
        return State(*args, **options)

    @contextmanager
    def default_dispatcher(
        self, hostname: str | None = None, enabled: bool = True, buffer_while_offline: bool = False
    ) -> Iterator[EventDispatcher]:
        """Yields a dispatcher for a ``with`` block.

        Args:
            hostname: Who sends.
            enabled: False drops what is sent.
            buffer_while_offline: Keep events while the cluster cannot be reached.
        """
        with self.Dispatcher(hostname=hostname, enabled=enabled, buffer_while_offline=buffer_while_offline) as sender:
            yield sender
