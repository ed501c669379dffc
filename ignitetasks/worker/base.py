"""What children of every pool share: reading the lane, giving back, counting, taking leave.

This file must not run tasks; the loops do (child.py, threads.py).
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ignitetasks import frames
from ignitetasks.app import tasklog
from ignitetasks.events import local
from ignitetasks.worker.announcing import Herald
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.limits import max_rss_kib
from ignitetasks.worker.model import Delivery
from ignitetasks.worker.outbox import Outbox
from ignitetasks.worker.overrides import LimitOverrides
from ignitetasks.worker.reporting import TaskEvents, switch
from ignitetasks.worker.slots import LEAVING, READY, TOLD_AT, Slots

#: What the supervisor writes on a child's control pipe to make it finish its task and leave, and the reason it means.
LEAVE: Final = {b"R": "recycle", b"D": "drain"}
RECYCLE, DRAIN = LEAVE
#: Before a message that changes how the child works: length in four bytes, then a msgpack map.
TELL: Final = b"T"


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
        changes: What remote control has changed before this child; see `ChildBase.told`.
        herald: Tells of each task that is taken up, while that is wanted; None for nobody.
    """

    index: int
    slots: Slots
    control: int = -1
    notify: int = -1
    max_tasks: int = 0
    max_memory_kib: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
    herald: Herald | None = None


def end_copy(owner: int) -> None:
    """End this process where it is a copy that a task has forked and let go on: it must not speak for the child.

    Args:
        owner: The child's process.
    """
    if os.getpid() != owner:
        os._exit(0)


class ChildBase:
    """What children of every pool share: reading the lane, leaving, the slot."""

    def __init__(self, connection: frames.LaneConnection, executor: Executor, port: ChildPort) -> None:
        """Prepare a child.

        Args:
            connection: The greeted child lane.
            executor: Runs deliveries.
            port: Connects to the supervisor.
        """
        #: The process that speaks for this child; see `end_copy`.
        self.owner = os.getpid()
        self.connection = connection
        self.executor = executor
        self.port = port
        self.outbox = Outbox(connection)
        executor.report = self.outbox.state
        self.queue: deque[Delivery] = deque()
        # Whether what arrives is void, since it was sent before the node knew what has been given back.
        self._void = False
        #: Why the child leaves (``drain`` or ``recycle``); None while it stays.
        self.leaving: str | None = None
        self.done = 0
        self._overrides: LimitOverrides | None = None
        self._events: TaskEvents | None = None
        self._hearing = threading.Lock()
        self._shared = port.slots.memory
        # Unlike any byte, so that the first batch looks at what came while the child was starting.
        self._heard = -1 if port.control >= 0 else self._shared[TOLD_AT]
        self._unheard = b""
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        if port.control >= 0:
            os.set_blocking(port.control, False)
            self._poll.register(port.control, select.POLLIN)
        if port.notify >= 0:
            # A process of its own: what tasks send as events goes beside their outcomes.
            local.send = self.outbox.event
        self.told(port.changes)

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
        returned = self._empty_queue()
        if returned:
            self.outbox.give_back(reversed(returned), reason)

    def give_back_waiting(self) -> None:
        """Return what waits behind a slow task, and with it all that the node sends until it knows.

        So the node can put everything back into its order, and nothing that was on its way overtakes what went back.
        For the thread that reads the lane, or holds its lock.
        """
        returned = self._empty_queue()
        if returned:
            self._void = True
            # The lowest number stands for itself and all after it.
            self.outbox.give_back(returned[-1:], frames.SLOW)

    def _empty_queue(self) -> list[int]:
        """Take everything out; returns the numbers, the last first."""
        returned: list[int] = []
        try:
            while True:
                # From the end: what a loop takes out meanwhile comes before all of this.
                returned.append(self.queue.pop()[0])
        except IndexError:
            return returned

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
                if not self._void:
                    self.accept(frames.unpack(payload))
            elif kind == frames.TAKEN_BACK:
                self._void = False
            elif kind == frames.STOP:
                self.leaving = self.leaving or "drain"
        return seen

    def accept(self, deliveries: list[Delivery]) -> None:
        """Take deliveries over.

        Args:
            deliveries: What the node wants to be run, in order.
        """
        if self._heard != self._shared[TOLD_AT]:
            # A change that was made before these were sent holds for them.
            self.hear()
        self.executor.talks = tasklog.heard()
        herald = self.port.herald
        self.executor.announce = herald.tell if herald is not None and herald.wanted else None
        if self._overrides is not None:
            self._overrides.apply(deliveries)
        if self._events is not None:
            self._events.received(deliveries)
        self.queue.extend(deliveries)

    def wait(self, timeout_ms: int | None) -> None:
        """Wait for a frame or the supervisor.

        Args:
            timeout_ms: Longest wait in milliseconds; None for no limit.
        """
        for descriptor, _ in self._poll.poll(timeout_ms):
            if descriptor == self.port.control:
                self.hear()

    def hear(self) -> None:
        """Read what the supervisor has written on the control pipe; harmless when there is nothing."""
        # The guard of a sequential child may be at it too.
        with self._hearing:
            self._heard = self._shared[TOLD_AT]
            try:
                data = os.read(self.port.control, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                # The end of the file: the supervisor is gone, and with it the worker.
                self.leaving = self.leaving or "drain"
            self._unheard += data
            while self._unheard:
                word, length = self._unheard[:1], int.from_bytes(self._unheard[1:5], "big")
                if word != TELL:
                    self.leaving = self.leaving or LEAVE.get(word, "drain")
                    self._unheard = self._unheard[1:]
                elif len(self._unheard) < 5 + length:
                    break
                else:
                    message, self._unheard = self._unheard[5 : 5 + length], self._unheard[5 + length :]
                    self.told(frames.unpack(message))

    def told(self, changes: Mapping[str, Any]) -> None:
        """Change how the child works, as the supervisor says.

        Args:
            changes: ``limits``: soft and hard limit in milliseconds by task name. ``events``: whether events are sent.
        """
        events = changes.get("events")
        if events is not None and events != (self._events is not None):
            self._events = switch(self.executor, self.outbox.send_events if events else None)
            self.outbox.before = self._events.flush if self._events is not None else None
        limits = changes.get("limits")
        if limits:
            if self._overrides is None:
                self._overrides = LimitOverrides(self.executor)
            for name, (soft_ms, hard_ms) in limits.items():
                self._overrides.set(name, soft_ms, hard_ms)
            self._overrides.apply(list(self.queue))

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
