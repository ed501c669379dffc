"""The loop of a child that runs one task at a time: take deliveries, run them, answer in batches.

Used by the prefork and the solo pool. The main thread runs tasks; a guard thread, which sleeps unless it is
needed, sends outcomes that wait behind a slow task and gives back what that task would keep waiting. This file
must not fork, handle signals or decide how a task ends (see execute.py).
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from ignitetasks import frames
from ignitetasks.worker import slots as slots_module
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.limits import max_rss_kib
from ignitetasks.worker.model import Delivery
from ignitetasks.worker.outbox import BATCH, Outbox
from ignitetasks.worker.slots import IDLE, LEAVING, READY, Slots

#: An outcome waits at most this long for company, in seconds.
FLUSH_SECONDS: Final = 0.001
#: How often the armed guard looks, in seconds; a buffered outcome behind a slow task waits this long at most.
GUARD_SECONDS: Final = 0.002
#: A task that runs longer than this gives back what waits behind it, in seconds.
SLOW_SECONDS: Final = 0.020
# The guard looks less often when it was not needed for this long, and sleeps after so long without any task.
_REST_SECONDS: Final = 0.050
_SLEEP_SECONDS: Final = 1.0
#: A task name whose mean run time is above this is not trusted to be short, in microseconds.
FAST_US: Final = 1000.0

# How the guard waits; the loop arms it out of the latter two.
ARMED: Final = 0
RESTING: Final = 1
ASLEEP: Final = 2
_POLL_MS: Final = (GUARD_SECONDS * 1000, SLOW_SECONDS * 1000, None)

#: What the supervisor writes on a child's control pipe to make it finish its task and leave, and the reason it means.
LEAVE: Final = {b"R": "recycle", b"D": "drain"}
RECYCLE, DRAIN = LEAVE


@dataclass(frozen=True, slots=True)
class ChildPort:
    """What connects a child with its supervisor.

    Attributes:
        index: The child's number in this worker, from 0.
        slots: The shared memory.
        control: Read end of the pipe by which the supervisor asks the child to leave; -1 for none.
        notify: Event descriptor that makes the supervisor look at the slots; -1 for none.
        max_tasks: Executions after which the child is replaced; 0 for no limit.
        max_memory_kib: Resident size after which it is replaced; 0 for no limit.
    """

    index: int
    slots: Slots
    control: int = -1
    notify: int = -1
    max_tasks: int = 0
    max_memory_kib: int = 0


class ChildBase:
    """What children of every pool share: reading the lane, leaving, the slot."""

    def __init__(self, connection: frames.LaneConnection, executor: Executor, port: ChildPort) -> None:
        """Prepare a child.

        Args:
            connection: The greeted child lane.
            executor: Runs deliveries.
            port: Connects to the supervisor.
        """
        self.connection = connection
        self.executor = executor
        self.port = port
        self.outbox = Outbox(connection)
        self.queue: deque[Delivery] = deque()
        #: Why the child leaves (``drain`` or ``recycle``); None while it stays.
        self.leaving: str | None = None
        self.done = 0
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        if port.control >= 0:
            self._poll.register(port.control, select.POLLIN)

    def ready(self) -> None:
        """Tell the supervisor that this child takes tasks."""
        self.port.slots.set_state(self.port.index, os.getpid(), READY)
        if self.port.notify >= 0:
            os.eventfd_write(self.port.notify, 1)

    def say_goodbye(self) -> None:
        """Give back what has not started, send everything, and close in good order."""
        self.give_back(self.leaving or "drain")
        self.port.slots.set_state(self.port.index, os.getpid(), LEAVING)
        self.outbox.bye()
        self.connection.finish()

    def give_back(self, reason: str) -> None:
        """Return everything in the local queue to the node.

        Args:
            reason: Why, as the node wants to hear it.
        """
        returned: list[int] = []
        try:
            while True:
                returned.append(self.queue.popleft()[0])
        except IndexError:
            pass
        if returned:
            self.outbox.give_back(returned, reason)

    def read(self) -> bool:
        """Take in every frame that has arrived.

        Returns:
            Whether there was any.

        Raises:
            LaneClosed: The node is gone.
        """
        seen = False
        for kind, payload in self.connection.pending():
            seen = True
            if kind == frames.RUN:
                self.queue.extend(frames.unpack(payload))
            elif kind == frames.STOP:
                self.leaving = self.leaving or "drain"
        return seen

    def wait(self, timeout_ms: int | None) -> None:
        """Wait for a frame or the supervisor.

        Args:
            timeout_ms: Longest wait in milliseconds; None for no limit.
        """
        for descriptor, _ in self._poll.poll(timeout_ms):
            if descriptor == self.port.control:
                # Empty at the end of the file: the supervisor is gone, and with it the worker.
                self.leaving = self.leaving or LEAVE.get(os.read(descriptor, 1), "drain")
                self._poll.unregister(descriptor)

    def count(self, executions: int, failed: int) -> None:
        """Count finished executions and decide whether the child has had enough.

        Args:
            executions: How many have ended since the last call.
            failed: How many of them failed.
        """
        self.done += executions
        port = self.port
        port.slots.add_counts(port.index, executions, failed)
        too_many = port.max_tasks and self.done >= port.max_tasks
        too_large = port.max_memory_kib and max_rss_kib() > port.max_memory_kib
        if too_many or too_large:
            self.leaving = self.leaving or "recycle"


class SequentialChild(ChildBase):
    """One task at a time, in the thread that calls `run`."""

    def __init__(self, connection: frames.LaneConnection, executor: Executor, port: ChildPort) -> None:
        """Prepare the loop and its guard.

        Args:
            connection: The greeted child lane.
            executor: Runs deliveries.
            port: Connects to the supervisor.
        """
        super().__init__(connection, executor, port)
        #: Monotonic start of the running task; 0.0 between tasks. Read by the guard.
        self.started = 0.0
        #: Set at each batch; the guard clears it to see whether anything goes on at all.
        self.active = False
        # Who reads the socket: the loop while it waits, the guard while a task runs.
        self.reading = threading.Lock()
        self._guard = Guard(self)
        self._announced = 0.0
        self._memory = port.slots.memory
        self._offset = port.slots.offset(port.index)

    def run(self) -> None:
        """Run tasks until told to leave.

        Raises:
            LaneClosed: The node is gone; nothing can be reported any more.
        """
        self._guard.start()
        self.ready()
        try:
            while self.leaving is None:
                if self.queue:
                    self._work()
                    continue
                self.outbox.flush()
                with self.reading:
                    if not self.read() and self.leaving is None:
                        self.wait(None)
            self.say_goodbye()
        finally:
            self._guard.stop()

    def _work(self) -> None:
        """Run the local queue empty; the hot path of the whole package."""
        queue, waiting, executor = self.queue, self.outbox.waiting, self.executor
        memory, offset, guard = self._memory, self._offset, self._guard
        pack_running, now = slots_module.pack_running, time.monotonic
        executions = failed = 0
        recycling = bool(self.port.max_tasks or self.port.max_memory_kib)
        self.active = True
        ended = now()
        while self.leaving is None:
            try:
                delivery = queue.popleft()
            except IndexError:
                break
            runner = executor.runner(delivery)
            if runner is None:
                self.outbox.give_back([delivery[0]], "not_registered")
                continue
            started, seq, hard_ms = ended, delivery[0], delivery[10] or runner.hard_ms
            trusted = runner.mean_us < FAST_US
            if waiting and not trusted:
                self.outbox.flush()
            if guard.parked and (queue or waiting or not trusted or guard.parked == ASLEEP):
                guard.arm()
            if delivery[5] & executor.TRACK_STARTED:
                self.outbox.started(seq, os.getpid())
            pack_running(memory, offset, seq, started, hard_ms)
            if hard_ms:
                self._announce(started + hard_ms / 1000)
            self.started = started
            kind, payload, flags, extra = runner.run(delivery)
            ended = now()
            self.started = 0.0
            pack_running(memory, offset, IDLE, 0.0, 0)
            run_us = int((ended - started) * 1_000_000)
            runner.mean_us += (run_us - runner.mean_us) * 0.125
            executions += 1
            failed += kind == frames.FAILURE
            if not waiting:
                self.outbox.since = ended
            waiting.append((seq, kind, payload, flags, run_us, extra))
            if len(waiting) >= BATCH or ended - self.outbox.since > FLUSH_SECONDS:
                self._between()
                ended = now()
            if recycling:
                self.count(executions, failed)
                executions = failed = 0
        if executions:
            self.count(executions, failed)

    def _between(self) -> None:
        """Send what is ready and look for a STOP, so that a long queue of short tasks does not hide it."""
        self.outbox.flush()
        with self.reading:
            self.read()
        if self.port.control >= 0 and self.leaving is None:
            self.wait(0)

    def _announce(self, deadline: float) -> None:
        """Tell the supervisor of a hard limit that is due before the last one it was told of.

        It learns of later ones by itself: it looks at the slot when the earlier one is due.
        """
        port = self.port
        known = self._announced
        # The tenth of a second covers a supervisor that wakes and looks while this task is being started.
        if port.notify >= 0 and (deadline < known or time.monotonic() > known - 0.1):
            self._announced = deadline
            os.eventfd_write(port.notify, 1)


class Guard(threading.Thread):
    """Serves the node while the loop's thread is inside a task.

    Looks every two milliseconds while something waits; now and then for a second after that, since a task that
    used to be short may turn out long; and sleeps after that, so that an idle child costs nothing.
    """

    def __init__(self, child: SequentialChild) -> None:
        """Prepare the thread.

        Args:
            child: The loop to guard.
        """
        super().__init__(name="ignitetasks-guard", daemon=True)
        self._child = child
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopped = False
        #: `ARMED`, `RESTING` or `ASLEEP`; the loop pays for a wake-up only where it needs one.
        self.parked = ASLEEP

    def arm(self) -> None:
        """Make the thread look often; it rests again by itself when nothing needs it for a while."""
        self.parked = ARMED
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped = True
        os.eventfd_write(self._wake, 1)
        if self.is_alive():
            self.join()
        os.close(self._wake)

    def run(self) -> None:
        """Look at the loop as often as it needs."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        needed = active = time.monotonic()
        try:
            while not self._stopped:
                now = time.monotonic()
                if self._look(now):
                    needed = now
                if self._child.active:
                    self._child.active = False
                    active = now
                self.parked = ARMED
                if now - needed > _REST_SECONDS:
                    self.parked = ASLEEP if now - active > _SLEEP_SECONDS else RESTING
                # Parked is set before this last look, so that a need that arises after it finds a guard to arm.
                if self.parked and self._needed(now):
                    self.parked = ARMED
                for _ in poll.poll(_POLL_MS[self.parked]):
                    os.eventfd_read(self._wake)
                    needed = active = time.monotonic()
                self._listen(poll)
        except frames.LaneError:
            # The loop meets the same error at its next read or send, and it is the one to end the process.
            self.parked = ARMED

    def _needed(self, now: float) -> bool:
        child = self._child
        return bool(child.queue or child.outbox.waiting or (child.started and now - child.started < SLOW_SECONDS))

    def _look(self, now: float) -> bool:
        """Do what is due; returns whether the loop may need the next look soon."""
        child = self._child
        outbox = child.outbox
        if outbox.waiting and now - outbox.since >= GUARD_SECONDS:
            outbox.flush()
        if child.queue and child.started and now - child.started > SLOW_SECONDS:
            child.give_back("slow")
        return self._needed(now)

    def _listen(self, poll: select.poll) -> None:
        """Read the lane in place of a loop that is inside a slow task.

        Deliveries may have been sent before the node knew how slow that task is, and a STOP must return them at
        once. Stays until the task has ended (looks ten times a second) or the loop arms the guard.
        """
        child = self._child
        lane = child.connection.fileno()
        while not self._stopped and lane >= 0:
            started = child.started
            if not started or time.monotonic() - started <= SLOW_SECONDS:
                return
            poll.register(lane, select.POLLIN)
            self.parked = RESTING
            try:
                ready = poll.poll(100)
            finally:
                poll.unregister(lane)
            if any(descriptor == self._wake for descriptor, _ in ready):
                return
            # The loop holds the lock while it waits for frames itself: then this thread has no business here.
            if ready and child.reading.acquire(blocking=False):
                try:
                    if child.started:
                        child.read()
                        child.give_back(child.leaving or "slow")
                finally:
                    child.reading.release()
