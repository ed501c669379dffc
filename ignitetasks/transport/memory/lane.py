"""The lane of a home in memory: workers, children and other processes reach it through a socket without a file.

One thread reads each connection; whoever changes something writes, and never waits for a slow reader: what does not
fit its socket is left to a thread of that connection. This file must not decide anything about tasks.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final
from zlib import crc32

from ignitetasks import frames
from ignitetasks.errors import IgniteTasksError
from ignitetasks.message import BlobRef
from ignitetasks.transport.memory.shared import Questions
from ignitetasks.transport.memory.workers import CONTROL_REPLY, QUEUES, Workers

#: Calls of other processes, and their answers; these two are only spoken between processes of one home in memory.
CALL: Final = 200
ANSWER: Final = 201


class Peer:
    """One accepted connection; queues and sends frames."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.lane = frames.LaneConnection(sock)
        self._out: deque[bytes] = deque()
        self._sending = threading.Lock()

    def post(self, kind: int, value: Any) -> None:
        """Queues a frame; never blocks."""
        self._out.append(frames.encode(kind, frames.pack(value)))

    def flush(self) -> None:
        """Sends what is queued, as far as the socket takes it at once."""
        # Looked at again after the release: what was queued meanwhile by one that found the lock taken is sent here.
        while self._out and self._sending.acquire(blocking=False):
            handed_over = False
            try:
                handed_over = not self._send()
            finally:
                if not handed_over:
                    self._sending.release()
            if handed_over:
                return

    def _send(self) -> bool:
        """Sends without waiting; False when a thread was started that waits, and holds the lock from now on."""
        while self._out:
            data = memoryview(self._out.popleft())
            try:
                data = data[self._sock.send(data, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                pass
            except OSError:  # the reader of this connection meets the end, and settles it
                self._out.clear()
                return True
            if data:
                threading.Thread(target=self._send_slowly, args=(bytes(data),), daemon=True).start()
                return False
        return True

    def _send_slowly(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError:
            self._out.clear()
        self._sending.release()
        self.flush()

    def close(self) -> None:
        """Ends the connection; its reader ends too."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class LaneServer:
    """Listens for workers, children and other processes of this home.

    Args:
        workers: The home's workers.
        questions: Takes what supervisors answer.
        handle: Performs a call of another process: its process id, the operation and the arguments.
        departed: Told of a process whose last connection has ended.
        tell: Takes events of workers.
    """

    def __init__(
        self,
        workers: Workers,
        questions: Questions,
        handle: Callable[[int, str, Any], Any],
        departed: Callable[[int], None],
        tell: Callable[[list[bytes]], Any],
    ) -> None:
        self._workers = workers
        self._questions = questions
        self._home = workers.home
        self._handle = handle
        self._departed = departed
        self._tell = tell
        self.blobs: dict[str, bytes] = {}
        self.token = secrets.token_hex(32)
        # Abstract: it has no file, so nothing is left behind; the token keeps others out.
        self.path = f"\0ignitetasks-{os.getpid()}-{secrets.token_hex(8)}"
        self._peers: set[Peer] = set()
        self._callers: dict[int, int] = {}
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(256)
        threading.Thread(target=self._accept, name="ignitetasks-memory", daemon=True).start()

    def close(self) -> None:
        """Ends all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            peers = list(self._peers)
        for peer in peers:
            peer.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), name="ignitetasks-memory", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        peer = Peer(sock)
        with self._lock:
            self._peers.add(peer)
        try:
            kind, (token, role, info) = peer.lane.recv_msg()
            if kind != frames.HELLO or not hmac.compare_digest(str(token), self.token):
                return
            serve = {
                "worker": self._serve_worker,
                "child": self._serve_child,
                "blob": self._serve_blobs,
                "call": self._serve_calls,
            }[role]
            serve(peer, info)
        except (frames.LaneError, OSError, KeyError):
            return
        finally:
            with self._lock:
                self._peers.discard(peer)
            sock.close()

    def _serve_worker(self, peer: Peer, info: dict[str, Any]) -> None:
        home, workers = self._home, self._workers
        with home.changing():
            worker = workers.joined(peer, info)
        try:
            while True:
                kind, payload = peer.lane.recv()
                if kind == CONTROL_REPLY:
                    self._questions.replied(worker, *frames.unpack(payload))
                    continue
                if kind == frames.EVENTS:
                    self._tell(frames.unpack(payload))
                    continue
                with home.changing():
                    if kind == frames.HELD:
                        (number,) = frames.unpack(payload)
                        home.post(peer, frames.HELD_REPLY, [number, workers.held(worker), dict(worker.totals)])
                    elif kind == frames.DRAIN:
                        workers.drain(worker)
                    elif kind == QUEUES:
                        worker.queues = set(frames.unpack(payload))
                        workers.listens(worker)
                    elif kind == frames.HEARS:
                        worker.hears = bool(frames.unpack(payload))
                        workers.listens(worker)
                    elif kind == frames.CHILD_DIED:
                        index, pid, reason, seq, _ = frames.unpack(payload)
                        workers.child_died(worker, index, pid, reason, seq)
        finally:
            with home.changing():
                workers.left(worker)
            self._questions.left(worker)

    def _serve_child(self, peer: Peer, info: dict[str, Any]) -> None:
        home, workers = self._home, self._workers
        with home.changing():
            child = workers.child_joined(peer, info)
        if child is None:
            peer.post(frames.ERROR, ["UNAVAILABLE", "the worker of this child is gone; exit"])
            peer.flush()
            return
        try:
            while True:
                kind, payload = peer.lane.recv()
                if kind == frames.EVENTS:
                    self._tell(frames.unpack(payload))
                    continue
                with home.changing():
                    if kind == frames.DONE:
                        workers.done(child, frames.unpack(payload))
                    elif kind == frames.STATE:
                        workers.told(child, *frames.unpack(payload))
                    elif kind == frames.BYE:
                        workers.give_back(child)
                if kind == frames.BYE:
                    return
        finally:
            with home.changing():
                workers.child_gone(child)

    def _serve_blobs(self, peer: Peer, _info: dict[str, Any]) -> None:
        peer.lane.send(frames.WELCOME, {})
        while True:
            kind, value = peer.lane.recv_msg()
            if kind == frames.BLOB_PUT:
                blob_id, size, _ = value
                data = bytearray()
                while len(data) < size:
                    _, piece = peer.lane.recv()
                    data += piece
                self.blobs[blob_id] = bytes(data)
                peer.lane.send(frames.BLOB_OK, [crc32(data)])
            elif kind == frames.BLOB_GET:
                self._send_blob(peer, value[0])

    def _send_blob(self, peer: Peer, blob_id: str) -> None:
        found = self.blobs.get(blob_id)
        if found is None:
            peer.lane.send(frames.ERROR, ["NOT_FOUND", f"{blob_id} is not kept"])
            return
        for start in range(0, len(found), frames.BLOB_CHUNK):
            peer.lane.send_raw(frames.BLOB_DATA, found[start : start + frames.BLOB_CHUNK])
        peer.lane.send(frames.BLOB_END, [len(found), crc32(found)])

    def _serve_calls(self, peer: Peer, info: dict[str, Any]) -> None:
        pid = int(info["pid"])
        with self._lock:
            self._callers[pid] = self._callers.get(pid, 0) + 1
        peer.lane.send(frames.WELCOME, {})
        try:
            while True:
                _, (op, args) = peer.lane.recv_msg()
                try:
                    peer.lane.send(ANSWER, self._handle(pid, op, args))
                except frames.LaneError:
                    raise
                except IgniteTasksError as error:
                    code = getattr(error, "code", "BAD_REQUEST")
                    peer.lane.send(frames.ERROR, [code, str(error)])
        finally:
            with self._lock:
                self._callers[pid] -= 1
                last = not self._callers[pid]
            if last:
                self._departed(pid)

    def put_blob(self, blob_id: str, data: bytes | bytearray | memoryview) -> BlobRef:
        """Keeps a large value."""
        whole = bytes(data)
        self.blobs[blob_id] = whole
        return BlobRef(blob_id, len(whole), crc32(whole))
