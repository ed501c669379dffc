"""The transport over Py4J: one text line out, one text line back, each carrying a framed, checksummed payload.

The only file that knows py4j. Of py4j it uses the pool and the connection, with everything replaced that repeats
calls, logs what is sent, or accepts half an answer. It never repeats a call by itself: `retrying` does.
Measured: about 15 us of Python per small call.
"""

from __future__ import annotations

import os
import platform
import socket
import threading
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from py4j.java_gateway import GatewayClient, GatewayConnection, GatewayParameters

from ignitetasks import metrics, wire
from ignitetasks.config import Settings
from ignitetasks.errors import (
    AuthenticationError,
    ConnectionCut,
    GatewayError,
    IgniteTasksError,
    NotConnected,
    PayloadTooLarge,
    from_wire,
)
from ignitetasks.jvm import Connection, ensure_running
from ignitetasks.message import BlobRef, Completion, Group, PollAnswer, Session, SubmitAnswer, WatchAnswer
from ignitetasks.serializers import Data
from ignitetasks.transport.base import Transport
from ignitetasks.transport.lane import BlobLane

CLIENT_VERSION = "0.1.0"
MAX_LINE_BYTES = 12 * 1024 * 1024
_CONNECT_SECONDS = 5.0
_READ_BUFFER = 1 << 16
# The node answers a long poll when its time is over; the socket waits a little longer for that answer.
_POLL_GRACE_SECONDS = 10.0

_HEADS: dict[str, bytes] = {}


class _Connection(GatewayConnection):  # type: ignore[misc]
    """One authenticated socket; belongs to one thread at a time."""

    def __init__(self, parameters: GatewayParameters) -> None:
        self.stream: Any = None
        super().__init__(parameters)
        # py4j shuts the socket down when this object is collected; in a forked child that would end the parent's.
        self.wr = None

    def start(self) -> None:
        """Connects and authenticates; quiet, unlike py4j's, because the caller decides what is worth a log line."""
        try:
            self.socket.settimeout(_CONNECT_SECONDS)
            self.socket.connect((self.address, self.port))
            self._tune()
            self.stream = self.socket.makefile("rb", _READ_BUFFER)
            self.is_connected = True
            answer = self.exchange(b"A\n" + self.gateway_parameters.auth_token.encode() + b"\n", _CONNECT_SECONDS)
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
        try:
            if self.socket.gettimeout() != timeout:
                self.socket.settimeout(timeout)
            self.socket.sendall(line)
            answer: bytes = self.stream.readline(MAX_LINE_BYTES)
        except TimeoutError as error:
            raise ConnectionCut(f"the gateway did not answer within {timeout:g} seconds") from error
        except (OSError, ValueError) as error:
            raise ConnectionCut(f"the connection to the gateway broke: {error}") from error
        if answer[-1:] != b"\n":
            # py4j would take this for an answer: it only strips the last character.
            raise ConnectionCut("the gateway closed the connection in the middle of its answer")
        return answer


class _Client(GatewayClient):  # type: ignore[misc]
    """py4j's pool of connections, without its repeating and its logging."""

    closed = False

    def _create_connection(self) -> _Connection:
        connection = _Connection(self.gateway_parameters)
        connection.start()
        return connection

    def _should_retry(self, retry: bool, connection: object, pne: object = None) -> bool:
        return False

    def exchange(self, line: bytes, timeout: float) -> bytes:
        """Sends one line over a free connection and returns the answer line."""
        try:
            connection: _Connection = self.deque.pop()
        except IndexError:
            connection = self._create_connection()
        try:
            answer = connection.exchange(line, timeout)
        except BaseException:
            # Also for KeyboardInterrupt: the answer may still come, and would be the next caller's.
            connection.close(reset=True)
            raise
        self.deque.append(connection)
        if self.closed:
            # By another thread, while this call was under way; looked at after the append, so that one of the two
            # meets the connection in the pool.
            self.close()
        return answer

    def close(self) -> None:
        """Closes the free connections, and each busy one at the end of its call."""
        self.closed = True
        super().close()


class _Link(NamedTuple):
    """The node a transport talks to."""

    client: _Client
    node: Connection


