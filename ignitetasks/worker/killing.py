"""Ends tasks from outside: those over their hard limit, and those that were revoked.

Used by the supervisor's loop. This file must not wait for anything, and must not report deaths: that comes when the
child is buried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks import frames, log
from ignitetasks.utils.unixsignals import number_of
from ignitetasks.worker import children as family
from ignitetasks.worker.children import Children
from ignitetasks.worker.model import ASYNCIO, THREADS, WorkerPlan

#: Tells of a task that was ended: child, number, type of the event, and its fields.
Tell = Callable[[int, int, str, Mapping[str, Any]], None]

_logger = log.get_logger("worker")


def enforce_limits(children: Children, tell: Tell) -> None:
    """Kill the children whose task is over its hard limit.

    Args:
        children: The worker's children.
        tell: Takes the event of each task that is ended so.
    """
    now = time.monotonic()
    for member in children:
        running = children.slots.running(member.index)
        if member.doomed is None and running.deadline is not None and running.deadline <= now:
            killed = children.kill_task(member, running.seq, family.HARD_LIMIT)
            if killed:
                _logger.warning("task killed", reason=family.HARD_LIMIT, child_pid=member.pid, limit_ms=running.hard_ms)
                error = f"TimeLimitExceeded({running.hard_ms / 1000:g})"
                tell(member.index, running.seq, "task-failed", {"exception": error, "traceback": None})


def revoke(children: Children, plan: WorkerPlan, tell: Tell, index: int, pid: int, seq: int, name: str) -> None:
    """End a revoked task, if it is still the one that runs.

    Args:
        children: The worker's children.
        plan: What the worker is.
        tell: Takes the event of the task.
        index: Number of the child.
        pid: Its process, as the node knows it.
        seq: The task.
        name: Signal to send.
    """
    target = children.get(index)
    if target is None or target.pid != pid:
        return
    if plan.pool == ASYNCIO:
        # Not the process, which runs others: the child cancels the one.
        children.tell(frames.pack({"cancel": seq}))
        tell(index, seq, "task-revoked", {"terminated": True, "signum": None, "expired": False})
        return
    if plan.pool == THREADS:
        _logger.warning("revoke ignored", reason="a thread cannot be killed", worker=plan.name, seq=seq)
        return
    signum = number_of(name)
    killed = children.kill_task(target, seq, family.REVOKED, signum)
    if killed:
        tell(index, seq, "task-revoked", {"terminated": True, "signum": int(signum), "expired": False})
    _logger.info("revoked task signalled" if killed else "revoked task had ended", child_pid=pid, signal=name)
