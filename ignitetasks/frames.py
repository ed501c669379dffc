"""The worker lane: frames of a kind and a payload on a Unix stream socket.

One frame is a big-endian u32 length (of kind and payload), one byte of kind and the payload, which is msgpack
unless the kind says raw bytes. The same rules live in the node's FrameCodec; golden files hold both together.
This file knows how frames are cut, packed and greeted, and nothing of tasks, processes or retries: what a frame
means is decided by its reader. It never reconnects by itself.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgpack

from ignitetasks.errors import OperationalError

HELLO: Final = 1
WELCOME: Final = 2
ERROR: Final = 3
RUN: Final = 10
DONE: Final = 11
STOP: Final = 12
BYE: Final = 13
# From a child [number of the delivery, name of the state, result bytes]: how far a running task is.
STATE: Final = 14
# To a child that gave back what a slow task kept waiting: all that was sent before this is taken back.
TAKEN_BACK: Final = 15
DRAIN: Final = 20
DRAINED: Final = 21
CHILD_DIED: Final = 22
KILL: Final = 23
# To a supervisor [number, command, body]; its answer [number, body], to be left out where the number is 0; and from
# it, whenever they have changed, the queues it listens to.
CONTROL: Final = 24
CONTROL_REPLY: Final = 25
QUEUES: Final = 26
# From supervisors and children: events for the feed, each as bytes.
EVENTS: Final = 27
# From a supervisor [number]: what does this worker hold? The answer is [number, rows, executions ended by task]; a row
# is child (-1: none), pid, number in the child's connection, sent, age in ms, id, task, body (None if it is large),
# flags, queue, priority, attempt, deliveries, eta_ms, created_ms.
HELD: Final = 28
HELD_REPLY: Final = 29
BLOB_PUT: Final = 30
BLOB_DATA: Final = 31
BLOB_OK: Final = 32
BLOB_GET: Final = 33
BLOB_END: Final = 34
BLOB_DROP: Final = 35
#: From a supervisor: whether its worker wants to be told of ends that no child has decided.
HEARS: Final = 36

# Kinds of an outcome inside DONE.
SUCCESS: Final = 0
FAILURE: Final = 1
RETRY: Final = 2
REJECT: Final = 3
IGNORE: Final = 4
GIVE_BACK: Final = 5
STARTED: Final = 6
#: The task was not run, since it bears a stamp that is revoked.
REVOKED: Final = 8
#: The task's id goes to another call, which the spawn of the same outcome brings or promises.
REPLACED: Final = 10

#: Reason of a GIVE_BACK that stands for all later deliveries, too: a slow task keeps them waiting.
SLOW: Final = "slow"

#: Flag of an outcome whose payload names a blob instead of holding the value.
OUTCOME_REF: Final = 1

#: Largest length field that is accepted or sent, in bytes.
MAX_FRAME: Final = 4 * 1024 * 1024
#: Largest piece of a blob in one BLOB_DATA frame, in bytes.
BLOB_CHUNK: Final = 1024 * 1024

# A lane's descriptor is moved up here, so that user code that closes or redirects 0-2 (or opens them anew) can
# never write into the protocol.
_LOWEST_FD: Final = 64
_READ_SIZE: Final = 256 * 1024
# Up to this size one copy is cheaper than a second system call.
_JOIN_LIMIT: Final = 64 * 1024
_HEADER: Final = struct.Struct(">IB")
_HEADER_SIZE: Final = 5

Payload = bytes | bytearray | memoryview


class LaneError(OperationalError):
    """Something is wrong with the connection to the worker lane."""


class LaneClosed(LaneError, ConnectionError):
    """The other side closed the lane, or went away."""


class LaneProtocolError(LaneError):
    """The other side sent something that is not a frame of this protocol."""


class LaneRefused(LaneError):
    """The node answered with an ERROR frame.

    Attributes:
        code: The node's error code, such as ``BAD_REQUEST`` or ``NOT_FOUND``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"The node refused the lane request: {message} ({code}).")
        self.code = code


def pack(obj: Any) -> bytes:
    """Encode a frame's payload.

    Args:
        obj: Lists, maps, strings, bytes, numbers, booleans or None, nested.

    Returns:
        The msgpack bytes.
    """
    packed: bytes = msgpack.packb(obj, use_bin_type=True)
    return packed


