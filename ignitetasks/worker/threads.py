"""The loop of a child that runs several tasks at a time in threads.

The main thread reads the lane and serves the node; N threads run tasks. Soft limits arrive as asynchronous
exceptions; nothing can kill one thread, so a hard limit is only raised in the task, and a revoke cannot stop it.
This file must not fork or handle signals.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time

from ignitetasks import frames
from ignitetasks.message import TRACK_STARTED
from ignitetasks.utils.processes import flush_streams
from ignitetasks.worker.base import ChildBase, ChildPort, end_copy
from ignitetasks.worker.child import GUARD_SECONDS, SLOW_SECONDS
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.model import Delivery
from ignitetasks.worker.outbox import BATCH
from ignitetasks.worker.slots import IDLE, pack_running


class ThreadedChild(ChildBase):
    """N tasks at a time, in threads of this process."""

    def __init__(self, connection: frames.LaneConnection, executor: Executor, port: ChildPort, threads: int) -> None:
        """Prepare the loop.

        Args:
            connection: The greeted child lane.
            executor: Runs deliveries; its limit must be one for threads.
            port: Connects to the supervisor.
            threads: How many tasks run at a time.
        """
        super().__init__(connection, executor, port)
        self._wakeups = threading.Semaphore(0)
        self._state = threading.Lock()
        self._running: dict[int, float] = {}
        self._moved = time.monotonic()
        self._stopping = False
        self._changed = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._error: BaseException | None = None
        names = (f"ignitetasks-task-{number}" for number in range(threads))
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]

    def run(self) -> None:
        """Run tasks until told to leave; running tasks end before it returns.

        Raises:
            LaneClosed: The node is gone; nothing can be reported any more.
        """
        # Reading only: an eventfd can nearly always be written, and a poll for that would never wait.
        self._poll.register(self._changed, select.POLLIN)
        for thread in self._threads:
            thread.start()
        self.ready()
        while self.leaving is None and self._error is None:
            self.read()
            self._tend()
            if self.leaving is None and self._error is None:
                busy = self.queue or self.outbox.waiting
                if not busy:
                    flush_streams()
                self.wait(int(GUARD_SECONDS * 1000) if busy else None)
        self._finish()

    def _finish(self) -> None:
        """Return what has not started, wait for what runs, and go; or raise what a thread met."""
        if self._error is not None:
            raise self._error
        self.give_back(self.leaving or "drain")
        self._stopping = True
        for _ in self._threads:
            self._wakeups.release()
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise self._error
        self.say_goodbye()

    def accept(self, deliveries: list[Delivery]) -> None:
        """Take deliveries over and wake a thread for each.

        Args:
            deliveries: What the node wants to be run, in order.
        """
        super().accept(deliveries)
        # Counted here and not by the length of the queue, from which the threads take at the same time.
        self._wakeups.release(len(deliveries) or 1)

    def wait(self, timeout_ms: int | None) -> None:
        """Wait for a frame, the supervisor or a thread.

        Args:
            timeout_ms: Longest wait in milliseconds; None for no limit.
        """
        super().wait(timeout_ms)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._changed)

    def _tend(self) -> None:
        """Send what waits behind running tasks, and give back what they would keep waiting."""
        now = time.monotonic()
        if self.outbox.waiting and now - self.outbox.since >= GUARD_SECONDS:
            self.outbox.flush()
        if self.queue and len(self._running) == len(self._threads) and now - self._moved > SLOW_SECONDS:
            self.give_back_waiting()

    def _serve(self) -> None:
        """One thread's life."""
        try:
            while True:
                self._wakeups.acquire()
                if self._stopping:
                    return
                try:
                    delivery = self.queue.popleft()
                except IndexError:  # given back meanwhile
                    continue
                self._run_one(delivery)
        except BaseException as error:
            # Only the node's going away ends up here; the main thread ends the process.
            self._error = error
            os.eventfd_write(self._changed, 1)

    def _run_one(self, delivery: Delivery) -> None:
        seq = delivery[0]
        runner = self.executor.runner(delivery)
        if runner is None:
            self.outbox.give_back([seq], "not_registered")
            return
        if delivery[5] & TRACK_STARTED:
            self.outbox.started(seq, os.getpid())
        started = time.monotonic()
        self._note(seq, started)
        try:
            kind, payload, flags, extra, spawn = runner.run(delivery)
            end_copy(self.owner)
        finally:
            self._note(seq, None)
        run_us = int((time.monotonic() - started) * 1_000_000)
        self.outbox.add((seq, kind, payload, flags, run_us, extra, spawn))
        with self._state:
            self.count(1, int(kind == frames.FAILURE))
        # Added before this look at the queue: whoever empties it later finds the outcome and sends it.
        if not self.queue or len(self.outbox.waiting) >= BATCH:
            self.outbox.flush()
        if self.leaving is not None:
            os.eventfd_write(self._changed, 1)

    def _note(self, seq: int, started: float | None) -> None:
        """Write the slot: the task that has been running longest stands for all of them."""
        with self._state:
            self._moved = time.monotonic()
            if started is None:
                self._running.pop(seq, None)
            else:
                self._running[seq] = started
            first = next(iter(self._running), IDLE)
            pack_running(
                self.port.slots.memory, self.port.slots.offset(self.port.index), first, self._running.get(first, 0.0), 0
            )
