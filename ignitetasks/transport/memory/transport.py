"""The transport to a home in memory: plain calls in the process that holds it, a socket from its forked children.

Homes are found by name: all apps of a process whose broker is ``memory://name`` share one. This file must not know
what a home does with a call.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ignitetasks.errors import ResultExpired
from ignitetasks.message import (
    Ahead,
    BlobRef,
    Completion,
    Group,
    PollAnswer,
    Session,
    SubmitAnswer,
    Template,
    WatchAnswer,
)
from ignitetasks.serializers import Data
from ignitetasks.transport.base import Transport
from ignitetasks.transport.lane import BlobLane
from ignitetasks.transport.memory.lane import LaneServer
from ignitetasks.transport.memory.link import Link
from ignitetasks.transport.memory.operations import Operations
from ignitetasks.transport.memory.workers import Workers


@dataclass(frozen=True, slots=True)
class MemoryAddress:
    """How workers reach a home in memory."""

    lane: str
    token: str
    data_dir: str = ""


class MemoryHome:
    """One home with everything that belongs to it.

    Args:
        name: Its name.
        last_event: Number of the last event before its own.
    """

    def __init__(self, name: str, last_event: int = 0) -> None:
        self.name = name
        self.pid = os.getpid()
        self.closed = False
        self._workers = Workers()
        self.home = self._workers.home
        self.operations = Operations(self._workers, self.close, last_event)
        # Made at once, not at the first worker: a process that is forked before that has to find it, too.
        self.lane = LaneServer(
            self._workers, self.operations.questions, self._answer, self._departed, self.operations.events.events_append
        )
        self.address = MemoryAddress(self.lane.path, self.lane.token)

    def hello(self, pid: int) -> dict[str, Any]:
        """Opens a session."""
        with self.home.lock:
            number = self.home.mail.open(pid)
        return {
            "session": number,
            "node": f"memory.{self.pid}",
            "cluster_id": self.name,
            "role": "memory",
            "durability": "none",
            "lane": self.lane.path,
        }

    def poll(self, session: int, ack: int, seconds: float, limit: int) -> PollAnswer:
        """Waits for ends."""
        with self.home.lock:
            self.home.sweep()
            return self.home.mail.poll(session, ack, seconds, limit)

    def _answer(self, pid: int, op: str, args: Any) -> Any:
        """Performs a call of another process."""
        if op == "hello":
            return self.hello(pid)
        if op == "submit":
            session, attempt, groups = args
            return self.home.submit(session, attempt, [Group(Template(*raw), items) for raw, items in groups])
        if op == "poll":
            return self.poll(*args)
        if op == "watch":
            return self.home.watch(*args)
        return self.operations.call(op, args)

    def _departed(self, pid: int) -> None:
        with self.home.lock:
            self.home.mail.close_all_of(pid)

    def close(self) -> None:
        """Ends the home; the next use of its name makes a new one."""
        with _lock:
            if _homes.get(self.name) is self:
                del _homes[self.name]
                _last_events[self.name] = self.operations.events.end()
            self.closed = True
        self.lane.close()


_homes: dict[str, MemoryHome] = {}
# Who reads the feed of a home that has ended goes on in that of the next one: its numbers must not begin again.
_last_events: dict[str, int] = {}
_lock = threading.Lock()


def home_of(name: str) -> MemoryHome:
    """Returns the home of a name; it is made at the first use, by the process that will hold it."""
    with _lock:
        home = _homes.get(name)
        if home is None:
            home = _homes[name] = MemoryHome(name, _last_events.pop(name, 0))
        return home


def forget_home(name: str) -> None:
    """Ends the home of a name, where there is one, with all its tasks."""
    home = _homes.get(name)
    if home is not None and home.pid == os.getpid():
        home.close()


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


class MemoryTransport(Transport):
    """Reaches the home of a name.

    Args:
        name: Which home of this process; a forked child goes on using its parent's.
    """

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._home = home_of(name)
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._session: Session | None = None
        own = self._home.pid == self._pid
        address = self._home.address
        self._link = None if own else Link(address.lane, address.token)
        self._blobs = None if own else BlobLane(lambda: (address.lane, address.token))

    def _current(self) -> Link | None:
        """Returns the way to the home; None where it is here."""
        if self._home.closed and self._home.pid == os.getpid():
            # Ended, e.g. by a test's app that had the same name for it; whoever goes on gets a new one.
            self._home = home_of(self._name)
            self._renew()
        elif self._pid != os.getpid():
            self._renew()
        return self._link

    def address(self) -> MemoryAddress:
        """See `Transport.address`."""
        self._current()
        return self._home.address

    def session(self, renew: int | None = None) -> Session:
        """See `Transport.session`."""
        link = self._current()
        with self._lock:
            if self._session is None or self._session.number == renew:
                pid = os.getpid()
                facts = self._home.hello(pid) if link is None else link.call("hello", [])
                self._session = Session.from_map(facts)
            return self._session

    def submit(
        self, groups: Sequence[Group], attempt: int = 0, timeout: float | None = None, ahead: Ahead | None = None
    ) -> SubmitAnswer:
        """See `Transport.submit`."""
        link, session = self._current(), self.session()
        if link is None:
            created, exceptions = self._home.home.submit(session.number, attempt, groups)
        else:
            created, exceptions = link.call("submit", [session.number, attempt, groups])
        return SubmitAnswer(created, exceptions, session)

    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        """See `Transport.poll`."""
        link = self._current()
        if link is None:
            return self._home.poll(session, ack, timeout, limit)
        seq, dropped, completions = link.call("poll", [session, ack, timeout, limit])
        return PollAnswer(seq, dropped, [Completion(*one) for one in completions])

    def watch(self, session: int, ids: Sequence[str], timeout: float | None = None) -> WatchAnswer:
        """See `Transport.watch`."""
        link = self._current()
        if link is None:
            return self._home.home.watch(session, ids)
        completions, unknown, expired = link.call("watch", [session, ids])
        return WatchAnswer([Completion(*one) for one in completions], unknown, expired)

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        """See `Transport.call`."""
        link = self._current()
        return self._home.operations.call(op, args) if link is None else link.call(op, args)

    def put_blob(self, blob_id: str, data: Data, ttl_ms: int) -> BlobRef:
        """See `Transport.put_blob`."""
        self._current()
        if self._blobs is not None:
            return self._blobs.put(blob_id, data, ttl_ms)
        return self._home.lane.put_blob(blob_id, data)

    def get_blob(self, ref: BlobRef) -> Data:
        """See `Transport.get_blob`."""
        self._current()
        if self._blobs is not None:
            return self._blobs.get(ref)
        found = self._home.lane.blobs.get(ref.id)
        if found is None:
            raise ResultExpired("the value is no longer kept; raise result_expires to keep it longer")
        return found

    def reset(self) -> None:
        """See `Transport.reset`."""
        if self._link is not None and self._pid == os.getpid():
            self._link.close()

    def close(self) -> None:
        """See `Transport.close`; the home and its tasks stay."""
        self.reset()
        self._session = None