def unpack(payload: Payload) -> Any:
    """Decode a frame's payload.

    Args:
        payload: The msgpack bytes of one frame.

    Returns:
        The value; arrays become lists.

    Raises:
        LaneProtocolError: The bytes are not msgpack.
    """
    try:
        return msgpack.unpackb(payload, raw=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise LaneProtocolError(f"The lane sent a payload that is not msgpack: {error}.") from error


def encode(kind: int, payload: Payload) -> bytes:
    """Build one whole frame.

    Args:
        kind: The frame's kind, 0-255.
        payload: The payload's bytes, at most ``MAX_FRAME - 1``.

    Returns:
        Header and payload.

    Raises:
        LaneProtocolError: The payload is too long for one frame.
    """
    length = len(payload) + 1
    if length > MAX_FRAME:
        raise LaneProtocolError(f"A lane frame of {length} bytes is over the limit of {MAX_FRAME}; send it as a blob.")
    return _HEADER.pack(length, kind) + bytes(payload)


class LaneConnection:
    """A connected, greeted lane socket.

    Reading and writing are independent of each other, but each is for one thread at a time: callers that share a
    connection between threads hold a lock per direction.

    Attributes:
        welcome: What the node answered to HELLO.
    """

    __slots__ = ("_data", "_pos", "_sock", "welcome")

    def __init__(self, sock: socket.socket) -> None:
        """Wrap a connected socket without greeting.

        Args:
            sock: A connected stream socket in blocking mode; owned from now on.
        """
        self._sock = sock
        # Received and not yet handed out. Immutable bytes, so that payloads can be views into it.
        self._data = b""
        self._pos = 0
        self.welcome: dict[str, Any] = {}

    @classmethod
    def open(cls, path: str, token: str, role: str, info: dict[str, Any], timeout: float = 5.0) -> LaneConnection:
        """Connect to a node's lane and greet it.

        Args:
            path: The lane's socket path, from the connection file.
            token: The instance's secret, from the connection file.
            role: ``worker``, ``child`` or ``blob``.
            info: What the node wants to know of that role.
            timeout: Seconds for connecting and for the answer.

        Returns:
            The connection, its ``welcome`` filled.

        Raises:
            LaneClosed: Nobody listens there, or nobody answered in time.
            LaneRefused: The node did not accept the greeting.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(path)
            sock = _move_up(sock)
            connection = cls(sock)
            connection.send(HELLO, [token, role, info])
            kind, answer = connection.recv_msg()
            if kind != WELCOME:
                raise LaneProtocolError(f"The lane answered HELLO with a frame of kind {kind}.")
            connection.welcome = answer if isinstance(answer, dict) else {}
            sock.settimeout(None)
            return connection
        except OSError as error:
            sock.close()
            raise LaneClosed(f"The worker lane at {path} cannot be reached: {error}.") from error
        except BaseException:
            sock.close()
            raise

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector.

        Returns:
            The descriptor, or -1 once closed.
        """
        return self._sock.fileno()

    def send(self, kind: int, obj: Any) -> None:
        """Send one frame with a msgpack payload.

        Args:
            kind: The frame's kind.
            obj: The payload's value.

        Raises:
            LaneClosed: The other side is gone.
            LaneProtocolError: The frame would be too long.
        """
        self.send_raw(kind, pack(obj))

    def send_raw(self, kind: int, data: Payload) -> None:
        """Send one frame with ready payload bytes.

        Args:
            kind: The frame's kind.
            data: The payload.

        Raises:
            LaneClosed: The other side is gone.
            LaneProtocolError: The frame would be too long.
        """
        try:
            if len(data) <= _JOIN_LIMIT:
                self._sock.sendall(encode(kind, data))
                return
            length = len(data) + 1
            if length > MAX_FRAME:
                raise LaneProtocolError(f"A lane frame of {length} bytes is over the limit of {MAX_FRAME}.")
            self._sock.sendall(_HEADER.pack(length, kind))
            self._sock.sendall(data)
        except OSError as error:
            raise LaneClosed(f"The worker lane was closed by the node: {error}.") from error

    def recv(self) -> tuple[int, Payload]:
        """Wait for the next frame.

        Returns:
            The kind and the payload's bytes.

        Raises:
            LaneClosed: The other side closed; also in the middle of a frame.
            LaneRefused: The frame is an ERROR.
            LaneProtocolError: The length field is impossible.
        """
        while True:
            frame = self._next()
            if frame is not None:
                return frame
            self._fill(0)

    def recv_msg(self) -> tuple[int, Any]:
        """Wait for the next frame and decode its payload.

        Returns:
            The kind and the value (None for an empty payload).

        Raises:
            LaneClosed: The other side closed.
            LaneRefused: The frame is an ERROR.
            LaneProtocolError: The bytes are not a frame, or not msgpack.
        """
        kind, payload = self.recv()
        return kind, unpack(payload) if len(payload) else None

    def pending(self) -> Iterator[tuple[int, Payload]]:
        """Hand out every frame that has arrived, without waiting for more.

        Yields:
            Kind and payload of each frame, in order; nothing when none is there.

        Raises:
            LaneClosed: The other side closed (frames before that are handed out first).
            LaneRefused: A frame is an ERROR.
            LaneProtocolError: The length field is impossible.
        """
        # Until nothing is there: so the end of a node is seen before what it handed over last is run. That may not be
        # on record, because work goes out before the disk is waited for.
        while True:
            frame = self._next()
            if frame is not None:
                yield frame
            elif not self._fill(socket.MSG_DONTWAIT):
                return

    def close(self) -> None:
        """Close the socket; harmless when repeated."""
        self._sock.close()

    def finish(self, timeout: float = 0.5) -> None:
        """Close so that the other side surely reads everything sent before.

        A Unix socket that is closed with unread input makes the peer's next read fail, even with our last frames
        still waiting there; so the write side goes first and the rest is read away.

        Args:
            timeout: Seconds to wait for the other side to close.
        """
        try:
            self._sock.settimeout(timeout)
            self._sock.shutdown(socket.SHUT_WR)
            while self._sock.recv(_READ_SIZE):
                pass
        except OSError:
            pass
        finally:
            self._sock.close()

    def _next(self) -> tuple[int, Payload] | None:
        """Cut the next frame from what has arrived; None when it is not complete."""
        start = self._pos
        have = len(self._data) - start
        if have < _HEADER_SIZE:
            return None
        length, kind = _HEADER.unpack_from(self._data, start)
        if not 1 <= length <= MAX_FRAME:
            raise LaneProtocolError(f"The lane sent a frame of {length} bytes; the limit is {MAX_FRAME}.")
        end = start + 4 + length
        payload: Payload
        if end <= len(self._data):
            payload = memoryview(self._data)[start + _HEADER_SIZE : end]
            self._pos = end
        elif end - len(self._data) > _READ_SIZE:
            payload = self._read_large(length - 1, start + _HEADER_SIZE)
        else:
            return None
        if kind == ERROR:
            code, message = unpack(payload)
            raise LaneRefused(str(code), str(message))
        return kind, payload

    def _read_large(self, size: int, start: int) -> bytearray:
        """Receive the rest of a large frame straight into its own buffer, blocking."""
        whole = bytearray(size)
        have = len(self._data) - start
        whole[:have] = memoryview(self._data)[start:]
        self._data, self._pos = b"", 0
        view = memoryview(whole)
        while have < size:
            try:
                count = self._sock.recv_into(view[have:])
            except OSError as error:
                raise LaneClosed(f"The worker lane was cut in the middle of a frame: {error}.") from error
            if not count:
                raise LaneClosed("The worker lane was closed in the middle of a frame.")
            have += count
        return whole

    def _fill(self, flags: int) -> bool:
        """Receive once; False when nothing was there to receive without waiting."""
        try:
            data = self._sock.recv(_READ_SIZE, flags)
        except BlockingIOError:
            return False
        except OSError as error:
            raise LaneClosed(f"The worker lane was closed by the node: {error}.") from error
        if not data:
            raise LaneClosed("The worker lane was closed by the node.")
        self._data = data if self._pos == len(self._data) else self._data[self._pos :] + data
        self._pos = 0
        return True


def _move_up(sock: socket.socket) -> socket.socket:
    """Return the same connection under a high descriptor that is closed on exec."""
    try:
        duplicate = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, _LOWEST_FD)
    except OSError:  # RLIMIT_NOFILE is below that: above the standard streams is what can be had
        duplicate = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, 3)
    timeout = sock.gettimeout()
    sock.close()
    moved = socket.socket(fileno=duplicate)
    moved.settimeout(timeout)
    return moved
