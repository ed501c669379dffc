"""Sends events into the cluster's feed, from any process.

This file must not know tasks: what an event says is its sender's affair.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from ignitetasks.errors import OperationalError, OutcomeUnknown, RequestError
from ignitetasks.events import local
from ignitetasks.events.event import Event, group_from, pack


class EventDispatcher:
    """Sends events.

    Args:
        connection: Accepted and not needed: an application has one way to its cluster.
        hostname: Who sends; None means this machine.
        enabled: False drops what is sent.
        channel: As ``connection``.
        buffer_while_offline: Keep events while the cluster cannot be reached, and send them later.
        app: The application.
        serializer: Accepted; events have one encoding.
        groups: Only events of these groups; None means all.
        delivery_mode: Accepted; events are durable.
        buffer_group: Groups whose events are collected and sent in batches.
        buffer_limit: So many collected events are sent at once.
        on_send_buffered: Called after a batch was sent.

    Attributes:
        on_enabled: Called when sending begins.
        on_disabled: Called when it ends.
    """

    def __init__(
        self,
        connection: Any = None,
        hostname: str | None = None,
        enabled: bool = True,
        channel: Any = None,
        buffer_while_offline: bool = True,
        app: Any = None,
        serializer: str | None = None,
        groups: Iterable[str] | None = None,
        delivery_mode: int = 1,
        buffer_group: Iterable[str] | None = None,
        buffer_limit: int = 24,
        on_send_buffered: Callable[[], Any] | None = None,
    ) -> None:
        if app is None:
            raise RequestError("a dispatcher needs an application: use app.events.Dispatcher(...)")
        self.app = app
        self.connection = connection
        self.channel = channel
        self.hostname = hostname or socket.gethostname()
        self.buffer_while_offline = buffer_while_offline
        self.buffer_group = frozenset(buffer_group or ())
        self.buffer_limit = buffer_limit
        self.on_send_buffered = on_send_buffered
        self.groups = set(groups or ())
        self.pid = os.getpid()
        self.enabled = False
        self.on_enabled: set[Callable[[], Any]] = set()
        self.on_disabled: set[Callable[[], Any]] = set()
        self._waiting: list[bytes] = []
        # Events that may be in the feed already: sent, and never answered.
        self._unsure: list[bytes] = []
        self._lock = threading.Lock()
        if enabled:
            self.enable()

    def __enter__(self) -> EventDispatcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def enable(self) -> None:
        """Sends from now on."""
        self.enabled = True
        for callback in self.on_enabled:
            callback()

    def disable(self) -> None:
        """Sends what is collected, and drops everything from now on."""
        if self.enabled:
            self.flush()
            self.enabled = False
            for callback in self.on_disabled:
                callback()

    def send(self, type: str, blind: bool = False, **fields: Any) -> None:
        """Sends an event.

        Args:
            type: Its type, such as ``task-custom``.
            blind: Accepted; there is no logical clock to be moved.
            **fields: Its fields.
        """
        group = group_from(type)
        if not self.enabled or (self.groups and group not in self.groups):
            return
        for option in ("utcoffset", "retry", "retry_policy", "Event"):
            fields.pop(option, None)
        event = Event(type, hostname=fields.pop("hostname", self.hostname), pid=fields.pop("pid", self.pid), **fields)
        event.setdefault("utcoffset", utc_offset())
        event.setdefault("clock", time.time_ns() // 1_000_000)
        self._waiting.append(pack(event))
        if group not in self.buffer_group or len(self._waiting) >= self.buffer_limit:
            self.flush()

    def publish(self, type: str, fields: dict[str, Any], producer: Any = None, blind: bool = False, **_: Any) -> None:
        """Sends an event whose fields are a map; see `send`."""
        self.send(type, blind, **fields)

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Sends what is collected.

        Raises:
            OperationalError: The cluster cannot be reached, and events are not kept meanwhile.
        """
        with self._lock:
            batch, self._waiting = self._waiting, []
            unsure, self._unsure = self._unsure, []
        if not batch and not unsure:
            return
        if local.send is not None:
            for one in batch:
                local.send(one)
        elif not (self._append(unsure, batch, True) and self._append(batch, [], False)):
            return
        if self.on_send_buffered is not None:
            self.on_send_buffered()

    def _append(self, events: list[bytes], behind: list[bytes], repeated: bool) -> bool:
        """Sends events; keeps them, and those behind them, where the cluster cannot be reached."""
        if not events:
            return True
        try:
            self.app.client.transport.call("events_append", events, repeated)
        except OperationalError as error:
            if not self.buffer_while_offline:
                raise
            with self._lock:
                if repeated or isinstance(error, OutcomeUnknown):
                    self._unsure, self._waiting = events, [*behind, *self._waiting]
                else:
                    self._waiting = [*events, *behind, *self._waiting]
            return False
        return True

    def close(self) -> None:
        """Sends what is collected."""
        self.flush()


def utc_offset() -> int:
    """Returns the hours that local time is behind UTC, as Celery counts them."""
    return -(time.localtime().tm_gmtoff or 0) // 3600
