"""A debugger in a worker's child, which has no terminal: the session is on a port of this machine.

    from ignitetasks.contrib import rdb

    @app.task
    def add(x, y):
        rdb.set_trace()
        return x + y

The worker says which port it is; ``telnet 127.0.0.1 6900`` (or ``nc``) is the debugger of the standard library then.
Whoever reaches the port can run anything in the child, so it is for development alone. A time limit of the task goes on
counting.
"""

from __future__ import annotations

import os
import pdb
import socket
import sys
from types import FrameType
from typing import Any, TextIO

from ignitetasks.errors import ConfigurationError

__all__ = ["DEFAULT_PORT", "Rdb", "debugger", "set_trace"]

#: The first port that is tried.
DEFAULT_PORT = 6900

_open: list[Rdb] = []


class Rdb(pdb.Pdb):
    """One session; made, it waits for somebody to connect.

    Args:
        host: Address it listens on; None for IGNITETASKS_RDB_HOST, else 127.0.0.1.
        port: The first port that is tried; None for IGNITETASKS_RDB_PORT, else 6900.
        port_search_limit: How many ports are tried.
        out: Where the port is told; None for standard error, which is the worker's log.

    Attributes:
        port: The port.

    Raises:
        ConfigurationError: None of the ports is free.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        port_search_limit: int = 100,
        out: TextIO | None = None,
    ) -> None:
        host = host or _setting("HOST") or "127.0.0.1"
        with _listening(host, int(port or _setting("PORT") or DEFAULT_PORT), port_search_limit) as listener:
            self.port: int = listener.getsockname()[1]
            print(f"debugger of process {os.getpid()}: telnet {host} {self.port}", file=out or sys.stderr, flush=True)
            self._client, _ = listener.accept()
        # Two streams: one that is read and written drops, when it is written to, what it has read ahead.
        self._streams = (self._client.makefile("r"), self._client.makefile("w"))
        super().__init__(stdin=self._streams[0], stdout=self._streams[1])
        self.prompt = f"(rdb {self.port}) "
        _open.append(self)

    def close(self) -> None:
        """Ends the session; the task goes on."""
        if self in _open:
            _open.remove(self)
            for one in (*self._streams, self._client):
                one.close()

    def do_continue(self, arg: str) -> Any:
        """Goes on, and ends the session where no breakpoint is left."""
        self.set_continue()
        if not self.breaks:
            self.close()
        return 1

    do_c = do_cont = do_continue

    def do_quit(self, arg: str) -> Any:
        """Ends the session, and lets the task go on."""
        self.clear_all_breaks()
        self.set_continue()
        self.close()
        return 1

    do_q = do_exit = do_EOF = do_quit  # pdb's names


def debugger() -> Rdb:
    """Returns the session of this process, or makes one, which waits for somebody to connect."""
    return _open[-1] if _open else Rdb()


def set_trace(frame: FrameType | None = None) -> None:
    """Stops at the caller's next line, in the session of this process.

    Args:
        frame: Where to stop; None for the caller.
    """
    debugger().set_trace(frame or sys._getframe().f_back)


def _setting(name: str) -> str | None:
    return os.environ.get(f"IGNITETASKS_RDB_{name}") or os.environ.get(f"CELERY_RDB_{name}")


def _listening(host: str, first: int, count: int) -> socket.socket:
    for port in range(first, first + count):
        try:
            return socket.create_server((host, port))
        except OSError:
            continue
    raise ConfigurationError(f"none of the ports {first} to {first + count - 1} of {host} is free for a debugger")
