"""The transport over Py4J: one text line out, one text line back, each carrying a framed, checksummed payload.

It never repeats a call by itself: `retrying` does. Measured: about 15 us of Python per small call.
"""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from ignitetasks import metrics, wire
from ignitetasks.config import Settings
from ignitetasks.errors import (
    ConnectionCut,
    GatewayError,
    IgniteTasksError,
    NodeError,
    NotConnected,
    PayloadTooLarge,
    from_wire,
)
from ignitetasks.jvm import Connection, ensure_running
from ignitetasks.message import Ahead, BlobRef, Completion, Group, PollAnswer, Session, SubmitAnswer, WatchAnswer
from ignitetasks.pace import Pace
from ignitetasks.serializers import Data
from ignitetasks.transport.base import Transport
from ignitetasks.transport.lane import BlobLane
from ignitetasks.transport.sockets import GatewaySocket, Pool

CLIENT_VERSION = "0.1.0"
# The node answers a long poll when its time is over; the socket waits a little longer for that answer.
_POLL_GRACE_SECONDS = 10.0
# The caller waits no longer than this: a node that hangs must not make a `get` overstep its own timeout.
_LATE_SECONDS = 0.25
# A poll behind a submit: as long as the node lets any wait, and an answer that fits a socket nobody reads.
_STANDING_SECONDS = 30
_STANDING_ITEMS = 8

_HEADS: dict[str, bytes] = {}


class _Link(NamedTuple):
    """The node a transport talks to."""

    pool: Pool
    node: Connection


class _Standing(NamedTuple):
    """A poll whose answer is still to come: it was sent behind a submit, or its caller's time was over first."""

    link: _Link
    socket: GatewaySocket
    poll: Ahead
    until: float


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
        # At most one, but for a moment: the node ends the older of two.
        self._standing: deque[_Standing] = deque()
        self._pace = Pace()
        self._link: _Link | None = None
        self._failed: tuple[float, NodeError] | None = None
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
        asked = perf_counter()
        with self._lock:
            if self._link is None:
                node = self._find(asked)
                self._link = _Link(Pool(node.host, node.port, node.token), node)
            return self._link

    def _find(self, asked: float) -> Connection:
        """Returns the node; who has waited for a thread that found none does not begin to wait anew."""
        if self._failed is not None and self._failed[0] > asked:
            error = self._failed[1]
            raise NodeError(str(error), error.code) from error
        try:
            return self._connect(self._settings)
        except NodeError as error:
            self._failed = (perf_counter(), error)
            raise

    def _drop(self, link: _Link) -> None:
        """Forgets a link that failed, unless another thread has done so already."""
        with self._lock:
            if self._link is link:
                self._link = None
        link.pool.close()
        with contextlib.suppress(IndexError):
            self._standing.pop().socket.close(reset=True)

    def _call(self, op: str, request: Any, timeout: float, ahead: Ahead | None = None) -> Any:
        line = _line(op, request)
        if ahead is not None:
            line += _line("poll", (ahead.session, ahead.ack, _STANDING_SECONDS * 1000, _STANDING_ITEMS))
        link = self._current()
        start = perf_counter()
        try:
            back, socket = link.pool.begin(line, timeout)
            if ahead is None:
                link.pool.give_back(socket)
            else:
                self._standing.append(_Standing(link, socket, ahead, start + _STANDING_SECONDS + _POLL_GRACE_SECONDS))
            status, answer = _open(back)
        except (NotConnected, ConnectionCut):
            self._drop(link)
            raise
        return self._value(op, status, answer, start)

    def _value(self, op: str, status: int, answer: memoryview, start: float) -> Any:
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

    def submit(
        self, groups: Sequence[Group], attempt: int = 0, timeout: float | None = None, ahead: Ahead | None = None
    ) -> SubmitAnswer:
        """See `Transport.submit`."""
        session = self.session()
        if ahead is not None and (ahead.session != session.number or self._standing):
            ahead = None
        created, exceptions = self._call("submit", (session.number, attempt, groups), timeout or self._timeout, ahead)
        return SubmitAnswer(created, exceptions, session)

    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        """See `Transport.poll`."""
        wanted = Ahead(session, ack)
        standing = self._take_standing(wanted)
        if standing is None:
            standing = self._stand(wanted, timeout, limit)
            timeout += _LATE_SECONDS
        value = self._hear(standing, timeout)
        if value is None:
            return PollAnswer(ack, False, [])
        seq, dropped, completions = value
        return PollAnswer(seq, dropped, [Completion(*one) for one in completions])

    def _stand(self, poll: Ahead, timeout: float, limit: int) -> _Standing:
        """Sends a poll."""
        link = self._current()
        until = perf_counter() + timeout + _POLL_GRACE_SECONDS
        line = _line("poll", (poll.session, poll.ack, int(timeout * 1000), limit))
        try:
            return _Standing(link, link.pool.send(line, self._timeout), poll, until)
        except (NotConnected, ConnectionCut):
            self._drop(link)
            raise

    def _take_standing(self, poll: Ahead) -> _Standing | None:
        """Returns the poll that stands already, if it is the one that is wanted."""
        while self._standing:
            try:
                standing = self._standing.pop()
            except IndexError:
                break
            if standing.link is self._link and standing.poll == poll:
                return standing
            standing.socket.close(reset=True)
        return None

    def _hear(self, standing: _Standing, timeout: float) -> Any:
        """Waits for the answer of a poll; None if none came in time, and it stands on."""
        start = perf_counter()
        socket = standing.socket
        try:
            if not socket.wait(timeout, self._pace):
                if perf_counter() > standing.until:
                    raise ConnectionCut("the gateway did not answer a poll in time")
                self._standing.append(standing)
                return None
            status, answer = _open(socket.read(_POLL_GRACE_SECONDS))
        except BaseException as error:
            # What the answer said was not confirmed, so the next poll is told it again.
            socket.close(reset=True)
            if isinstance(error, ConnectionCut):
                self._drop(standing.link)
            raise
        standing.link.pool.give_back(socket)
        return self._value("poll", status, answer, start)

    def watch(self, session: int, ids: Sequence[str], timeout: float | None = None) -> WatchAnswer:
        """See `Transport.watch`."""
        completions, unknown, expired = self._call("watch", (session, ids), timeout or self._timeout)
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


def _line(op: str, request: Any) -> bytes:
    payload = wire.pack(request)
    if len(payload) > wire.MAX_FRAME_BYTES:
        raise PayloadTooLarge(f"{op}: {len(payload)} bytes are more than one call carries; send fewer at a time")
    head = _HEADS.get(op)
    if head is None:
        head = _HEADS[op] = b"c\nt\n" + op.encode("ascii") + b"\nj"
    return b"".join((head, b2a_base64(wire.encode_frame(payload), newline=False), b"\ne\n"))


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
