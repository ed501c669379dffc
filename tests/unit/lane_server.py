"""A small lane server for tests: the node's side of the worker lane, in threads of the test's process.

It does nothing by itself but greet, keep blobs and, if wanted, answer a DRAIN the way the node does.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import shutil
import socket
import tempfile
import threading
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ignitetasks import frames
from ignitetasks.message import encode_body
from ignitetasks.serializers import Codecs

TOKEN = "t" * 64
CODECS = Codecs(("msgpack", "json"))
PATIENCE = 60.0


@dataclass(frozen=True)
class Address:
    lane: str
    token: str
    data_dir: str = "/nowhere"


class Peer:
    """One accepted and greeted connection."""

    def __init__(self, server: LaneServer, sock: socket.socket) -> None:
        self.server = server
        self.lane = frames.LaneConnection(sock)
        self.role = ""
        self.info: dict[str, Any] = {}
        self.received: queue.Queue[tuple[int, Any]] = queue.Queue()
        self.outcomes: dict[int, list[Any]] = {}
        self.batches: list[list[Any]] = []
        self.kinds: list[int] = []
        self.closed = threading.Event()
        self.said_bye = False
        self.takes_back = True
        self._changed = threading.Condition()
        self._seq = itertools.count(1)
        self._sent: list[int] = []

    def greet(self, epoch: int) -> None:
        kind, (token, self.role, self.info) = self.lane.recv_msg()
        assert kind == frames.HELLO
        if token != self.server.token:
            self.lane.send(frames.ERROR, ["AUTHENTICATION", "wrong token"])
            raise frames.LaneClosed("refused")
        self.lane.send(frames.WELCOME, {"epoch": epoch} if self.role == "worker" else {})

    def pump(self) -> None:
        try:
            while True:
                kind, payload = self.lane.recv()
                if self.role == "blob":
                    self.server.on_blob(self, kind, payload)
                    continue
                value = frames.unpack(payload)
                with self._changed:
                    self.kinds.append(kind)
                    self.said_bye = self.said_bye or kind == frames.BYE
                    if kind == frames.DONE:
                        self.batches.append(value)
                        for one in value:
                            self._answered(one)
                    self._changed.notify_all()
                self.received.put((kind, value))
                if kind == frames.BYE:
                    return
                if kind == frames.DRAIN and self.server.answers_drain:
                    threading.Thread(target=self.server.drain, args=(self,), daemon=True).start()
        except (frames.LaneError, OSError):
            pass
        finally:
            self.lane.close()
            with self._changed:
                self.closed.set()
                self._changed.notify_all()

    def send(self, kind: int, value: Any) -> None:
        self.lane.send(kind, value)

    def run(self, *calls: Any) -> list[int]:
        """Sends one RUN; a call is a task name, or (name, args), or (name, args, fields of the delivery)."""
        deliveries = []
        for call in calls:
            name, *rest = (call,) if isinstance(call, str) else call
            args, fields = (*rest, (), {})[:2] if len(rest) != 1 else (rest[0], {})
            deliveries.append(self.delivery(name, args, **fields))
        self._sent += [one[0] for one in deliveries]
        self.send(frames.RUN, deliveries)
        return [one[0] for one in deliveries]

    def _answered(self, outcome: list[Any]) -> None:
        if outcome[1] == frames.GIVE_BACK and outcome[5] == "slow":
            for seq in self._sent:
                if seq >= outcome[0]:
                    self.outcomes[seq] = outcome
            if self.takes_back:
                self.send(frames.TAKEN_BACK, {})
        elif outcome[1] != frames.STARTED:
            self.outcomes[outcome[0]] = outcome

    def delivery(self, task: str, args: tuple[Any, ...] = (), **fields: Any) -> list[Any]:
        return delivery(next(self._seq), task, args, **fields)

    def wait_for(self, *seqs: int, timeout: float = PATIENCE) -> list[list[Any]]:
        """Returns the outcomes of some deliveries."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.outcomes.keys() >= set(seqs) or self.closed.is_set(), timeout)
        assert done
        assert self.outcomes.keys() >= set(seqs), f"closed with {sorted(self.outcomes)} of {sorted(seqs)}"
        return [self.outcomes[seq] for seq in seqs]

    def expect(self, kind: int, timeout: float = PATIENCE) -> Any:
        """Returns the next frame of a kind; others before it are dropped."""
        deadline = time.monotonic() + timeout
        while True:
            found, value = self.received.get(timeout=max(deadline - time.monotonic(), 0.001))
            if found == kind:
                return value


