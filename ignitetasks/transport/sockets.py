"""py4j's pool of authenticated sockets: one text line out, one text line back.

The only file that knows py4j. Of py4j it uses the pool and the connection, with everything replaced that repeats
calls, logs what is sent, or accepts half an answer. Must not know what the lines say.
"""

from __future__ import annotations

import select
import socket
from time import perf_counter
from typing import Any

from py4j.java_gateway import GatewayClient, GatewayConnection, GatewayParameters

from ignitetasks.errors import AuthenticationError, ConnectionCut, NotConnected
from ignitetasks.pace import Pace

MAX_LINE_BYTES = 12 * 1024 * 1024
_CONNECT_SECONDS = 5.0
_READ_BYTES = 1 << 16
_READ_MORE_BYTES = 1 << 20


class GatewaySocket(GatewayConnection):  # type: ignore[misc]
    """One authenticated socket; belongs to one thread at a time."""

    def __init__(self, parameters: GatewayParameters) -> None:
        self.stream: Any = None  # py4j closes one; lines are read without, since a stream hides what it holds
        self._rest = b""
        self._ready: Any = None
        self._pace = Pace()
        super().__init__(parameters)
        # py4j shuts the socket down when this object is collected; in a forked child that would end the parent's.
        self.wr = None

    def start(self, timeout: float = _CONNECT_SECONDS) -> None:
        """Connects and authenticates; quiet, unlike py4j's, because the caller decides what is worth a log line."""
        seconds = min(timeout, _CONNECT_SECONDS)
        try:
            self.socket.settimeout(seconds)
            self.socket.connect((self.address, self.port))
            self._tune()
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            self._ready = poll.poll
            self.is_connected = True
            answer = self.exchange(b"A\n" + self.gateway_parameters.auth_token.encode() + b"\n", seconds)
        except (OSError, ConnectionCut) as error:
            self.close(reset=True)
            # Nothing but the token was sent, so whatever the caller wants is surely not done.
            raise NotConnected(f"the gateway at {self.address}:{self.port} cannot be reached: {error}") from error
        if answer != b"!yv\n":
            self.close(reset=True)
            raise AuthenticationError(
                f"the gateway at {self.address}:{self.port} refused the token; "
                "is the connection file that of another node?"
            )

    def _tune(self) -> None:
        # Without TCP_NODELAY, answers of tens of KB meet delayed acknowledgements: 40 ms stalls.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, name):
                self.socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def exchange(self, line: bytes, timeout: float) -> bytes:
        """Sends one line and returns the whole line that comes back.

        Raises:
            ConnectionCut: No whole line came in time.
        """
        self.send(line, timeout)
        start = perf_counter()
        self._pace.look(self._ready)
        answer = self.read(timeout)
        self._pace.note(perf_counter() - start)
        return answer

    def send(self, line: bytes, timeout: float) -> None:
        """Sends one line or several.

        Raises:
            ConnectionCut: Not all of it could be sent in time.
        """
        try:
            if self.socket.gettimeout() != timeout:
                self.socket.settimeout(timeout)
            self.socket.sendall(line)
        except OSError as error:
            raise _cut(error, timeout) from error

    def wait(self, timeout: float, pace: Pace) -> bool:
        """Waits until an answer begins to come, and reads nothing of it.

        Args:
            timeout: Seconds.
            pace: Of answers such as this one.

        Returns:
            False when the time was over first. A connection that broke has something to read, too.
        """
        if self._rest:
            return True
        start = perf_counter()
        here = pace.look(self._ready) or bool(self._ready(timeout * 1000))
        pace.note(perf_counter() - start)
        return here

    def read(self, timeout: float) -> bytes:
        """Returns the next whole line.

        Raises:
            ConnectionCut: No whole line came in time.
        """
        try:
            if self.socket.gettimeout() != timeout:
                self.socket.settimeout(timeout)
            data = self._rest or self.socket.recv(_READ_BYTES)
            end = data.find(b"\n") + 1
            if end == len(data) > 0:
                self._rest = b""
                return data
            return self._read_on(data, end)
        except OSError as error:
            raise _cut(error, timeout) from error

    def _read_on(self, data: bytes, end: int) -> bytes:
        line = bytearray(data)
        while not end:
            chunk = self.socket.recv(_READ_MORE_BYTES)
            if not chunk or len(line) > MAX_LINE_BYTES:
                # py4j would take this for an answer: it only strips the last character.
                raise ConnectionCut("the gateway closed the connection in the middle of its answer")
            at = chunk.find(b"\n") + 1
            end = len(line) + at if at else 0
            line += chunk
        self._rest = bytes(line[end:])
        del line[end:]
        return bytes(line)


def _cut(error: OSError, timeout: float) -> ConnectionCut:
    if isinstance(error, TimeoutError):
        return ConnectionCut(f"the gateway did not answer within {timeout:g} seconds")
    return ConnectionCut(f"the connection to the gateway broke: {error}")


class Pool(GatewayClient):  # type: ignore[misc]
    """py4j's pool of connections, without its repeating and its logging.

    Args:
        host: Address of the gateway.
        port: Its port.
        token: What it wants to see.
    """

    closed = False

    def __init__(self, host: str, port: int, token: str) -> None:
        super().__init__(gateway_parameters=GatewayParameters(address=host, port=port, auth_token=token))

    def _should_retry(self, retry: bool, connection: object, pne: object = None) -> bool:
        return False

    def begin(self, line: bytes, timeout: float) -> tuple[bytes, GatewaySocket]:
        """Sends one or several lines, and returns the first answer line and the connection.

        Returns:
            The connection may have more to read; it has to be given back or closed.
        """
        connection = self._take(timeout)
        try:
            return connection.exchange(line, timeout), connection
        except BaseException:
            # Also for KeyboardInterrupt: the answer may still come, and would be the next caller's.
            connection.close(reset=True)
            raise

    def send(self, line: bytes, timeout: float) -> GatewaySocket:
        """Sends a line and returns the connection by which its answer will come."""
        connection = self._take(timeout)
        try:
            connection.send(line, timeout)
        except BaseException:
            connection.close(reset=True)
            raise
        return connection

    def _take(self, timeout: float) -> GatewaySocket:
        try:
            connection: GatewaySocket = self.deque.pop()
        except IndexError:
            connection = GatewaySocket(self.gateway_parameters)
            connection.start(timeout)
        return connection

    def give_back(self, connection: GatewaySocket) -> None:
        """Takes back a connection that has nothing more to read."""
        self.deque.append(connection)
        if self.closed:
            # By another thread, while this call was under way; looked at after the append, so that one of the two
            # meets the connection in the pool.
            self.close()

    def close(self) -> None:
        """Closes the free connections, and each busy one at the end of its call."""
        self.closed = True
        super().close()
