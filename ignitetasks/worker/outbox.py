"""Outcomes on their way from a child to the node: collected, then sent in batches.

Any thread of the child may add and flush. This file must not know what an outcome means, nor when to flush: the
loops decide.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ignitetasks.frames import BYE, DONE, EVENTS, GIVE_BACK, MAX_FRAME, STARTED, STATE, LaneClosed, LaneConnection, pack
from ignitetasks.message import Spawn

#: Outcomes that make a batch full.
BATCH = 64

#: One outcome on the wire: sequence number, kind, payload, flags, run time in microseconds, extra, spawn.
Outcome = tuple[int, int, bytes | bytearray | memoryview | None, int, int, Any, Spawn | None]


class Outbox:
    """The sending half of a child's lane."""

    def __init__(self, connection: LaneConnection) -> None:
        """Make an empty outbox.

        Args:
            connection: The child's lane; only this outbox sends on it.
        """
        self._connection = connection
        self._sending = threading.Lock()
        #: Collected outcomes. Appending is atomic, so the loops do it without the lock.
        self.waiting: deque[Outcome] = deque()
        #: Monotonic seconds when the oldest waiting outcome was added; only a hint for when to flush.
        self.since = 0.0
        #: Called before outcomes are sent, while events are on: what leads to an outcome is told before it.
        self.before: Callable[[], None] | None = None

    def add(self, outcome: Outcome) -> None:
        """Collect one outcome.

        Args:
            outcome: What goes on the wire.
        """
        if not self.waiting:
            self.since = time.monotonic()
        self.waiting.append(outcome)

    def flush(self) -> None:
        """Send everything collected; does nothing when nothing is.

        Raises:
            LaneClosed: The node is gone.
        """
        waiting = self.waiting
        if not waiting:
            return
        if self.before is not None:
            self.before()
        # Taking under the lock keeps frames in the order of the outcomes, whichever threads flush.
        with self._sending:
            batch: list[Outcome] = []
            try:
                while True:
                    batch.append(waiting.popleft())
            except IndexError:
                pass
            if batch:
                self._send(batch)

    def give_back(self, sequence_numbers: Iterable[int], reason: str) -> None:
        """Return deliveries that were never started, together with everything collected.

        Args:
            sequence_numbers: Their numbers.
            reason: ``drain``, ``recycle``, ``not_registered`` or `frames.SLOW`.

        Raises:
            LaneClosed: The node is gone.
        """
        for seq in sequence_numbers:
            self.waiting.append((seq, GIVE_BACK, None, 0, 0, reason, None))
        self.flush()

    def started(self, seq: int, pid: int) -> None:
        """Tell at once that a tracked task starts.

        Args:
            seq: Its number.
            pid: The process that runs it.

        Raises:
            LaneClosed: The node is gone.
        """
        self.waiting.append((seq, STARTED, None, 0, 0, [pid], None))
        self.flush()

    def state(self, seq: int, name: str, payload: bytes) -> None:
        """Tell how far a running task is; called inside the task.

        Args:
            seq: Its number.
            name: Name of its state.
            payload: The encoded result of that state.
        """
        self._send_inside(STATE, (seq, name, payload))

    def event(self, event: bytes) -> None:
        """Send an event of a task's own; called inside the task.

        Args:
            event: Packed.
        """
        self._send_inside(EVENTS, [event])

    def _send_inside(self, kind: int, value: Any) -> None:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            # A time limit that strikes here would leave half a frame on the lane.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            with self._sending, contextlib.suppress(LaneClosed):  # the loop meets the same
                self._connection.send(kind, value)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def send_events(self, events: list[bytes]) -> None:
        """Send packed events at once.

        Args:
            events: In their order.

        Raises:
            LaneClosed: The node is gone.
        """
        with self._sending:
            self._connection.send(EVENTS, events)

    def bye(self) -> None:
        """Send the rest and say that nothing more will come.

        Raises:
            LaneClosed: The node is gone.
        """
        self.flush()
        with self._sending:
            self._connection.send(BYE, {})

    def _send(self, batch: list[Outcome]) -> None:
        """Send a batch, in several frames when it is too large for one."""
        payload = pack(batch)
        if len(payload) < MAX_FRAME or len(batch) == 1:
            self._connection.send_raw(DONE, payload)
            return
        middle = len(batch) // 2
        self._send(batch[:middle])
        self._send(batch[middle:])
