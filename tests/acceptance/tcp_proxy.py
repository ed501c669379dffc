"""A proxy between a client and its gateway that cuts one call at a chosen point.

It knows just enough of the protocol to tell a request from an answer: a call begins with ``c``, ends with ``e`` on a
line of its own, and is answered by one line. Everything before the first call (the token) passes untouched.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass

_END = b"\ne\n"
_READ = 1 << 16


@dataclass(frozen=True)
class Cut:
    """Where a call is cut.

    Attributes:
        side: ``request`` or ``answer``.
        after: Bytes of it that still pass.
        delay: Seconds the answer is held back, instead of cutting.
        pieces: Bytes that are sent at a time, instead of cutting; 0 means all at once.
    """

    side: str = "request"
    after: int = 0
    delay: float = 0.0
    pieces: int = 0


class Proxy:
    """Listens on a port of its own; every connection is passed on to the gateway.

    Args:
        host: The gateway's.
        port: The gateway's.

    Attributes:
        port: Where it listens.
        request_size: Bytes of the last call of the armed operation that passed whole.
        answer_size: Bytes of its answer.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._op = b""
        self.request_size = self.answer_size = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, op: str, cut: Cut | None) -> None:
        """Cuts the next call of an operation; None only measures it."""
        with self._lock:
            self._op, self._cut = b"c\nt\n" + op.encode() + b"\n", cut

    def close(self) -> None:
        """Takes no more connections."""
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(self._target) as gateway:
            for one in (client, gateway):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _pass(_read_until(client, b"\n", lines=2), gateway)
            _pass(_read_until(gateway, b"\n"), client)
            while self._call(client, gateway):
                pass

    def _call(self, client: socket.socket, gateway: socket.socket) -> bool:
        request = _read_until(client, _END)
        cut = self._take(request)
        if cut is not None and cut.side == "request" and not cut.pieces:
            _pass(request[: cut.after], gateway)
            return False
        _pass(request, gateway, cut.pieces if cut else 0)
        answer = _read_until(gateway, b"\n")
        if request.startswith(self._op):
            self.request_size, self.answer_size = len(request), len(answer)
        if cut is not None and cut.delay:
            time.sleep(cut.delay)
        elif cut is not None and not cut.pieces:
            _pass(answer[: cut.after], client)
            return False
        _pass(answer, client, cut.pieces if cut else 0)
        return True

    def _take(self, request: bytes) -> Cut | None:
        with self._lock:
            if not request.startswith(self._op):
                return None
            cut, self._cut = self._cut, None
            return cut


def _read_until(source: socket.socket, end: bytes, lines: int = 1) -> bytes:
    data = b""
    while data.count(b"\n") < lines or not data.endswith(end):
        more = source.recv(_READ)
        if not more:
            raise OSError("closed")
        data += more
    return data


def _pass(data: bytes, target: socket.socket, pieces: int = 0) -> None:
    if not pieces:
        target.sendall(data)
        return
    for start in range(0, len(data), pieces):
        target.sendall(data[start : start + pieces])
