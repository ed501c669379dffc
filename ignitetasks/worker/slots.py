"""Shared memory between the supervisor and its children: one slot of 64 bytes per child.

A child writes its slot at each start and end of a task, without a system call; the supervisor reads it to know
what a dead child was running, when a hard limit is due, and whether a revoked task still runs. The header holds
the supervisor's own state for the health endpoint; beside the slots, each child has a row for `metrics`. This file
must not decide anything; it only names the bytes.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import Final

from ignitetasks import metrics

SLOT_SIZE: Final = 64
IDLE: Final = -1

STARTING: Final = 0
READY: Final = 1
LEAVING: Final = 2

_HEADER: Final = struct.Struct("=IIII")  # supervisor pid, lane connected, children wanted, draining
# Sequence number of the running task (-1: none), monotonic start in seconds, hard limit in milliseconds.
_RUNNING: Final = struct.Struct("=qdI")
_STATE: Final = struct.Struct("=II")  # pid, state
_COUNTS: Final = struct.Struct("=QQ")  # tasks done, of which failed
_COUNT: Final = struct.Struct("=I")  # slots in use
_COUNT_AT: Final = 16
#: A byte that changes with every message on the control pipes: cheaper to look at than a pipe.
TOLD_AT: Final = 20
#: A byte that says whether anybody in the supervisor's process wants to hear of each task that is taken up.
LISTENED_AT: Final = 21
_STATE_AT: Final = 24
_COUNTS_AT: Final = 32

#: Writes (sequence number, monotonic start, hard limit ms) at an offset: ``pack_running(memory, offset, ...)``.
pack_running = _RUNNING.pack_into


@dataclass(frozen=True, slots=True)
class Running:
    """What a slot says of the running task.

    Attributes:
        seq: Its sequence number on the child's connection, or `IDLE`.
        started: Monotonic seconds at its start.
        hard_ms: Its hard limit in milliseconds; 0 for none.
    """

    seq: int
    started: float
    hard_ms: int

    @property
    def deadline(self) -> float | None:
        """Monotonic seconds at which the hard limit is due; None when there is none or nothing runs."""
        if self.seq == IDLE or not self.hard_ms:
            return None
        return self.started + self.hard_ms / 1000


@dataclass(frozen=True, slots=True)
class Health:
    """The supervisor's own state.

    Attributes:
        pid: The supervisor's process id.
        connected: Whether its worker connection to the node stands.
        wanted: How many children there should be.
        draining: Whether it is shutting down.
    """

    pid: int
    connected: bool
    wanted: int
    draining: bool


class Slots:
    """The shared memory of one worker; made before forking, inherited by the children."""

    def __init__(self, count: int, capacity: int = 0) -> None:
        """Allocate zeroed shared memory; what is not touched costs no memory.

        Args:
            count: Number of child slots in use.
            capacity: How many there can be, when the pool grows; at least ``count``.
        """
        self.capacity = max(count, capacity)
        self.memory = mmap.mmap(-1, SLOT_SIZE * (self.capacity + 1))
        self._numbers = memoryview(mmap.mmap(-1, 8 * metrics.CELLS * self.capacity)).cast("d")
        self.use(count)

    @property
    def count(self) -> int:
        """How many slots are in use or were, the same in every process of the worker."""
        count: int = _COUNT.unpack_from(self.memory, _COUNT_AT)[0]
        return count

    def use(self, count: int) -> None:
        """Bring more slots into use.

        Args:
            count: How many there are from now on, at most the capacity; fewer than before changes nothing.
        """
        before, now = self.count, max(self.count, min(count, self.capacity))
        for index in range(before, now):
            # Zeroed memory would read as a task of number 0.
            self.reset(index)
        _COUNT.pack_into(self.memory, _COUNT_AT, now)

    def tell(self) -> None:
        """Change the byte that says that children have been told something; called after it was written."""
        self.memory[TOLD_AT] = (self.memory[TOLD_AT] + 1) % 256

    def listen(self, wanted: bool) -> None:
        """Say whether children have to tell of each task they take up.

        Args:
            wanted: Whether anybody wants to hear of it.
        """
        self.memory[LISTENED_AT] = wanted

    def offset(self, index: int) -> int:
        """Return where a child's slot begins.

        Args:
            index: The child's number, from 0.

        Returns:
            Offset in bytes into `memory`.
        """
        return SLOT_SIZE * (index + 1)

    def reset(self, index: int) -> None:
        """Make a slot that of a child still to start; the counters go on.

        Args:
            index: The child's number.
        """
        pack_running(self.memory, self.offset(index), IDLE, 0.0, 0)
        _STATE.pack_into(self.memory, self.offset(index) + _STATE_AT, 0, STARTING)

    def set_state(self, index: int, pid: int, state: int) -> None:
        """Say how far a child is.

        Args:
            index: The child's number.
            pid: Its process id.
            state: `STARTING`, `READY` or `LEAVING`.
        """
        _STATE.pack_into(self.memory, self.offset(index) + _STATE_AT, pid, state)

    def state(self, index: int) -> int:
        """Read how far a child is.

        Args:
            index: The child's number.

        Returns:
            `STARTING`, `READY` or `LEAVING`.
        """
        state: int = _STATE.unpack_from(self.memory, self.offset(index) + _STATE_AT)[1]
        return state

    def running(self, index: int) -> Running:
        """Read what a child runs.

        The writer does not lock: its three fields may be seen half old and half new. Two equal looks in a row are
        a whole one; a child too busy to give that is between tasks every few microseconds and the last look serves.

        Args:
            index: The child's number.

        Returns:
            The running task's number, start and limit.
        """
        offset = self.offset(index)
        seen = _RUNNING.unpack_from(self.memory, offset)
        for _ in range(5):
            again = _RUNNING.unpack_from(self.memory, offset)
            if again == seen:
                break
            seen = again
        return Running(*seen)

    def add_counts(self, index: int, done: int, failed: int) -> None:
        """Add to a child's counters (called by the child only).

        Args:
            index: The child's number.
            done: Finished executions since the last call.
            failed: How many of them failed.
        """
        offset = self.offset(index) + _COUNTS_AT
        old_done, old_failed = _COUNTS.unpack_from(self.memory, offset)
        _COUNTS.pack_into(self.memory, offset, old_done + done, old_failed + failed)

    def counts(self, index: int) -> tuple[int, int]:
        """Read a child's counters.

        Args:
            index: The child's number.

        Returns:
            Finished executions, and how many of them failed.
        """
        done, failed = _COUNTS.unpack_from(self.memory, self.offset(index) + _COUNTS_AT)
        return done, failed

    def numbers(self, index: int) -> memoryview[float]:
        """Return what a child's client library counts; the counters go on in its successor.

        Args:
            index: The child's number.

        Returns:
            A row for `metrics.use`.
        """
        return self._numbers[metrics.CELLS * index : metrics.CELLS * (index + 1)]

    def set_health(self, health: Health) -> None:
        """Publish the supervisor's own state.

        Args:
            health: The state.
        """
        _HEADER.pack_into(self.memory, 0, health.pid, health.connected, health.wanted, health.draining)

    def health(self) -> Health:
        """Read the supervisor's own state.

        Returns:
            The state last published.
        """
        pid, connected, wanted, draining = _HEADER.unpack_from(self.memory, 0)
        return Health(pid, bool(connected), wanted, bool(draining))

    def ready(self) -> int:
        """Count the children that take tasks.

        Returns:
            Their number.
        """
        return sum(self.state(index) == READY for index in range(self.count))
