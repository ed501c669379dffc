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
from typing import Final

from ignitetasks import frames
from ignitetasks.message import TRACK_STARTED
from ignitetasks.pace import Pace
from ignitetasks.utils.processes import flush_streams
from ignitetasks.worker import slots as slots_module
from ignitetasks.worker.base import ChildBase, ChildPort, end_copy
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.outbox import BATCH
from ignitetasks.worker.slots import IDLE

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
        # Whether the last outcome has a next step, and how fast next steps have come so far.
        self._continued = False
        self._pace = Pace()
        self._announced = 0.0
        self._looked = 0.0
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
                        flush_streams()
                        self._rest()
            self.say_goodbye()
        finally:
            self._guard.stop()

    def _work(self) -> None:
        """Run the local queue empty; the hot path of the whole package."""
        queue, waiting, executor = self.queue, self.outbox.waiting, self.executor
        memory, offset, guard = self._memory, self._offset, self._guard
        pack_running, now, owner = slots_module.pack_running, time.monotonic, self.owner
        executions = failed = 0
        recycling = bool(self.port.max_tasks or self.port.max_memory_kib)
        self.active = True
        self._looked = ended = now()
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
            self.started = started
            if guard.parked or runner.mean_us > FAST_US:
                self._prepare(runner.mean_us)
            pack_running(memory, offset, seq, started, hard_ms)
            if hard_ms or delivery[5] & TRACK_STARTED:
                self._proclaim(seq, delivery[5], started, hard_ms)
            kind, payload, flags, extra, spawn = runner.run(delivery)
            end_copy(owner)
            ended = now()
            self.started = 0.0
            pack_running(memory, offset, IDLE, 0.0, 0)
            run_us = int((ended - started) * 1_000_000)
            runner.mean_us += (run_us - runner.mean_us) * 0.125
            executions += 1
            failed += kind == frames.FAILURE
            if not waiting:
                self.outbox.since = ended
            waiting.append((seq, kind, payload, flags, run_us, extra, spawn))
            self._continued = spawn is not None
            if recycling or len(waiting) >= BATCH or ended - self._looked > FLUSH_SECONDS:
                ended = self._between(ended, executions, failed)
                executions = failed = 0
        self.count(executions, failed)

    def _rest(self) -> None:
        """Wait for the next delivery; where it is the next step of what has just run, it will not be long."""
        if not self._continued:
            self.wait(None)
            return
        began = time.perf_counter()
        self._pace.look(self._poll.poll)
        self.wait(None)
        self._pace.note(time.perf_counter() - began)

    def _prepare(self, mean_us: float) -> None:
        """Make ready for a task that may be long, or for one after a pause."""
        slow = mean_us > FAST_US
        if slow:
            self.outbox.flush()
        parked = self._guard.parked
        if parked == ASLEEP or (parked and (slow or self.queue or self.outbox.waiting)):
            self._guard.arm()

    def _between(self, ended: float, executions: int, failed: int) -> float:
        """Count, send what is ready, and look for a STOP, which a long queue of short tasks would hide.

        Returns the time after that, in monotonic seconds.
        """
        self.count(executions, failed)
        due = len(self.outbox.waiting) >= BATCH or ended - self._looked > FLUSH_SECONDS
        if due and self.leaving is None:
            self.outbox.flush()
            with self.reading:
                self.read()
            if self.port.control >= 0 and self.leaving is None:
                self.wait(0)
            self._looked = ended
        return time.monotonic()

    def _proclaim(self, seq: int, flags: int, started: float, hard_ms: int) -> None:
        """Tell who wants to know that a task starts.

        The supervisor is told of a hard limit only if it is due before the last one it was told of. It learns of
        later ones by itself: it looks at the slot when the earlier one is due.
        """
        if flags & TRACK_STARTED:
            self.outbox.started(seq, os.getpid())
        deadline, known, notify = started + hard_ms / 1000, self._announced, self.port.notify
        # The tenth of a second covers a supervisor that wakes and looks while this task is being started.
        if hard_ms and notify >= 0 and (deadline < known or started > known - 0.1):
            self._announced = deadline
            os.eventfd_write(notify, 1)


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
                state = ARMED
                if now - needed > _REST_SECONDS:
                    state = ASLEEP if now - active > _SLEEP_SECONDS else RESTING
                # Set before the last look, so that a need that arises after it finds a guard to arm; the loop in
                # turn makes its need visible before it looks here.
                self.parked = state
                if state and self._needed(now):
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
            self._give_back()
        return self._needed(now)

    def _give_back(self) -> None:
        """Return what waits behind the running task; not while the loop reads, for then no task runs."""
        child = self._child
        if child.reading.acquire(blocking=False):
            try:
                if child.leaving:
                    child.give_back(child.leaving)
                else:
                    child.give_back_waiting()
            finally:
                child.reading.release()

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
            self._give_back()
            child.outbox.flush()
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
                finally:
                    child.reading.release()
