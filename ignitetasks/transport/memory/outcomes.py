"""What the end of a delivery means for a record: changes the record and says what is to be done with it.

The only place of the home in memory where a task's state is decided. This file must not know queues, workers'
connections or sessions.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from ignitetasks import frames, states
from ignitetasks.message import BODY_REF, EARLY_ACK, IGNORE_RESULT, KEEP_BODY
from ignitetasks.states import CODES
from ignitetasks.transport.memory import records
from ignitetasks.transport.memory.records import Record, failure_bytes, now_ms

_PENDING, _STARTED, _RETRY = CODES["PENDING"], CODES["STARTED"], CODES["RETRY"]


class Next(Enum):
    """What is to be done with a record after an outcome."""

    END = 1
    REQUEUE = 2
    RUN_ON = 3
    PROMISE = 4


def apply(record: Record, outcome: list[Any], worker: str) -> Next:
    """Changes a record by what a child says of it.

    Args:
        record: The record, leased to that child.
        outcome: As it came: number, kind, payload, flags, run time, extra.
        worker: Name of the worker.
    """
    kind, payload, flags, run_us, extra = outcome[1:6]
    ref = bool(flags & frames.OUTCOME_REF)
    if kind == frames.SUCCESS:
        return _end(record, states.SUCCESS_CODE, payload, ref, run_us, None, worker)
    if kind == frames.FAILURE:
        return _end(record, states.FAILURE_CODE, payload, ref, run_us, extra, worker)
    if kind == frames.IGNORE:
        return _end(record, states.IGNORED_CODE, payload, ref, run_us, None, worker)
    if kind == frames.REJECT:
        if extra:
            return lost(record, worker, "rejected with requeue")
        return _end(record, states.REJECTED_CODE, payload, ref, run_us, None, worker)
    if kind == frames.RETRY:
        return _retry(record, payload, ref, extra, worker)
    if kind == frames.STARTED:
        record.state, record.started_ms, record.worker = _STARTED, now_ms(), worker
        return Next.RUN_ON
    if kind == frames.REPLACED:
        record.state, record.started_ms = _PENDING, 0
        record.note = record.payload = None
        return Next.PROMISE
    if kind == frames.REVOKED:
        return fail(record, states.REVOKED_CODE, records.REVOKED, "it bears a stamp that is revoked", worker)
    reopen(record)
    return Next.REQUEUE


def progress(record: Record, name: str, payload: bytes, worker: str) -> None:
    """Keeps what a running task says of itself, in place of what it said before."""
    if record.state != _STARTED:
        record.state, record.started_ms = _STARTED, now_ms()
    record.note, record.payload, record.ref = name, payload, False
    record.worker = worker


def fail(
    record: Record, state: int, kind: str, text: str, worker: str | None = None, signal: str | None = None
) -> Next:
    """Ends a record with a failure that no child reported."""
    record.state, record.note = state, None
    record.payload = failure_bytes(kind, f"task {record.id} ({record.call.task}): {text}", signal)
    record.ref = False
    record.error_type = kind
    record.worker = worker
    record.finished_ms = now_ms()
    return Next.END


def lost(record: Record, worker: str, what: str = "lost with the process that ran it") -> Next:
    """Counts a delivery that was lost with its process, and decides whether there is another."""
    record.deliveries += 1
    if record.flags & EARLY_ACK:
        text = what + "; it was acknowledged before it ran, so it is not run again"
        return fail(record, states.FAILURE_CODE, records.WORKER_LOST, text, worker)
    if record.deliveries >= record.call.max_deliveries:
        text = f"{what}; it was started {record.deliveries} times, which is its limit"
        return fail(record, states.DEAD_CODE, records.WORKER_LOST, text, worker)
    reopen(record)
    return Next.REQUEUE


def reopen(record: Record) -> None:
    """Makes a record one that waits again."""
    record.state = _RETRY if record.attempt else _PENDING
    record.started_ms = 0
    if record.note is not None:
        # How far the last execution was says nothing of the next one.
        record.note = record.payload = None


def revive(record: Record) -> None:
    """Makes a dead letter as it was when it was submitted."""
    record.state = _PENDING
    record.deliveries = record.attempt = record.fence = 0
    record.eta_ms = record.expires_ms = record.finished_ms = record.started_ms = record.run_us = 0
    record.worker = record.error_type = record.payload = record.note = None
    record.ref = record.revoke_asked = False


def _end(
    record: Record, state: int, payload: bytes | None, ref: bool, run_us: int, error_type: Any, worker: str
) -> Next:
    keep = state != states.SUCCESS_CODE or not record.flags & IGNORE_RESULT
    record.state, record.note = state, None
    record.payload = payload if keep else None
    record.ref = keep and ref
    record.error_type = str(error_type) if error_type is not None else None
    record.worker = worker
    record.run_us = run_us
    record.finished_ms = now_ms()
    record.started_ms = record.finished_ms - run_us // 1000
    # Nothing runs it again once it has ended so: arguments and stamps are kept only where somebody wants to see them.
    if state in (states.SUCCESS_CODE, states.IGNORED_CODE) and not (keep and record.flags & KEEP_BODY):
        record.body = record.options = None
    return Next.END


def _retry(record: Record, payload: bytes | None, ref: bool, extra: list[Any], worker: str) -> Next:
    eta_ms, body, queue, priority, error_type, expires_ms, body_flags, *options = extra
    record.attempt += 1
    reopen(record)
    record.eta_ms, record.payload, record.ref = eta_ms, payload, ref
    record.error_type, record.worker = error_type, worker
    if body is not None:
        record.body = body
        record.flags = record.flags & ~BODY_REF | body_flags & BODY_REF
    if queue is not None:
        record.queue = queue
    if priority >= 0:
        record.priority = priority
    if expires_ms >= 0:
        record.expires_ms = expires_ms
    if options:
        record.options = options[0]
    return Next.REQUEUE