class LaneServer:
    """Listens until closed."""

    def __init__(self, token: str = TOKEN) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lane"))
        self.token = token
        self.address = Address(str(self._folder / "lane.sock"), TOKEN)
        self.answers_drain = True
        self.blobs: dict[str, bytes] = {}
        self.peers: list[Peer] = []
        self._uploads: dict[int, tuple[str, int, bytearray]] = {}
        self._epochs = itertools.count(1)
        self._changed = threading.Condition()
        self._taken: set[int] = set()
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address.lane)
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def die(self) -> None:
        """Ends like a killed node: every connection closes at once, nobody listens any more."""
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        Path(self.address.lane).unlink()
        for peer in list(self.peers):
            shut(peer)

    def close(self) -> None:
        if Path(self.address.lane).exists():
            self.die()
        shutil.rmtree(self._folder)

    def next_peer(self, role: str, timeout: float = PATIENCE, **info: Any) -> Peer:
        """Returns the next connection of a role that no call has returned yet."""

        def fits(peer: Peer) -> bool:
            wanted = all(peer.info.get(key) == value for key, value in info.items())
            return peer.role == role and id(peer) not in self._taken and wanted

        with self._changed:
            assert self._changed.wait_for(lambda: any(map(fits, self.peers)), timeout), f"no {role} came"
            peer = next(filter(fits, self.peers))
            self._taken.add(id(peer))
            return peer

    def drain(self, worker: Peer) -> None:
        children = [peer for peer in self.peers if peer.role == "child" and not peer.closed.is_set()]
        for peer in children:
            try:
                peer.send(frames.STOP, {})
            except frames.LaneError:
                continue
        for peer in children:
            peer.closed.wait(PATIENCE)
        with contextlib.suppress(frames.LaneError):
            # A worker that is stopped cold does not wait for it.
            worker.send(frames.DRAINED, {})

    def on_blob(self, peer: Peer, kind: int, payload: Any) -> None:
        if kind == frames.BLOB_PUT:
            blob_id, size, _ = frames.unpack(payload)
            self._uploads[id(peer)] = (blob_id, size, bytearray())
        elif kind == frames.BLOB_DATA:
            blob_id, size, data = self._uploads[id(peer)]
            data += payload
            if len(data) == size:
                self.blobs[blob_id] = bytes(data)
                peer.send(frames.BLOB_OK, [zlib.crc32(data)])
        elif kind == frames.BLOB_GET:
            (blob_id,) = frames.unpack(payload)
            found = self.blobs.get(blob_id)
            if found is None:
                peer.send(frames.ERROR, ["NOT_FOUND", blob_id])
                return
            for start in range(0, len(found), frames.BLOB_CHUNK):
                peer.lane.send_raw(frames.BLOB_DATA, found[start : start + frames.BLOB_CHUNK])
            peer.send(frames.BLOB_END, [len(found), zlib.crc32(found)])

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        peer = Peer(self, sock)
        try:
            peer.greet(next(self._epochs))
        except (frames.LaneError, OSError):
            sock.close()
            return
        with self._changed:
            self.peers.append(peer)
            self._changed.notify_all()
        peer.pump()


def shut(peer: Peer) -> None:
    """Cuts one connection from the node's side."""
    try:
        peer.lane._sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def delivery(seq: int, task: str, args: tuple[Any, ...] = (), **fields: Any) -> list[Any]:
    """Builds one delivery as the node does."""
    values: dict[str, Any] = {
        "seq": seq,
        "id": f"task-{seq}",
        "fence": 1,
        "task": task,
        "body": encode_body(CODECS, task, args, fields.pop("kwargs", {})),
        "flags": 0,
        "options": None,
        "attempt": 0,
        "deliveries": 0,
        "soft_ms": 0,
        "hard_ms": 0,
        "queue": "celery",
        "priority": 0,
        "eta_ms": 0,
        "expires_ms": 0,
        "root_id": None,
        "parent_id": None,
        "group_id": None,
        "created_ms": 1_700_000_000_000,
    }
    assert fields.keys() <= values.keys(), fields
    return list({**values, **fields}.values())
