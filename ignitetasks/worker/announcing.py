"""Tells receivers of ``task_received`` of each task before it is run: in the worker's parent process, as Celery does.

Where tasks run in that process itself this is a call. A child asks through a socket pair of its own, and waits until
the receivers have returned: they come before the task. Children look at one byte of the shared memory to know whether
anybody listens; while nobody does, nothing is sent. This file must not decide what is run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import selectors
import socket
import threading
from typing import Any, Final, Protocol

from ignitetasks import frames, log, message, signals
from ignitetasks.accepted import codecs_of
from ignitetasks.canvas.steps import task_of
from ignitetasks.worker.model import BODY, FLAGS, HARD_MS, ID, SOFT_MS, TASK, Delivery, WorkerApp
from ignitetasks.worker.seeing import request_of
from ignitetasks.worker.slots import LISTENED_AT, Slots

#: Longer arguments are not sent to the parent: `inline_limit` is below this.
_LARGEST: Final = 1 << 18
_DONE: Final = b"."

_logger = log.get_logger("worker")


class Worker(Protocol):
    """The worker, sender of the signal."""

    @property
    def app(self) -> WorkerApp:
        """The application."""

    @property
    def hostname(self) -> str:
        """The worker's name."""


class Herald(Protocol):
    """Tells of the tasks of one child."""

    @property
    def wanted(self) -> bool:
        """Whether anybody wants to hear of them now."""

    def tell(self, delivery: Delivery) -> None:
        """Tells of one delivery; returns when everybody has heard it."""


class LocalHerald:
    """Tells receivers in this very process.

    Args:
        worker: Sender of the signal.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        settings = worker.app.settings
        self._codecs = codecs_of(settings)

    @property
    def wanted(self) -> bool:
        """See `Herald.wanted`."""
        return bool(signals.task_received.receivers)

    def tell(self, delivery: Delivery) -> None:
        """See `Herald.tell`."""
        task = task_of(self._worker.app.tasks, delivery[TASK])
        if task is None or not signals.task_received.receivers:
            return
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        limits = delivery[SOFT_MS], delivery[HARD_MS]
        try:
            if not delivery[FLAGS] & message.BODY_REF:
                args, kwargs = message.decode_body(self._codecs, task.name, delivery[BODY])
            request = request_of(task, self._codecs, self._worker.hostname, limits, delivery, args, kwargs)
        except Exception as error:  # the run will fail of the same
            task_id = delivery[ID]
            _logger.debug("request not readable", task_id=task_id, error=type(error).__name__)
            return
        signals.task_received.send(sender=self._worker, request=request)


class ChildHerald:
    """Tells the parent process, and waits for it.

    Args:
        line: The child's end of the socket pair.
        slots: The shared memory.
    """

    def __init__(self, line: socket.socket, slots: Slots) -> None:
        self._line = line
        self._memory = slots.memory
        # Threads take turns: an answer belongs to the last question.
        self._turn = threading.Lock()

    @property
    def wanted(self) -> bool:
        """See `Herald.wanted`."""
        return bool(self._memory[LISTENED_AT])

    def tell(self, delivery: Delivery) -> None:
        """See `Herald.tell`."""
        parts = list(delivery)
        if len(parts[BODY]) > _LARGEST // 2:
            parts[BODY], parts[FLAGS] = b"", parts[FLAGS] | message.BODY_REF
        # The parent is gone, and this process soon; or what the caller sent along is larger than any message can be.
        with self._turn, contextlib.suppress(OSError):
            self._line.send(frames.pack(parts))
            self._line.recv(1)

    def close(self) -> None:
        """Close the child's end, in the parent."""
        self._line.close()


class Announcements:
    """The parent's side of all children.

    Args:
        worker: Sender of the signal.
        slots: The shared memory.
        selector: Wakes up when a child tells something; the key's data is a function that hears it.
    """

    def __init__(self, worker: Worker, slots: Slots, selector: selectors.BaseSelector) -> None:
        self._worker = worker
        self._slots = slots
        self._selector = selector
        self._lines: dict[int, socket.socket] = {}
        self._owner = os.getpid()
        self._herald: LocalHerald | None = None
        signals.task_received.watch(self._look)
        self._look()

    def _look(self) -> None:
        # A child has its own copy of the receivers, and shares the memory.
        if os.getpid() == self._owner:
            self._slots.listen(bool(signals.task_received.receivers))

    def open(self, index: int) -> ChildHerald:
        """Make the line of a child that is about to be forked.

        Args:
            index: The child's number; the line of an earlier child of this number is closed.

        Returns:
            For the child; the parent closes its copy after the fork.
        """
        self._hang_up(index)
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LARGEST)
        mine.setblocking(False)
        self._lines[index] = mine
        self._selector.register(mine, selectors.EVENT_READ, functools.partial(self._hear, index))
        return ChildHerald(its, self._slots)

    def _hear(self, index: int) -> None:
        line = self._lines[index]
        try:
            told = line.recv(_LARGEST)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        if not told:
            self._hang_up(index)
            return
        if self._herald is None:
            self._herald = LocalHerald(self._worker)
        self._herald.tell(frames.unpack(told))
        with contextlib.suppress(OSError):  # it died meanwhile
            line.send(_DONE)

    def _hang_up(self, index: int) -> None:
        line = self._lines.pop(index, None)
        if line is not None:
            self._selector.unregister(line)
            line.close()

    def forget_in_child(self) -> None:
        """Close, in a child, the descriptors that belong to the parent."""
        for line in self._lines.values():
            line.close()

    def close(self) -> None:
        """Close all lines, and listen to nobody any more."""
        signals.task_received.unwatch(self._look)
        for index in list(self._lines):
            self._hang_up(index)
