"""One process's client of one instance: transport, result hub and encodings, made once per settings and shared.

This file must not know tasks or apps. Making a client touches neither network nor disk.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Protocol

from ignitetasks import deferred
from ignitetasks.accepted import codecs_of
from ignitetasks.config import Settings, load_signing_key
from ignitetasks.hub import ResultHub
from ignitetasks.store import Store
from ignitetasks.transport.base import Transport
from ignitetasks.transport.gateway import GatewayTransport
from ignitetasks.transport.retrying import RetryingTransport


class Client:
    """What sending and receiving needs.

    Args:
        settings: The instance and the deadlines.
        transport: How to reach it; None means Py4J with repeats, or memory where the settings say so.

    Attributes:
        settings: As given.
        transport: The transport.
        hub: Where results are waited for.
        codecs: The encodings this process accepts.
    """

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.settings = settings
        if transport is None:
            transport = _make_transport(settings)
        self.transport = transport
        self.hub = ResultHub(transport, settings.call_timeout_seconds)
        self.codecs = codecs_of(settings, self._signing_key)

    def _signing_key(self) -> bytes | None:
        key = load_signing_key(self.settings)
        if key is None and self.settings.embedded:
            # The instance's own key is made with it, and a first call is encoded before it is sent.
            self.transport.session()
            key = load_signing_key(self.settings)
        return key

    def store(self, bucket: str) -> Store:
        """Returns a bucket of the cluster's settings.

        Args:
            bucket: Its name.
        """
        return Store(self.transport, bucket)

    def close(self) -> None:
        """Closes the connections; a later use opens new ones."""
        self.transport.close()


def _make_transport(settings: Settings) -> Transport:
    if settings.memory is not None:
        memory: Transport = deferred.load("memory").MemoryTransport(settings.memory)
        return memory
    return RetryingTransport(GatewayTransport(settings), settings.call_timeout_seconds)


class ResultSource(Protocol):
    """What a handle needs to find and rebuild its result; an app is one."""

    @property
    def client(self) -> Client:
        """The client to ask."""

    @property
    def task_modules(self) -> Collection[str]:
        """Modules that may be imported to rebuild an exception."""


_clients: dict[Settings, Client] = {}
_lock = threading.Lock()


def shared_client(settings: Settings) -> Client:
    """Returns the process's client for these settings; apps with equal settings share one."""
    # Lookup without the lock: it is held only while a dict entry is made, and a fork in between is the caller's risk.
    client = _clients.get(settings)
    if client is None:
        with _lock:
            client = _clients.setdefault(settings, Client(settings))
    return client
