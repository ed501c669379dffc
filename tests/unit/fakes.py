"""A node in memory, reached directly or over a real socket, for tests of the client library.

It keeps what is submitted and completes what a test tells it to; it never runs a task.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import socket
import threading
import time
import zlib
from typing import Any

from ignitetasks import frames, message, wire
from ignitetasks.errors import ResultExpired, from_wire
from ignitetasks.jvm import Connection
from ignitetasks.message import (
    Ahead,
    BlobRef,
    Completion,
    Group,
    PollAnswer,
    Session,
    SubmitAnswer,
    WatchAnswer,
)
from ignitetasks.serializers import Codecs
from ignitetasks.transport.base import Transport

CODECS = Codecs(("msgpack", "json"))
TOKEN = "ab" * 32


class NodeRefusal(Exception):
    """An error answer."""

    def __init__(self, code: str, text: str = "no", retryable: bool = False) -> None:
        super().__init__(code, text, retryable)


class FakeNode:
    """The gateway's operations on dictionaries."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.sessions = itertools.count(101)
        self.mail: dict[int, list[list[Any]]] = {}
        self.sent: dict[int, tuple[int, int]] = {}
        self.seq: dict[int, int] = {}
        self.dropped: set[int] = set()
        self.records: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.expired: set[str] = set()
        self.watchers: dict[str, set[int]] = {}
        self.calls: list[tuple[str, Any]] = []
        self.workers: dict[str, int] = {}
        self.blobs: dict[str, bytes] = {}
        self.templates: list[message.Template] = []
        self.fail: list[Exception] = []

    def count(self, op: str) -> int:
        """How often an operation was called."""
        return sum(1 for name, _ in self.calls if name == op)

    def handle(self, op: str, request: Any) -> Any:
        """Answers one request or raises `NodeRefusal`."""
        self.calls.append((op, request))
        if self.fail and op != "hello":
            raise self.fail.pop(0)
        return getattr(self, f"op_{op}")(*request)

    def op_hello(self, kind: str, pid: int, version: str, host: str) -> Any:
        with self.lock:
            number = next(self.sessions)
            self.mail[number] = []
            self.seq[number] = 0
            self.sent[number] = (0, 0)
        return {"session": number, "node": "n1", "cluster_id": "c", "version": "0.1.0", "protocol": 1}

    def _known(self, session: int) -> None:
        if session not in self.mail:
            raise NodeRefusal("UNKNOWN_SESSION", "unknown session", True)

    def op_submit(self, session: int, attempt: int, groups: Any) -> Any:
        with self.lock:
            self._known(session)
            created, exceptions, index = 0, [], 0
            for raw, items in groups:
                template = message.Template(*raw)
                self.templates.append(template)
                for task_id, body, mark in items:
                    known = self.records.get(task_id)
                    if known is not None and (template.flags & message.CHECK_EXISTS):
                        code = message.EXISTS if known["mark"] == mark else message.CONFLICT
                        exceptions.append([index, code, known["state"]])
                    elif known is None:
                        created += 1
                        self.records[task_id] = {"template": template, "body": body, "mark": mark, "state": 0}
                        self.order.append(task_id)
                        if not template.flags & message.IGNORE_RESULT:
                            self.watchers.setdefault(task_id, set()).add(session)
                    index += 1
            return [created, exceptions]

    def op_poll(self, session: int, ack: int, timeout_ms: int, limit: int) -> Any:
        deadline = time.monotonic() + timeout_ms / 1000
        with self.lock:
            self._known(session)
            seq, count = self.sent[session]
            if ack == seq:
                del self.mail[session][:count]
            while not self.mail.get(session) and session not in self.dropped:
                self._known(session)
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.lock.wait(left)
            self._known(session)
            items = self.mail[session][:limit]
            self.seq[session] += 1
            self.sent[session] = (self.seq[session], len(items))
            dropped = session in self.dropped
            self.dropped.discard(session)
            return [self.seq[session], dropped, items]

    def op_watch(self, session: int, ids: Any) -> Any:
        with self.lock:
            self._known(session)
            done, unknown, expired = [], [], []
            for task_id in ids:
                record = self.records.get(task_id)
                if task_id in self.expired:
                    expired.append(task_id)
                elif record is None:
                    unknown.append(task_id)
                elif record["state"] >= 3:
                    done.append(record["completion"])
                else:
                    self.watchers.setdefault(task_id, set()).add(session)
            return [done, unknown, expired]

    def op_info(self, ids: Any) -> Any:
        return [self._info(task_id) for task_id in ids]

    def _info(self, task_id: str) -> Any:
        if task_id in self.expired:
            return "expired"
        record = self.records.get(task_id)
        if record is None:
            return None
        template = record["template"]
        return {
            "id": task_id,
            "task": template.task,
            "queue": template.queue,
            "state": record["state"],
            "eta_ms": template.eta_ms,
            "worker": record.get("worker"),
            "started_ms": record.get("started_ms"),
            "finished_ms": 1_700_000_000_000 if record["state"] >= 3 else 0,
            "result": record["completion"][2] if "completion" in record else None,
            "result_ref": False,
        }

    def op_listening(self, names: Any) -> Any:
        return {name: self.workers.get(name, 0) for name in names}

    def op_forget(self, ids: Any) -> Any:
        return sum(1 for task_id in ids if self.records.pop(task_id, None))

    def op_revoke(self, ids: Any, terminate: bool, signal: str) -> Any:
        return [5 if task_id in self.records else -1 for task_id in ids]

    def op_ping(self) -> Any:
        return []

    def op_kv_get(self, bucket: str, key: str) -> Any:
        return None

    def op_stop(self) -> Any:
        return []

    def complete(self, task_id: str, value: Any = None, state: int = 3, payload: bytes | None = None) -> None:
        """Ends a task."""
        if payload is None and state == 3:
            payload = message.encode_result(CODECS, task_id, value)
        with self.lock:
            record = self.records[task_id]
            record["state"] = state
            record["completion"] = [task_id, state, payload, 0]
            for session in self.watchers.pop(task_id, ()):
                if session in self.mail:
                    self.mail[session].append(record["completion"])
            self.lock.notify_all()

    def revive(self, task_id: str) -> None:
        """Puts a task that has ended back into its queue, as an operator does with a dead letter."""
        with self.lock:
            self.records[task_id]["state"] = 0
            del self.records[task_id]["completion"]

    def lose_mail(self) -> None:
        """Drops all mailboxes, and says so at the next poll."""
        with self.lock:
            for session in self.mail:
                self.mail[session].clear()
                self.sent[session] = (self.sent[session][0], 0)
                self.dropped.add(session)
            self.lock.notify_all()

    def lose_sessions(self) -> None:
        """Forgets all sessions, as a restarted node does."""
        with self.lock:
            self.mail.clear()
            self.watchers.clear()
            self.lock.notify_all()


