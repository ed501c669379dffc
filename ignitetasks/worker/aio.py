"""The loop of a child that runs coroutine functions at the same time in one event loop.

The main thread is the loop: it reads the lane, steps coroutines and sends outcomes; plain functions run in threads
beside it. Limits and revokes are thrown into a coroutine where it waits. A coroutine that blocks the loop holds up
everything here, so a thread watches for that: it says so in the log, and lets the supervisor kill the child where the
culprit has a hard limit. This file must not fork or handle signals.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ignitetasks import frames, log
from ignitetasks.message import TRACK_STARTED
from ignitetasks.utils.processes import flush_streams
from ignitetasks.worker.asyncrunner import AsyncRunner, Run
from ignitetasks.worker.base import ChildBase, ChildPort, end_copy
from ignitetasks.worker.child import FLUSH_SECONDS
from ignitetasks.worker.execute import Executor, Runner
from ignitetasks.worker.model import FLAGS, SEQ, TASK, Delivery, Ending
from ignitetasks.worker.outbox import BATCH
from ignitetasks.worker.slots import IDLE, pack_running

#: A loop that has not turned for so long is said to be blocked, in seconds.
BLOCKED_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.2
#: Threads for plain functions; more of them wait for each other.
_THREADS: Final = 32

_logger = log.get_logger("worker")


class AsyncioChild(ChildBase):
    """N coroutines at a time, in one event loop."""

    def __init__(self, connection: frames.LaneConnection, executor: Executor, port: ChildPort, limit: int) -> None:
        """Prepare the loop.

        Args:
            connection: The greeted child lane.
            executor: Runs deliveries; its limit must be one for threads, its runners `AsyncRunner`.
            port: Connects to the supervisor.
            limit: How many tasks run at a time.
        """
        super().__init__(connection, executor, port)
        self._limit = limit
        self._running: dict[int, Run] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        self._threads: ThreadPoolExecutor | None = None
        self._flushing = False
        self._shown = IDLE
        self._error: BaseException | None = None
        #: The run whose coroutine is being stepped, and since when; read by the watch.
        self.stepping: tuple[Run, float] | None = None

    def run(self) -> None:
        """Run tasks until told to leave; running tasks end before it returns.

        Raises:
            LaneClosed: The node is gone; nothing can be reported any more.
        """
        asyncio.run(self._main())

    async def _main(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        changed = self._changed = asyncio.Event()
        watch = _Watch(self, loop)
        loop.add_reader(self.connection.fileno(), self._readable)
        if self.port.control >= 0:
            loop.add_reader(self.port.control, self._hearable)
        watch.start()
        self.ready()
        try:
            self._readable()  # what came together with the greeting
            while self.leaving is None and self._error is None:
                await changed.wait()
                changed.clear()
            self._check()
            self.give_back(self.leaving or "drain")
            while self._running:
                await changed.wait()
                changed.clear()
                self._check()
        finally:
            watch.stop()
            loop.remove_reader(self.connection.fileno())
            if self.port.control >= 0:
                loop.remove_reader(self.port.control)
            if self._threads is not None:
                self._threads.shutdown(wait=self._error is None)
        self.say_goodbye()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    # -- what comes in ------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            self.read()
            self._start()
        except BaseException as error:
            self._fail(error)
        if self.leaving is not None:
            self._wake()

    def _hearable(self) -> None:
        self.hear()
        if self.leaving is not None:
            self._wake()

    def told(self, changes: Mapping[str, Any]) -> None:
        """Change how the child works, as the supervisor says.

        Args:
            changes: As for every child, and ``cancel``: the number of a task that was revoked.
        """
        super().told(changes)
        seq = changes.get("cancel")
        if seq is not None:
            self.cancel(seq)

    def cancel(self, seq: int) -> None:
        """End a task that was revoked; from the loop's thread only.

        Args:
            seq: Its number.
        """
        run = self._running.get(seq)
        if run is None:
            _logger.info("revoked task had ended", seq=seq)
        elif run.threaded:
            _logger.warning("revoke ignored", reason="a thread cannot be killed", seq=seq)
        else:
            run.revoke()

    # -- what runs ----------------------------------------------------------------------------------------------

    def _start(self) -> None:
        while self.queue and self.leaving is None and len(self._running) < self._limit:
            delivery = self.queue.popleft()
            runner = self.executor.runner(delivery)
            if runner is None:
                self.outbox.give_back([delivery[SEQ]], "not_registered")
                continue
            if delivery[FLAGS] & TRACK_STARTED:
                self.outbox.started(delivery[SEQ], os.getpid())
            self._begin(runner, delivery)

    def _begin(self, runner: Any, delivery: Delivery) -> None:
        loop = self._loop
        assert loop is not None  # noqa: S101  # runs in it
        run = Run(delivery, time.monotonic(), self._step)
        self._running[delivery[SEQ]] = run
        if isinstance(runner, AsyncRunner) and runner.is_async:
            run.give_up = functools.partial(self._give_up, run)
            run.task = loop.create_task(self._run_one(run, functools.partial(runner.run_async, run)))
        else:
            run.threaded = True
            if self._threads is None:
                self._threads = ThreadPoolExecutor(min(self._limit, _THREADS), "ignitetasks-task")
            work = functools.partial(loop.run_in_executor, self._threads, self._run_aside, runner, delivery)
            run.task = loop.create_task(self._run_one(run, work))

    def _run_aside(self, runner: Runner, delivery: Delivery) -> Ending:
        """Run a task that is no coroutine, in a thread."""
        ending = runner.run(delivery)
        end_copy(self.owner)
        return ending

    async def _run_one(self, run: Run, work: Callable[[], Awaitable[Ending]]) -> None:
        run.begun = True
        try:
            self._ended(run, run.revoked() if run.asked_to_end else await work())
        except asyncio.CancelledError:
            # While a thread prepares it.
            self._ended(run, run.revoked())
        except BaseException as error:
            # Only the node's going away, or a cold shutdown.
            self._fail(error)

    def _ended(self, run: Run, ending: Ending) -> None:
        end_copy(self.owner)
        seq = run.delivery[SEQ]
        if self._running.pop(seq, None) is None:
            return
        if self._shown == seq:
            self._shown = IDLE
            pack_running(self.port.slots.memory, self.port.slots.offset(self.port.index), IDLE, 0.0, 0)
        kind, payload, flags, extra, spawn = ending
        run_us = int((time.monotonic() - run.started) * 1_000_000)
        self.outbox.add((seq, kind, payload, flags, run_us, extra, spawn))
        self.count(1, int(kind == frames.FAILURE))
        self._start()
        if len(self.outbox.waiting) >= BATCH or not self._running:
            self._flush()
        elif not self._flushing and self._loop is not None:
            self._flushing = True
            self._loop.call_later(FLUSH_SECONDS, self._flush)
        if self.leaving is not None:
            self._wake()

    def _give_up(self, run: Run, ending: Ending) -> None:
        name = run.delivery[TASK]
        _logger.error("task left to itself", task=name, reason="it goes on after its hard limit")
        self._ended(run, ending)

    def _flush(self) -> None:
        self._flushing = False
        try:
            self.outbox.flush()
        except BaseException as error:
            self._fail(error)
        if not self._running:
            flush_streams()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()

    # -- what the watch sees ------------------------------------------------------------------------------------

    def _step(self, run: Run, begins: bool) -> None:
        self.stepping = (run, time.monotonic()) if begins else None

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._running)

    def let_kill(self, run: Run) -> None:
        """Show the supervisor a task that is over its hard limit and cannot be reached: it blocks the loop."""
        port = self.port
        if port.notify < 0 or not run.hard_ms:
            return
        self._shown = run.delivery[SEQ]
        pack_running(port.slots.memory, port.slots.offset(port.index), run.delivery[SEQ], run.started, run.hard_ms)
        os.eventfd_write(port.notify, 1)


class _Watch(threading.Thread):
    """Notices that the loop does not turn."""

    def __init__(self, child: AsyncioChild, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="ignitetasks-loop-watch", daemon=True)
        self._child = child
        self._loop = loop
        self._turned = threading.Event()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ends the thread, soon."""
        self._stopped.set()
        self._turned.set()

    def run(self) -> None:
        """Asks the loop for a sign of life, again and again."""
        while not self._stopped.wait(_LOOK_SECONDS):
            if not self._child.busy:
                continue
            self._turned.clear()
            try:
                self._loop.call_soon_threadsafe(self._turned.set)
            except RuntimeError:  # closed
                return
            if not self._turned.wait(BLOCKED_SECONDS):
                self._blocked()

    def _blocked(self) -> None:
        since, told = time.monotonic() - BLOCKED_SECONDS, False
        while not self._turned.wait(_LOOK_SECONDS if told else 0):
            step = self._child.stepping
            if not told:
                told = True
                name = step[0].delivery[TASK] if step is not None else None
                _logger.warning(
                    "event loop blocked", task=name, hint="await instead of waiting, or make it a plain function"
                )
            if step is not None and step[0].is_overdue:
                self._child.let_kill(step[0])
        if told and not self._stopped.is_set():
            _logger.warning("event loop turns again", seconds=round(time.monotonic() - since, 1))
