"""The port between the programming interface and a node, written as a specification.

Whoever implements `Transport` promises the rules in its docstrings; the tests of one implementation are the tests
of all. This file must not import any implementation or third-party library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from ignitetasks.message import Ahead, BlobRef, Group, PollAnswer, Session, SubmitAnswer, WatchAnswer
from ignitetasks.serializers import Data


class LaneAddress(Protocol):
    """How workers of this machine reach a node."""

    @property
    def token(self) -> str:
        """The lane's secret."""

    @property
    def lane(self) -> str:
        """Path of the lane's socket."""

    @property
    def data_dir(self) -> str:
        """Where the node keeps its data."""


class Transport(ABC):
    """One process's way to its node.

    Threads: every method may be called from any thread at any time, also several at once; a method blocks its
    caller only. A long `poll` of one thread never delays another thread's call.

    Forks: a child may use the object of its parent; it gets connections and a session of its own.

    Errors: only classes of `ignitetasks.errors`. `NotConnected` means surely not done; `ConnectionCut` (from a
    plain transport) and `OutcomeUnknown` (from one that repeats) mean perhaps done; `GatewayError` and its kin
    are the node's own answers. Interrupting a call (KeyboardInterrupt) leaves the object usable.

    Laziness: making the object touches neither network nor disk; the first call connects, and may start a node.
    """

    @abstractmethod
    def session(self, renew: int | None = None) -> Session:
        """Returns the session at the gateway, opening it where needed.

        Args:
            renew: Number of a session that turned out to be lost; a new one is opened if it is still the current.
        """

    @abstractmethod
    def submit(
        self, groups: Sequence[Group], attempt: int = 0, timeout: float | None = None, ahead: Ahead | None = None
    ) -> SubmitAnswer:
        """Makes records durable; when it returns, they are.

        Repeating a submit with the same ids and ``attempt`` > 0 is always safe: it makes one record per id.

        Args:
            groups: What to submit, in order. One call carries at most a few thousand items and 4 MiB.
            attempt: 0, or how often this very submit was tried before.
            timeout: Seconds for all tries together; None means the usual deadline, 0 one try only.
            ahead: A poll that may be sent along, to spare the way for the `poll` that will follow; what it was
                told is the answer of that one.
        """

    @abstractmethod
    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        """Waits for completions of the session; answers at once when there are any.

        Args:
            session: The session's number. Only one poll of a session may be under way.
            ack: ``seq`` of the last answer that was processed; what came after it is sent again.
            timeout: Seconds to wait; an empty answer after them is no error.
            limit: Most completions in one answer.

        Raises:
            UnknownSession: The session is lost; open a new one and watch again.
        """

    @abstractmethod
    def watch(self, session: int, ids: Sequence[str], timeout: float | None = None) -> WatchAnswer:
        """Asks for ids the session did not submit itself; those not done yet will come by `poll`.

        Args:
            session: The session's number.
            ids: At most 5,000.
            timeout: Seconds for all tries together; None means the usual deadline.

        Raises:
            UnknownSession: The session is lost.
        """

    @abstractmethod
    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        """Calls one of the operations that do not need a session.

        ``info forget revoke purge end dead_list dead_retry dead_drop status listening metrics scan stop ping``,
        of which ``listening(queues)`` gives the number of workers by queue, and None for 0 where lost ones may be back
        in a moment; and, on what belongs to the cluster and not to one task:
        ``kv_get(bucket, key)``, ``kv_put(bucket, key, value, expected, ttl_ms, token)`` and
        ``kv_list(bucket, prefix, after, limit)`` (see `ignitetasks.store`);
        ``control(command, body, destinations, timeout_ms, limit)`` asks the workers (None: all) and returns pairs of a
        worker's name and its answer as soon as each has answered or is gone, after the time, or when ``limit`` (0: all)
        have come; with ``timeout_ms`` 0 it returns none.
        ``events_append(events, repeated)`` returns when they are durable; ``repeated`` says that the same call may have
        been made in the last two minutes, and no two events of a sender are equal.
        ``events_read(cursor, limit, wait_ms)`` gives ``[cursor, [[place, bytes], ...], dropped]``: what comes after the
        place ``cursor`` (0: the oldest, -1: from now on), waiting while there is nothing, and how many were deleted
        before they could be read.

        Args:
            op: Name of the operation.
            *args: Its positional arguments.
            timeout: Seconds; None means the usual deadline.
        """

    @abstractmethod
    def put_blob(self, blob_id: str, data: Data, ttl_ms: int) -> BlobRef:
        """Stores a large value beside the ledger; storing the same id again replaces it.

        Args:
            blob_id: Its name.
            data: The value.
            ttl_ms: Milliseconds after which it may be swept.
        """

    @abstractmethod
    def get_blob(self, ref: BlobRef) -> Data:
        """Reads a large value and checks its size and checksum.

        Raises:
            ResultExpired: It is no longer there.
        """

    def address(self) -> LaneAddress | None:
        """Returns where workers find this very node; None where they have to look for it (or start it) themselves."""
        return None

    @abstractmethod
    def reset(self) -> None:
        """Forgets which node it talked to: the next call looks for it (and starts it) anew."""

    @abstractmethod
    def close(self) -> None:
        """Closes all connections; harmless when repeated. A later call connects again."""
