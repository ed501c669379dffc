"""Events of the tasks that run in a child: what runners tell while events are on.

While they are off, nothing of this file is in the way of a task: the executor has its plain runners. This file must
not decide how a task ends, and must not know the lane: a function takes packed events.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ignitetasks import frames, log, message
from ignitetasks.events import local
from ignitetasks.events.dispatcher import utc_offset
from ignitetasks.events.event import pack, text
from ignitetasks.failure import Failure
from ignitetasks.worker.asyncrunner import AsyncRunner, Run
from ignitetasks.worker.execute import Executor, Runner
from ignitetasks.worker.model import (
    ATTEMPT,
    BODY,
    ETA_MS,
    EXPIRES_MS,
    FLAGS,
    ID,
    OPTIONS,
    PARENT_ID,
    QUEUE,
    ROOT_ID,
    TASK,
    Delivery,
    Ending,
    RunnableTask,
)

#: A task whose mean run time is above this may be long: its start is told at once, in microseconds.
_SHORT_US: Final = 1000.0
#: So many collected events are sent without waiting for company.
_MOST: Final = 200
_ASIDE: Final = "<kept beside the record>"
_logger = log.get_logger("worker.events")


class TaskEvents:
    """Collects the events of one child and sends them in batches, each before what it tells of has been reported.

    Args:
        executor: Runs the tasks.
        send: Takes a batch of packed events.
    """

    def __init__(self, executor: Executor, send: Callable[[list[bytes]], None]) -> None:
        self._executor = executor
        self._send = send
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        self._common = {
            "hostname": executor.settings.hostname,
            "pid": os.getpid(),
            "utcoffset": utc_offset(),
        }

    def flush(self) -> None:
        """Send what is collected."""
        with self._lock:
            batch, self._waiting = self._waiting, []
            if batch:
                self._send(batch)

    def add(self, type: str, delivery: Delivery, fields: Mapping[str, Any]) -> None:
        """Collect an event.

        Args:
            type: Its type.
            delivery: The task.
            fields: Its own fields.
        """
        now = time.time()
        whole = {
            "type": type,
            "uuid": delivery[ID],
            "timestamp": now,
            "clock": int(now * 1000),
            **self._common,
            **fields,
        }
        self._waiting.append(pack(whole))
        if len(self._waiting) >= _MOST:
            self.flush()

    def received(self, deliveries: Iterable[Delivery]) -> None:
        """Tell that tasks have come to this child."""
        for delivery in deliveries:
            runner = self._executor.runner(delivery)
            if runner is not None and _tells(runner.task):
                self.add("task-received", delivery, self._call(delivery))

    def _call(self, delivery: Delivery) -> dict[str, Any]:
        args = kwargs = _ASIDE
        if not delivery[FLAGS] & message.BODY_REF:
            try:
                decoded = message.decode_body(self._executor.codecs, delivery[TASK], delivery[BODY])
                args, kwargs = text(tuple(decoded[0])), text(decoded[1])
            except Exception as error:  # the task will fail of the same
                args = kwargs = text(error)
        if delivery[OPTIONS]:
            chosen = message.decode_call_options(delivery[OPTIONS])[1]
            args, kwargs = chosen.get("argsrepr", args), chosen.get("kwargsrepr", kwargs)
        return {
            "name": delivery[TASK],
            "args": args,
            "kwargs": kwargs,
            "root_id": delivery[ROOT_ID] or delivery[ID],
            "parent_id": delivery[PARENT_ID],
            "retries": delivery[ATTEMPT],
            "eta": _moment(delivery[ETA_MS]),
            "expires": _moment(delivery[EXPIRES_MS]),
            "queue": delivery[QUEUE],
        }

    def started(self, delivery: Delivery, mean_us: float) -> None:
        """Tell that a task begins; at once, unless it is known to be short."""
        self.add("task-started", delivery, {})
        if mean_us > _SHORT_US:
            self.flush()

    def ended(self, delivery: Delivery, task: RunnableTask, ending: Ending, seconds: float) -> None:
        """Tell how a task has ended; sent before its outcome is."""
        try:
            name, fields = self._ending(delivery, task, ending, seconds)
        except Exception as error:
            _logger.warning("event not made", task=task.name, error=type(error).__name__)
            return
        if name:
            self.add(name, delivery, fields)

    def _ending(
        self, delivery: Delivery, task: RunnableTask, ending: Ending, seconds: float
    ) -> tuple[str, dict[str, Any]]:
        kind, payload, flags, extra, _spawn = ending
        if kind == frames.SUCCESS:
            limit = getattr(task, "resultrepr_maxsize", None) or 1024
            return "task-succeeded", {"result": self._result(delivery, payload, flags, limit), "runtime": seconds}
        if kind in (frames.FAILURE, frames.RETRY):
            failure = Failure.decode(payload) if payload else None
            shown = f"{failure.type_name}({failure.message!r})" if failure else None
            fields = {"exception": shown, "traceback": failure.traceback if failure else None}
            return ("task-failed" if kind == frames.FAILURE else "task-retried"), fields
        if kind == frames.REJECT:
            return "task-rejected", {"requeue": bool(extra)}
        if kind == frames.REVOKED:
            return "task-revoked", {"terminated": False, "signum": None, "expired": False}
        return "", {}

    def _result(self, delivery: Delivery, payload: Any, flags: int, limit: int) -> str:
        if payload is None:
            return "None"
        if flags & frames.OUTCOME_REF:
            return _ASIDE
        return text(message.decode_result(self._executor.codecs, delivery[ID], payload), limit)


class TellingRunner(Runner):
    """A runner that tells of each execution."""

    __slots__ = ()

    def _begin(self, delivery: Delivery) -> tuple[TaskEvents | None, float]:
        events = self._executor.events if _tells(self.task) else None
        if events is not None:
            events.started(delivery, self.mean_us)
        return events, time.monotonic()

    def run(self, delivery: Delivery) -> Ending:
        """See `Runner.run`."""
        events, began = self._begin(delivery)
        ending = super().run(delivery)
        if events is not None:
            events.ended(delivery, self.task, ending, time.monotonic() - began)
        return ending


class TellingAsyncRunner(TellingRunner, AsyncRunner):
    """The same for the asyncio pool."""

    __slots__ = ()

    async def run_async(self, run: Run) -> Ending:
        """See `AsyncRunner.run_async`."""
        events, began = self._begin(run.delivery)
        ending = await super().run_async(run)
        if events is not None:
            events.ended(run.delivery, self.task, ending, time.monotonic() - began)
        return ending


def switch(executor: Executor, send: Callable[[list[bytes]], None] | None) -> TaskEvents | None:
    """Turns the events of a child on or off.

    Args:
        executor: Runs its tasks.
        send: Takes batches of packed events; None turns them off.

    Returns:
        What collects them; None when they are off.
    """
    base = AsyncRunner if issubclass(executor.make_runner, AsyncRunner) else Runner
    events = TaskEvents(executor, send) if send is not None else None
    executor.events = events
    local.enabled = events is not None
    if events is None:
        executor.use_runners(base)
    else:
        executor.use_runners(TellingAsyncRunner if base is AsyncRunner else TellingRunner)
    return events


def _tells(task: Any) -> bool:
    return bool(getattr(task, "send_events", True))


def _moment(milliseconds: int) -> str | None:
    if milliseconds <= 0:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(milliseconds / 1000))
