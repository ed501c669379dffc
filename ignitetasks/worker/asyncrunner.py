"""Runs one delivery of a coroutine function inside an event loop; the asyncio pool's part of execute.py.

How a run ends is decided where every pool decides it (`Runner`). This file must not touch the lane.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from time import monotonic
from typing import Any, Final, TypeVar

from ignitetasks import context, errors, message
from ignitetasks.app import trace
from ignitetasks.frames import FAILURE
from ignitetasks.perprocess import PerProcess
from ignitetasks.worker import continued, execute
from ignitetasks.worker.coroutines import Steered, is_coroutine
from ignitetasks.worker.endings import failed
from ignitetasks.worker.execute import Executor, Runner
from ignitetasks.worker.limits import over
from ignitetasks.worker.model import BODY, FLAGS, HARD_MS, SOFT_MS, Delivery, Ending, RunnableTask

#: A coroutine that has met its hard limit may take so long to end; then it is left to itself.
PATIENCE_SECONDS: Final = 5.0
#: Threads for large values and for what follows a task; none of them ever waits for a task.
_THREADS: Final = 4

T = TypeVar("T")


def _make_threads(_executor: Executor) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "ignitetasks-values")


_threads = PerProcess(_make_threads)


def _nothing(_ending: Ending) -> None:
    return


class Run:
    """One execution under way.

    Attributes:
        delivery: What runs.
        started: Monotonic seconds at its start.
        task: The asyncio task that steps its coroutine.
        begun: Whether that task has taken its first step.
        hard_ms: Its hard limit in milliseconds; 0 for none.
        threaded: Whether a thread runs it: then nobody can end it.
        give_up: Called with the outcome where it does not end after its hard limit.
    """

    __slots__ = (
        "_steered",
        "_step",
        "asked_to_end",
        "begun",
        "delivery",
        "give_up",
        "hard_ms",
        "started",
        "task",
        "threaded",
    )

    def __init__(self, delivery: Delivery, started: float, step: Callable[[Run, bool], None]) -> None:
        """Prepare.

        Args:
            delivery: What is to run.
            started: Monotonic seconds.
            step: Told before (True) and after (False) each step of its coroutine.
        """
        self.delivery = delivery
        self.started = started
        self.task: asyncio.Task[Any] | None = None
        self.begun = False
        self.hard_ms = 0
        self._step = step
        self._steered: Steered | None = None
        self.threaded = False
        self.asked_to_end = False
        self.give_up: Callable[[Ending], None] = _nothing

    @property
    def is_overdue(self) -> bool:
        """Whether it is over its hard limit."""
        return bool(self.hard_ms) and monotonic() - self.started > self.hard_ms / 1000

    def steer(self, coroutine: Any) -> Steered:
        """Returns what awaits a coroutine for this run."""
        self._steered = Steered(coroutine, functools.partial(self._step, self))
        return self._steered

    def throw(self, error: BaseException) -> None:
        """Makes the coroutine meet an exception where it waits."""
        if self._steered is not None and self.task is not None:
            self._steered.throw(self.task, error)

    def revoke(self) -> None:
        """Cancels it: the coroutine meets ``asyncio.CancelledError``; one that has not begun does not begin."""
        self.asked_to_end = True
        # A task that is cancelled before its first step takes none at all: nobody would hear of its end.
        if self.task is not None and self.begun:
            self.task.cancel()

    def revoked(self) -> Ending:
        """Returns how a cancelled run ends; nobody reads it, since the task is revoked already."""
        return failed(errors.TaskRevokedError("the task was revoked while it ran"))


class AsyncRunner(Runner):
    """A runner whose coroutine function runs in the loop that is there.

    Attributes:
        is_async: Whether the task is a coroutine function; other tasks go through `run`, in a thread.
    """

    __slots__ = ("_target", "is_async")

    def __init__(self, task: RunnableTask, executor: Executor) -> None:
        """Work out everything that is the same for all deliveries.

        Args:
            task: The registered task.
            executor: The child's executor.
        """
        super().__init__(task, executor)
        self.is_async = is_coroutine(task)
        self._target: Callable[..., Any] = task.target

    async def run_async(self, run: Run) -> Ending:
        """Run the task once, as `Runner.run` does.

        Args:
            run: The execution.

        Returns:
            How it ended.

        Raises:
            NotConnected: The node went away while a large value was fetched or stored.
        """
        delivery = run.delivery
        self.announce(delivery)
        flags = delivery[FLAGS]
        if flags & message.CONTINUES:
            one = continued.Continued(self, delivery)
            ending = await self._aside(one.begin)
            if ending is not None:
                return ending
            return await self._execute(run, one.args, one.kwargs, one)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        try:
            if delivery[BODY] != self._empty_body:
                decode = functools.partial(self._decode, delivery[BODY], flags)
                args, kwargs = await self._aside(decode) if flags & message.BODY_REF else decode()
        except errors.NotConnected:
            raise
        except BaseException as error:
            return failed(error)
        return await self._execute(run, args, kwargs)

    async def _execute(
        self, run: Run, args: list[Any], kwargs: dict[str, Any], follow: continued.Continued | None = None
    ) -> Ending:
        """Run the task once with given arguments, as `Runner.execute` does."""
        delivery = run.delivery
        run.task = asyncio.current_task()
        if run.asked_to_end:
            return run.revoked()
        # The task's context is a copy of its own: nothing has to be left in the end.
        context.enter((execute._make_request, (self, delivery, args, kwargs)))
        watch = self._watching()
        try:
            began = watch.started(trace.running_request()) if watch is not None else 0.0
            value = await self._within_limits(run, args, kwargs)
            payload = None if delivery[FLAGS] & message.IGNORE_RESULT else self._encode(value, delivery)
            if follow is not None:
                await self._aside(follow.succeeded, value)
            if watch is not None:
                watch.succeeded(trace.running_request(), value, began)
            asks = context.made_request()
        except BaseException as error:
            if follow is None:
                ending = self._broken_off(error, delivery, watch, None)
            else:
                ending = await self._broken_off_with(follow, error, delivery, watch)
            asks = context.made_request()
            if follow is None and ending[0] == FAILURE and asks is not None and asks.asks:
                return await self._aside(continued.with_children, self, delivery, ending, asks)
            return ending
        large = payload is not None and len(payload) > self._inline
        ending = await self._aside(self._success, payload, delivery) if large else self._success(payload, delivery)
        if follow is not None:
            return await self._aside(follow.over, ending)
        if asks is not None and asks.asks:
            return await self._aside(continued.with_additions, self, delivery, ending, asks)
        return ending

    async def _broken_off_with(
        self, follow: continued.Continued, error: BaseException, delivery: Delivery, watch: trace.Watch | None
    ) -> Ending:
        """The same as `_broken_off`; what follows is worked out in a thread."""
        if follow.cut is error:
            raise error
        ending = await self._aside(follow.ended, self._ended_by(error, delivery))
        if watch is not None:
            trace.tell(watch, ending[0], ending[3], error)
        return ending

    async def _aside(self, work: Callable[..., T], *args: Any) -> T:
        """Await what may wait for large values, in a thread that tasks cannot occupy with what they put in threads."""
        call = functools.partial(copy_context().run, work, *args)
        return await asyncio.get_running_loop().run_in_executor(_threads.of(self._executor), call)

    async def _within_limits(self, run: Run, args: list[Any], kwargs: dict[str, Any]) -> Any:
        delivery = run.delivery
        soft_ms, hard_ms = delivery[SOFT_MS] or self.soft_ms, delivery[HARD_MS] or self.hard_ms
        steered = run.steer(self._target(*args, **kwargs))
        if not soft_ms and not hard_ms:
            return await steered
        run.hard_ms = hard_ms
        loop = asyncio.get_running_loop()
        timers = []
        late: list[BaseException] = []
        if soft_ms:
            soft = errors.SoftTimeLimitExceeded(over("soft", soft_ms))
            timers.append(loop.call_later(soft_ms / 1000, run.throw, soft))
        if hard_ms:
            hard = errors.TimeLimitExceeded(over("hard", hard_ms))
            timers.append(loop.call_later(hard_ms / 1000, late.append, hard))
            timers.append(loop.call_later(hard_ms / 1000, run.throw, hard))
            timers.append(loop.call_later(hard_ms / 1000 + PATIENCE_SECONDS, run.give_up, failed(hard)))
        try:
            value = await steered
        finally:
            for timer in timers:
                timer.cancel()
        if late:
            # It has caught the hard limit and gone on: too late all the same.
            raise late[0]
        return value