class FakeTransport(Transport):
    """Calls a `FakeNode` in the same thread."""

    def __init__(self, node: FakeNode | None = None) -> None:
        self.node = node or FakeNode()
        self._session: Session | None = None
        self._lock = threading.Lock()

    def _handle(self, op: str, request: Any) -> Any:
        # Through the real packing, so that a test cannot pass what the wire would not carry.
        try:
            return wire.unpack(wire.pack(self.node.handle(op, wire.unpack(wire.pack(request)))))
        except NodeRefusal as error:
            raise from_wire(*error.args) from None

    def session(self, renew: int | None = None) -> Session:
        with self._lock:
            if self._session is None or self._session.number == renew:
                self._session = Session.from_map(self._handle("hello", ["client", 1, "0", "h"]))
            return self._session

    def submit(
        self, groups: Any, attempt: int = 0, timeout: float | None = None, ahead: Ahead | None = None
    ) -> SubmitAnswer:
        session = self.session()
        groups = [Group(*group) for group in groups]
        created, exceptions = self._handle("submit", (session.number, attempt, groups))
        return SubmitAnswer(created, exceptions, session)

    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        seq, dropped, items = self._handle("poll", (session, ack, int(timeout * 1000), limit))
        return PollAnswer(seq, dropped, [Completion(*one) for one in items])

    def watch(self, session: int, ids: Any, timeout: float | None = None) -> WatchAnswer:
        done, unknown, expired = self._handle("watch", (session, ids))
        return WatchAnswer([Completion(*one) for one in done], unknown, expired)

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        return self._handle(op, args)

    def put_blob(self, blob_id: str, data: Any, ttl_ms: int) -> BlobRef:
        self.node.blobs[blob_id] = bytes(data)
        return BlobRef(blob_id, len(data), zlib.crc32(data))

    def get_blob(self, ref: BlobRef) -> bytes:
        try:
            return self.node.blobs[ref.id]
        except KeyError:
            raise ResultExpired("gone") from None

    def reset(self) -> None:
        pass

    def close(self) -> None:
        self._session = None