class GatewayTransport(Transport):
    """Calls the gateway of one instance, without repeating anything.

    Args:
        settings: Which instance, and the deadlines.
        kind: What this process is, for the node's status.
        connect: Returns the instance's connection, starting its JVM where needed.
    """

    def __init__(
        self,
        settings: Settings,
        kind: str = "client",
        connect: Callable[[Settings], Connection] = ensure_running,
    ) -> None:
        self._settings = settings
        self._kind = kind
        self._connect = connect
        self._timeout = settings.call_timeout_seconds
        self._timers: dict[str, Callable[[float], None]] = {}
        self._retired: list[_Link] = []
        self._lane = BlobLane(self._lane_target)
        self._renew()

    def _renew(self) -> None:
        """Starts from nothing, in a new process as in a new object."""
        self._lock = threading.RLock()
        self._link: _Link | None = None
        self._session: tuple[Connection, Session] | None = None
        self._pid = os.getpid()

    def _current(self) -> _Link:
        if self._pid != os.getpid():
            # The parent goes on using its sockets: they are kept out of sight, not closed.
            if self._link is not None:
                self._retired.append(self._link)
            self._renew()
        link = self._link
        if link is not None:
            return link
        with self._lock:
            if self._link is None:
                node = self._connect(self._settings)
                parameters = GatewayParameters(address=node.host, port=node.port, auth_token=node.token)
                self._link = _Link(_Client(gateway_parameters=parameters), node)
            return self._link

    def _drop(self, link: _Link) -> None:
        """Forgets a link that failed, unless another thread has done so already."""
        with self._lock:
            if self._link is link:
                self._link = None
        link.client.close()

    def _call(self, op: str, request: Any, timeout: float) -> Any:
        payload = wire.pack(request)
        if len(payload) > wire.MAX_FRAME_BYTES:
            raise PayloadTooLarge(f"{op}: {len(payload)} bytes are more than one call carries; send fewer at a time")
        head = _HEADS.get(op)
        if head is None:
            head = _HEADS[op] = b"c\nt\n" + op.encode("ascii") + b"\nj"
        line = b"".join((head, b2a_base64(wire.encode_frame(payload), newline=False), b"\ne\n"))
        link = self._current()
        start = perf_counter()
        try:
            status, answer = _open(link.client.exchange(line, timeout))
        except (NotConnected, ConnectionCut):
            self._drop(link)
            raise
        observe = self._timers.get(op)
        if observe is None:
            observe = self._timers[op] = metrics.call_seconds.labels(op).observe
        observe(perf_counter() - start)
        value = wire.unpack(answer)
        if status:
            raise _error(op, value)
        return value

    def session(self, renew: int | None = None) -> Session:
        """See `Transport.session`."""
        node = self._current().node
        held = self._session
        if held is not None and held[0] is node and renew is None:
            return held[1]
        with self._lock:
            held = self._session
            # Equal, not identical: after a cut the same node is found again, and still knows the session.
            if held is not None and held[0] == node and held[1].number != renew:
                self._session = (node, held[1])
                return held[1]
            request = [self._kind, os.getpid(), CLIENT_VERSION, platform.node()]
            session = Session.from_map(self._call("hello", request, self._timeout))
            self._session = (node, session)
            return session

    def submit(self, groups: Sequence[Group], attempt: int = 0, timeout: float | None = None) -> SubmitAnswer:
        """See `Transport.submit`."""
        session = self.session()
        created, exceptions = self._call("submit", (session.number, attempt, groups), timeout or self._timeout)
        return SubmitAnswer(created, exceptions, session)

    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        """See `Transport.poll`."""
        request = (session, ack, int(timeout * 1000), limit)
        seq, dropped, completions = self._call("poll", request, timeout + _POLL_GRACE_SECONDS)
        return PollAnswer(seq, dropped, [Completion(*one) for one in completions])

    def watch(self, session: int, ids: Sequence[str]) -> WatchAnswer:
        """See `Transport.watch`."""
        completions, unknown, expired = self._call("watch", (session, ids), self._timeout)
        return WatchAnswer([Completion(*one) for one in completions], unknown, expired)

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        """See `Transport.call`."""
        return self._call(op, args, timeout or self._timeout)

    def put_blob(self, blob_id: str, data: Data, ttl_ms: int) -> BlobRef:
        """See `Transport.put_blob`."""
        ref = self._lane.put(blob_id, data, ttl_ms)
        metrics.blob_bytes.labels("put").inc(ref.size)
        return ref

    def get_blob(self, ref: BlobRef) -> Data:
        """See `Transport.get_blob`."""
        data = self._lane.get(ref)
        metrics.blob_bytes.labels("get").inc(ref.size)
        return data

    def reset(self) -> None:
        """See `Transport.reset`."""
        link = self._link
        if link is not None and self._pid == os.getpid():
            self._drop(link)
        self._lane.close()

    def close(self) -> None:
        """See `Transport.close`."""
        self.reset()
        self._session = None

    def _lane_target(self) -> tuple[str, str]:
        node = self._current().node
        return node.lane, node.token


def _open(answer: bytes) -> tuple[int, memoryview]:
    """Reads the frame out of py4j's answer line (``!ys`` and base64)."""
    if not answer.startswith(b"!ys"):
        raise GatewayError("the gateway refused the command; client and node may differ in version", "BAD_REQUEST")
    try:
        frame = a2b_base64(memoryview(answer)[3:-1])
    except Base64Error as error:
        raise GatewayError("the gateway's answer is no base64; is another program on its port?") from error
    return wire.decode_frame(frame)


def _error(op: str, value: Any) -> IgniteTasksError:
    try:
        code, message, retryable = value
        return from_wire(str(code), f"{op}: {message}", bool(retryable))
    except (TypeError, ValueError):
        return GatewayError(f"{op}: the gateway answered with an error that cannot be read")
