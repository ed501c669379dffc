"""What a home in memory holds of one task, one worker and one child; plain values that their home changes.

This file must not decide anything; it names the fields and builds what crosses the wire from them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from ignitetasks import states
from ignitetasks.failure import Failure
from ignitetasks.message import COMPLETION_REF, Completion, Template

#: Where a record is: nowhere (ended or promised), in the order, waiting for its time, for its join, or with a child.
NOWHERE, READY, DELAYED, JOINING, LEASED = range(5)

WORKER_LOST = "WorkerLostError"
REVOKED = "TaskRevokedError"
EXPIRED = "TaskExpiredError"
NOT_REGISTERED = "NotRegistered"
TIME_LIMIT = "TimeLimitExceeded"


def now_ms() -> int:
    """Returns the present in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def failure_bytes(kind: str, text: str, signal: str | None = None) -> bytes:
    """Returns the bytes of a failure that no child reported.

    Args:
        kind: A class of ``ignitetasks.errors``.
        text: The message.
        signal: Name of the signal that ended the process, if one did.
    """
    state = {"signal": signal} if signal else None
    return Failure(kind, "ignitetasks.errors", text, [text], "", state).encode()


@dataclass(slots=True, eq=False)
class Record:
    """One task.

    Attributes:
        id: Its id.
        call: What it was submitted with.
        body: Its arguments, encoded.
        mark: Fingerprint of the call, or None.
        seq: Its place in the order of arrival.
        state: Its wire state.
        where: One of `NOWHERE` to `LEASED`.
        ticket: Changes whenever it changes its place: older entries of heaps are then void.
        watchers: Sessions to be told of its end.
        joined: Ended members of its join.
        counted: True once its own end was counted by the join it belongs to.
    """

    id: str
    call: Template
    body: bytes | None
    mark: bytes | None
    seq: int
    queue: str = ""
    priority: int = 0
    eta_ms: int = 0
    expires_ms: int = 0
    flags: int = 0
    options: bytes | None = None
    state: int = 0
    where: int = NOWHERE
    ticket: int = 0
    created_ms: int = 0
    started_ms: int = 0
    finished_ms: int = 0
    attempt: int = 0
    deliveries: int = 0
    fence: int = 0
    worker: str | None = None
    error_type: str | None = None
    run_us: int = 0
    payload: bytes | None = None
    ref: bool = False
    note: str | None = None
    join_size: int = 0
    joined: int = 0
    counted: bool = False
    revoke_asked: bool = False
    holder: Child | None = None
    watchers: set[int] = field(default_factory=set)

    @property
    def terminal(self) -> bool:
        """True when the task has ended."""
        return self.state >= states.FIRST_TERMINAL_CODE

    def completion(self) -> Completion:
        """Returns the end as sessions are told of it."""
        return Completion(self.id, self.state, self.payload, COMPLETION_REF if self.ref else 0)

    def info(self) -> dict[str, Any]:
        """Returns everything a client may see."""
        call = self.call
        return {
            "id": self.id,
            "task": call.task,
            "queue": self.queue,
            "state": self.state,
            "priority": self.priority,
            "created_ms": self.created_ms,
            "eta_ms": self.eta_ms,
            "expires_ms": self.expires_ms,
            "finished_ms": self.finished_ms,
            "started_ms": self.started_ms,
            "attempt": self.attempt,
            "deliveries": self.deliveries,
            "fence": self.fence,
            "worker": self.worker,
            "error_type": self.error_type,
            "run_us": self.run_us,
            "flags": self.flags,
            "root_id": call.root_id,
            "parent_id": call.parent_id,
            "group_id": call.group_id,
            "result": self.payload,
            "result_ref": self.ref,
            "body": self.body,
            "options": self.options,
            "max_deliveries": call.max_deliveries,
            "result_ttl_ms": call.result_ttl_ms,
            "join_id": call.join_id,
            "join_size": self.join_size,
            "note": self.note,
        }

    def row(self) -> list[Any]:
        """Returns one row of a scan."""
        call = self.call
        return [
            self.id, call.task, self.queue, self.state, self.priority, self.created_ms, self.eta_ms, self.started_ms,
            self.finished_ms, self.attempt, self.deliveries, self.worker, self.error_type, self.run_us, call.root_id,
            call.parent_id, call.group_id,
        ]  # fmt: skip

    def delivery(self, seq: int) -> list[Any]:
        """Returns the delivery that a child is sent."""
        call = self.call
        return [
            seq, self.id, self.fence, call.task, self.body, self.flags, self.options, self.attempt, self.deliveries,
            call.soft_ms, call.hard_ms, self.queue, self.priority, self.eta_ms, self.expires_ms, call.root_id,
            call.parent_id, call.group_id, self.created_ms,
        ]  # fmt: skip


@dataclass(slots=True, eq=False)
class Worker:
    """One greeted worker.

    Attributes:
        epoch: Its number.
        peer: Its connection.
        info: What it said of itself.
        queues: Queues it takes from.
        tasks: Task names it knows; what a child turned out not to know is taken out.
        children: Its children by their numbers.
        totals: Executions that have ended, by task name.
        hears: It wants to be told of ends that no child has decided.
    """

    epoch: int
    peer: Any
    info: dict[str, Any]
    queues: set[str]
    tasks: set[str]
    children: list[Child] = field(default_factory=list)
    draining: bool = False
    drained: bool = False
    started_ms: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    hears: bool = False

    @property
    def name(self) -> str:
        """The worker's name."""
        return str(self.info.get("name"))

    def running(self) -> int:
        """Returns how many deliveries its children hold."""
        return sum(len(child.held) for child in self.children)

    def free(self) -> int:
        """Returns how many more it takes now."""
        return 0 if self.draining else sum(max(child.free(), 0) for child in self.children)


@dataclass(slots=True, eq=False)
class Child:
    """One greeted child.

    Attributes:
        held: What it was sent and has not answered: sequence number to record and fence.
    """

    worker: Worker
    peer: Any
    index: int
    pid: int
    slots: int
    held: dict[int, tuple[Record, int]] = field(default_factory=dict)
    next_seq: int = 1
    stopped: bool = False
    gone: bool = False
    #: Reason and running sequence number, as its supervisor has reported its death.
    death: tuple[str, int] | None = None

    def free(self) -> int:
        """Returns how many more deliveries it takes now."""
        return 0 if self.stopped or self.gone else self.slots - len(self.held)
