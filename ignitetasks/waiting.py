"""What to tell somebody whose result does not come: nobody listens, never heard of it, or still running.

This file must not wait, and a question that cannot be answered must never break the waiting it is asked for.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks import log, states
from ignitetasks.client import Client
from ignitetasks.errors import IgniteTasksError, InvalidOption

# Only to say more: whoever waits has a time-out of their own, which a node that hangs must not prolong by much.
_QUESTION_SECONDS = 1.0
# A worker that lost its node is back within this time, as the node sees it (Listeners.java), or it is none.
_RETURN_SECONDS = 10.0

#: Waits until a waiter has enough: `ResultHub.wait`.
Wait = Callable[[Any, float | None], bool]
#: Makes another way to wait of one.
Pace = Callable[[Wait], Wait]
#: Shortest time between two calls of who wants to be called while somebody waits.
_SHORTEST_SECONDS = 0.01

_log = log.get_logger("results")

_warned: set[tuple[int, str, str]] = set()


def patience(timeout: Any) -> float | None:
    """Returns how many seconds somebody wants to wait; None means without end.

    Raises:
        InvalidOption: It is no number.
    """
    if timeout is None or timeout == math.inf:
        return None
    if not isinstance(timeout, (int, float)) or math.isnan(timeout):
        raise InvalidOption(f"timeout must be a number of seconds, or None to wait without end, not {timeout!r}")
    return timeout


def paced(call: Callable[[], Any], interval: float) -> Pace:
    """Returns a way to wait by which somebody is called again and again until the wait is over.

    Args:
        call: Whom to call; what it raises ends the waiting.
        interval: Seconds between two calls.
    """
    step = max(interval or 0.0, _SHORTEST_SECONDS)

    def pace(wait: Wait) -> Wait:
        def in_steps(waiter: Any, timeout: float | None) -> bool:
            deadline = math.inf if timeout is None else time.monotonic() + timeout
            while True:
                left = deadline - time.monotonic()
                if wait(waiter, min(step, max(left, 0.0))):
                    return True
                if left <= step:
                    return False
                call()

        return in_steps

    return pace


def warn_if_nobody_listens(client: Client, task_id: str, queue: str | None, task: str | None) -> float | None:
    """Logs once per queue and process that no worker listens to the queue a result is waited for.

    Nothing is logged while the workers may just be on their way back to a node that was started again.

    Args:
        client: Whom to ask.
        task_id: The task that is waited for.
        queue: Its queue, or None when that has to be asked too.
        task: Its name, for the hint how to start a worker.

    Returns:
        Seconds after which to ask again, None when there is nothing more to say.
    """
    try:
        if queue is None:
            record = client.transport.call("info", [task_id], timeout=_QUESTION_SECONDS)[0]
            if not isinstance(record, Mapping) or record["state"] >= states.FIRST_TERMINAL_CODE:
                return None
            queue, task = str(record["queue"]), str(record["task"])
        mark = (os.getpid(), str(client.settings.instance_dir), queue)
        if mark in _warned:
            return None
        count = _listeners(client, queue)
    except (IgniteTasksError, KeyError, TypeError):
        return None
    if count is None:
        return _RETURN_SECONDS
    if not count:
        _warned.add(mark)
        _log.warning(f"{_nobody(queue)}; start one with: {start_command(client, queue, task)}")
    return None


def start_command(client: Client, queue: str, task: str | None) -> str:
    """Returns the command that starts a worker for a queue."""
    module = task.rpartition(".")[0] if task else ""
    command = f"ignitetasks worker -A {module or '<module>'}"
    return command if queue == client.settings.default_queue else f"{command} -Q {queue}"


def _nobody(queue: str) -> str:
    return f"no worker listens to queue '{queue}'"


def _listeners(client: Client, queue: str) -> int | None:
    """Returns how many workers listen; None where none does, but one may be on its way back."""
    answer: Mapping[str, int | None] = client.transport.call("listening", [queue], timeout=_QUESTION_SECONDS)
    count = answer.get(queue, 0)
    return None if count is None else int(count)


def explain_timeout(client: Client, task_id: str, timeout: float) -> str:
    """Returns the message of a `ResultTimeout`.

    Args:
        client: Whom to ask.
        task_id: The task that was waited for.
        timeout: Seconds that were waited.
    """
    head = f"no result of task {task_id} within {timeout:g} seconds: "
    try:
        record = client.transport.call("info", [task_id], timeout=_QUESTION_SECONDS)[0]
        if record is None:
            return head + "the cluster has never heard of this id; was it sent to this instance?"
        if isinstance(record, Mapping):
            return head + _explain(client, record)
    except (IgniteTasksError, KeyError, TypeError) as error:
        return head + f"and the node cannot say why ({error})"
    return head + "its record has expired"


def _explain(client: Client, record: Mapping[str, Any]) -> str:
    state, queue = int(record["state"]), str(record["queue"])
    now_ms = time.time() * 1000
    if state >= states.FIRST_TERMINAL_CODE:
        return f"it has just ended as {states.name_of(state)}; ask again"
    if (record.get("eta_ms") or 0) > now_ms:
        # First: a task that is to be run again still names the worker it ran on.
        return f"it is due in {(record['eta_ms'] - now_ms) / 1000:.1f} seconds"
    if record.get("worker"):
        since = record.get("started_ms") or 0
        ago = f" for {(now_ms - since) / 1000:.1f} seconds" if since else ""
        return f"it is still running on worker {record['worker']}{ago}"
    count = _listeners(client, queue)
    if count is None:
        return (
            f"{_nobody(queue)} yet, and a node was lost or has started a moment ago; wait longer, "
            f"or start one with: {start_command(client, queue, str(record['task']))}"
        )
    if not count:
        return f"{_nobody(queue)}; start one with: {start_command(client, queue, str(record['task']))}"
    return f"it still waits in queue '{queue}'; its workers are busy"
