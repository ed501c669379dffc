"""Ordinary Ignite caches of the same cluster, for an application's own data: features, models, shared state.

The only file that imports pyignite; nothing else imports this one. It needs the node's thin client port, which is
closed until ``thin_port`` (or ``IGNITETASKS_THIN_PORT``) opens it on the loopback interface: who reaches it needs no
password. Caches named ``ignitetasks-*`` belong to the node and have no promised form: do not read or write them.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from pyignite import Client
from pyignite.datatypes import ByteArrayObject
from pyignite.exceptions import HandshakeError, ReconnectError

from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError, NotConnected
from ignitetasks.jvm import ensure_running

__all__ = ["ByteArrayObject", "caches", "open_caches"]

_HOST = "127.0.0.1"


class HasSettings(Protocol):
    """What the functions here are given; an app is one."""

    @property
    def settings(self) -> Settings:
        """Which instance."""


@contextmanager
def open_caches(app: HasSettings, timeout_seconds: float = 30.0) -> Iterator[Client]:
    """Connects to the node's caches for the length of a block; starts an embedded node that does not run.

    The client belongs to one thread of one process.

    Args:
        app: Names the instance.
        timeout_seconds: Longest wait for one answer.

    Returns:
        pyignite's client: ``client.get_or_create_cache("features").put("k", 1)``. Bytes are stored as a byte array;
        a memoryview needs ``value_hint=ByteArrayObject``, or pyignite stores a list of numbers, eight times as large.

    Raises:
        ConfigurationError: The port is closed; the message says how to open it.
        NotConnected: Nobody answers on the port.
        NodeError: The embedded node cannot be started.
    """
    client = _connected(_target(app.settings)[1], timeout_seconds)
    owner = os.getpid()
    try:
        yield client
    finally:
        # pyignite shuts the socket down, which in a forked copy of this block would end the parent's connection.
        if owner == os.getpid():
            client.close()


def caches(app: HasSettings, timeout_seconds: float = 30.0) -> Client:
    """Returns this thread's own client, opened at its first use in each process: what a task calls.

    It stays open until the thread ends, and is opened anew for a node that was started again.

    Args:
        app: Names the instance.
        timeout_seconds: Longest wait for one answer, for a client that is opened by this call.

    Raises:
        ConfigurationError: The port is closed; the message says how to open it.
        NotConnected: Nobody answers on the port.
        NodeError: The embedded node cannot be started.
    """
    node, port = _target(app.settings)
    held: dict[tuple[int, int], Client] | None = getattr(_own, "clients", None)
    if held is None or _own.pid != os.getpid():
        if held:
            # The parent goes on using its sockets: they are kept out of sight, not closed.
            _inherited.append(held)
        held = _own.clients = {}
        _own.pid = os.getpid()
    client = held.get((node, port))
    if client is None:
        for stale in [one for one in held if one[1] == port]:
            held.pop(stale).close()
        client = held[node, port] = _connected(port, timeout_seconds)
    return client


_own = threading.local()
_inherited: list[Any] = []


def _target(settings: Settings) -> tuple[int, int]:
    """Returns the node's process id (0 for one that is not ours) and its port."""
    if not settings.embedded:
        # The JVM of this process is no data node and has no such port; a data node of this machine may.
        if not settings.thin_port:
            raise ConfigurationError(
                "the thin client port is closed: start a data node on this machine with IGNITETASKS_THIN_PORT=10800, "
                "and set thin_port=10800 here; who reaches the port needs no password"
            )
        return 0, settings.thin_port
    connection = ensure_running(settings)
    if connection.thin_port:
        return connection.pid, connection.thin_port
    if settings.thin_port:
        raise ConfigurationError(
            f"the thin client port is closed: the node of {settings.instance_dir} was started without "
            f"thin_port={settings.thin_port}; stop it with `ignitetasks node stop`, and it is started with it"
        )
    raise ConfigurationError(
        "the thin client port is closed: open it with thin_port=10800 or IGNITETASKS_THIN_PORT=10800 and stop the node "
        "once with `ignitetasks node stop`; on this machine, who reaches the port needs no password"
    )


def _connected(port: int, timeout_seconds: float) -> Client:
    try:
        # Asked first, since a client of pyignite that could not connect leaves its socket to the garbage collector.
        socket.create_connection((_HOST, port), timeout_seconds).close()
    except OSError as error:
        raise NotConnected(f"no thin client port answers at {_HOST}:{port}: {error}") from error
    # Partition awareness would open a connection to every node's port, and the others' are not reachable from here.
    client = Client(partition_aware=False, timeout=timeout_seconds)
    try:
        client.connect(_HOST, port)
        client.get_cache_names()
    except (OSError, HandshakeError, ReconnectError, EOFError) as error:
        raise NotConnected(f"what answers at {_HOST}:{port} is no thin client port: {error}") from error
    return client