class FakeGateway:
    """A `FakeNode` behind the line protocol on a real socket.

    Attributes:
        script: Taken one per command instead of an answer: ``close`` (no answer), ``cut`` (half an answer),
            ``silent`` (none, connection open), or bytes to answer with.
    """

    def __init__(self, node: FakeNode | None = None) -> None:
        self.node = node or FakeNode()
        self.script: list[Any] = []
        self.connections = 0
        self.commands = 0
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def connection(self, started_at: int = 1) -> Connection:
        """What the connection file would say."""
        return Connection(
            pid=1, role="embedded", host="127.0.0.1", port=self.port, token=TOKEN, lane="", data_dir="",
            durability="process", cluster_id="c", node="n1", thin_port=0, started_at=started_at, version="0.1.0",
            protocol=1,
        )  # fmt: skip

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(client)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        stream = client.makefile("rb")
        try:
            if stream.readline() != b"A\n" or stream.readline() != TOKEN.encode() + b"\n":
                client.sendall(b"!x\n")
                client.close()
                return
            client.sendall(b"!yv\n")
            while True:
                lines = [stream.readline() for _ in range(5)]
                if not lines[0]:
                    return
                assert lines[:2] == [b"c\n", b"t\n"] and lines[4] == b"e\n", lines
                self.commands += 1
                if not self._answer(client, lines[2][:-1].decode(), lines[3][1:-1]):
                    return
        except OSError:
            pass
        finally:
            stream.close()
            client.close()

    def _answer(self, client: socket.socket, op: str, payload: bytes) -> bool:
        step = self.script.pop(0) if self.script and op != "hello" else None
        if step == "close":
            client.shutdown(socket.SHUT_RDWR)
            return False
        if step == "silent":
            time.sleep(5)
            return False
        status, view = wire.decode_frame(base64.b64decode(payload))
        try:
            value, status = self.node.handle(op, wire.unpack(view)), 0
        except NodeRefusal as error:
            value, status = list(error.args), 1
        line = b"!ys" + base64.b64encode(wire.encode_frame(wire.pack(value), status)) + b"\n"
        if step == "cut":
            client.sendall(line[: len(line) // 2])
            client.shutdown(socket.SHUT_RDWR)
            return False
        client.sendall(step if isinstance(step, bytes) else line)
        return True

    def drop_connections(self) -> None:
        """Closes all connections, as a dying node does."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        """Stops listening and closes all connections."""
        with contextlib.suppress(OSError):
            # Without this the thread in accept would keep the socket listening.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()


class FakeLane:
    """The blob part of the worker lane on a real Unix socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.blobs: dict[str, bytes] = {}
        self.connections = 0
        self.close_after_hello = 0
        self.damage = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        lane = frames.LaneConnection(client)
        try:
            kind, hello = lane.recv_msg()
            assert kind == frames.HELLO and hello[:2] == [TOKEN, "blob"]
            lane.send(frames.WELCOME, {})
            if self.close_after_hello:
                self.close_after_hello -= 1
                return
            while True:
                kind, request = lane.recv_msg()
                if kind == frames.BLOB_PUT:
                    self._put(lane, *request)
                elif kind == frames.BLOB_GET:
                    self._get(lane, request[0])
        except frames.LaneClosed:
            pass
        finally:
            lane.close()

    def _put(self, lane: frames.LaneConnection, blob_id: str, size: int, ttl_ms: int) -> None:
        data = bytearray()
        while len(data) < size:
            kind, piece = lane.recv()
            assert kind == frames.BLOB_DATA and len(piece) <= frames.BLOB_CHUNK
            data += piece
        self.blobs[blob_id] = bytes(data)
        lane.send(frames.BLOB_OK, [zlib.crc32(data)])

    def _get(self, lane: frames.LaneConnection, blob_id: str) -> None:
        data = self.blobs.get(blob_id)
        if data is None:
            lane.send(frames.ERROR, ["NOT_FOUND", "no such blob"])
            return
        sent = b"x" + data[1:] if self.damage else data
        for start in range(0, len(data), frames.BLOB_CHUNK):
            lane.send_raw(frames.BLOB_DATA, sent[start : start + frames.BLOB_CHUNK])
        lane.send(frames.BLOB_END, [len(data), zlib.crc32(data)])

    def close(self) -> None:
        """Stops listening."""
        self._listener.close()
