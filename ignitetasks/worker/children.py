"""The children of one supervisor: forked, watched, killed at the right moment, buried with a report.

Single-threaded. This file must not talk to the node: it returns what happened, the supervisor reports it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ignitetasks.utils.processes import how_it_ended
from ignitetasks.worker.slots import IDLE, LEAVING, READY, Slots

#: Reasons in CHILD_DIED.
EXIT: Final = "exit"
HARD_LIMIT: Final = "hard_limit"
REVOKED: Final = "revoked"
SHUTDOWN: Final = "shutdown"

#: What is written on a child's control pipe; `base.LEAVE` and `base.TELL` are the reader's side.
_RETIRE: Final = b"D"
_TELL: Final = b"T"

# How long a child may take to stop at SIGSTOP, in seconds.
_STOP_SECONDS: Final = 0.05
_BACKOFF_SECONDS: Final = 0.1
_BACKOFF_MAX_SECONDS: Final = 5.0
#: So many children in a row that died before they were ready mean that starting them is hopeless.
HOPELESS_STARTS: Final = 8


@dataclass(slots=True)
class Child:
    """One child process.

    Attributes:
        index: Its number, from 0.
        pid: Its process id, also that of its group.
        pidfd: Descriptor that becomes readable at its death; -1 where the kernel has none.
        control: Write end of its control pipe.
        doomed: Why the supervisor sent it a signal, or None.
        doomed_seq: The task that was meant; `IDLE` for any.
        retired: Nobody takes its place when it is gone.
    """

    index: int
    pid: int
    pidfd: int
    control: int
    doomed: str | None = None
    doomed_seq: int = IDLE
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Death:
    """What is known of a child that ended.

    Attributes:
        index: Its number.
        pid: Its process id.
        clean: It took leave of the node itself.
        started: It had been ready.
        reason: As in CHILD_DIED.
        seq: What it was running, or `IDLE`.
        detail: Exit code or signal, in words.
        exit_code: Its exit code; None after a signal.
        retired: Nobody takes its place.
    """

    index: int
    pid: int
    clean: bool
    started: bool
    reason: str
    seq: int
    detail: str
    exit_code: int | None
    retired: bool = False


class Children:
    """A table of child processes."""

    def __init__(self, slots: Slots, selector: selectors.BaseSelector, spawn: Callable[[int, int, int], int]) -> None:
        """Make an empty table.

        Args:
            slots: The shared memory.
            selector: Wakes up at a child's death; the key's data is a function that does nothing.
            spawn: Forks child ``index`` with the read and the write end of its control pipe (the latter not for
                the child); returns its process id.
        """
        self.slots = slots
        self._selector = selector
        self._spawn = spawn
        self._table: dict[int, Child] = {}
        self._due: dict[int, float] = {}
        self._failures = 0

    def __iter__(self) -> Iterator[Child]:
        """Iterate over the living children."""
        return iter(list(self._table.values()))

    def __len__(self) -> int:
        """Count the living children."""
        return len(self._table)

    @property
    def size(self) -> int:
        """How many there are to be: those that live and are not retired, and those to be started again."""
        return sum(not child.retired for child in self) + len(self._due)

    def get(self, index: int) -> Child | None:
        """Find a living child.

        Args:
            index: Its number.

        Returns:
            The child, or None.
        """
        return self._table.get(index)

    def start(self, index: int) -> Child:
        """Fork one child.

        Args:
            index: Its number; it must not live.

        Returns:
            The child.
        """
        self._due.pop(index, None)
        self.slots.use(index + 1)
        self.slots.reset(index)
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        # A child that is inside a long task does not read; telling it something must not stop the supervisor.
        os.set_blocking(write_end, False)
        try:
            pid = self._spawn(index, read_end, write_end)
        except OSError:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        child = self._table[index] = Child(index, pid, _open_pidfd(pid), write_end)
        if child.pidfd >= 0:
            # Nothing to do at the event itself: the loop buries whoever has died at every turn.
            self._selector.register(child.pidfd, selectors.EVENT_READ, _nothing)
        return child

    def start_due(self) -> None:
        """Fork the children whose time to be replaced has come."""
        now = time.monotonic()
        for index, due in list(self._due.items()):
            if due <= now:
                self.start(index)

    def start_anew(self, number: int) -> None:
        """Fork the children of a worker that has none.

        Args:
            number: How many.
        """
        self._due.clear()
        self.start_more(number)

    def start_more(self, number: int) -> None:
        """Fork further children, under the lowest numbers that are free.

        Args:
            number: How many; no more than there are free numbers.
        """
        free = (index for index in range(self.slots.capacity) if index not in self._table and index not in self._due)
        for index in itertools.islice(free, number):
            self.start(index)

    def retire(self, number: int) -> None:
        """Make some children leave for good as soon as their task has ended: idle ones first, then the youngest.

        Args:
            number: How many.
        """
        # Of those still to be started none is there to be asked.
        for index in sorted(self._due, reverse=True)[:number]:
            del self._due[index]
            number -= 1
        staying = [child for child in self if not child.retired]
        staying.sort(key=lambda child: (self.slots.running(child.index).seq != IDLE, -child.index))
        for child in staying[:number]:
            child.retired = True
            self.ask_to_leave(child, _RETIRE)

    def replace_all(self) -> None:
        """Fork as many new children as there are, and make the old ones leave as soon as their tasks have ended."""
        old = [child for child in self if not child.retired]
        for child in old:
            child.retired = True
            self.ask_to_leave(child, _RETIRE)
        self.start_more(len(old))

    def tell(self, message: bytes) -> None:
        """Tell every child something; a child that is inside a task hears it before the next one.

        Args:
            message: What `base.ChildBase.told` understands, at most 4,000 bytes: those are written whole or not at all.
        """
        whole = tell_frame(message)
        for child in self:
            with contextlib.suppress(OSError):  # dead, or so many messages behind that it will not miss one
                os.write(child.control, whole)
        self.slots.tell()

    def replace_later(self, death: Death) -> None:
        """Plan the replacement of a dead child: at once, or later and later when children die while they start.

        Args:
            death: The child's end.
        """
        if death.retired:
            return
        if death.started:
            self._failures = 0
            pause = 0.0
        else:
            self._failures += 1
            pause = min(_BACKOFF_SECONDS * 2 ** (self._failures - 1), _BACKOFF_MAX_SECONDS)
        self._due[death.index] = time.monotonic() + pause

    @property
    def hopeless(self) -> bool:
        """Whether only failures to start have been seen for a while."""
        return self._failures >= HOPELESS_STARTS

    def next_start(self) -> float | None:
        """Return when the next replacement is due, in monotonic seconds; None when none is."""
        return min(self._due.values(), default=None)

    def ask_to_leave(self, child: Child, why: bytes) -> None:
        """Make a child finish its task and go.

        Args:
            child: The child.
            why: `base.RECYCLE` or `base.DRAIN`.
        """
        with contextlib.suppress(OSError):  # already dead; its death will be seen
            os.write(child.control, why)

    def kill(self, child: Child, reason: str) -> None:
        """Kill a child and everything it started.

        Args:
            child: The child.
            reason: What its death will be reported as.
        """
        child.doomed, child.doomed_seq = reason, IDLE
        _signal_group(child.pid, signal.SIGKILL)

    def kill_task(self, child: Child, seq: int, reason: str, signum: int = signal.SIGKILL) -> bool:
        """Send a signal to a child that runs a certain task, and not to one that has just finished it.

        The child is stopped first, so that what its slot says stays true until the signal is sent.

        Args:
            child: The child.
            seq: The task.
            reason: What the death will be reported as.
            signum: The signal.

        Returns:
            Whether the task still ran.
        """
        if self.slots.running(child.index).seq != seq:
            return False
        try:
            os.kill(child.pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False
        _wait_stopped(child.pid)
        still = self.slots.running(child.index).seq == seq
        if still:
            child.doomed, child.doomed_seq = reason, seq
            _signal_group(child.pid, signum)
        _signal_group(child.pid, signal.SIGCONT)
        return still

    def bury(self) -> list[Death]:
        """Collect every child that has ended, with all processes it left behind.

        Returns:
            Their ends.
        """
        deaths = []
        for child in self:
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            # Before the pid is given back: afterwards the group's number could belong to somebody else.
            _signal_group(child.pid, signal.SIGKILL)
            _, status = os.waitpid(child.pid, 0)
            deaths.append(self._inspect(child, os.waitstatus_to_exitcode(status)))
            del self._table[child.index]
            os.close(child.control)
            if child.pidfd >= 0:
                self._selector.unregister(child.pidfd)
                os.close(child.pidfd)
        return deaths

    def forget_in_child(self) -> None:
        """Close, in a child, the descriptors that belong to the supervisor."""
        for child in self:
            os.close(child.control)
            if child.pidfd >= 0:
                os.close(child.pidfd)

    def _inspect(self, child: Child, code: int) -> Death:
        slots = self.slots
        seq, state = slots.running(child.index).seq, slots.state(child.index)
        reason = EXIT
        if child.doomed is not None and code < 0:
            # Killed by us, but the task that was meant had ended: whatever ran then is not to blame.
            reason = child.doomed if child.doomed_seq in (IDLE, seq) else SHUTDOWN
        slots.reset(child.index)
        return Death(
            index=child.index,
            pid=child.pid,
            clean=code == 0 and state == LEAVING,
            started=state in (READY, LEAVING),
            reason=reason,
            seq=seq,
            detail=how_it_ended(code),
            exit_code=code if code >= 0 else None,
            retired=child.retired,
        )


def tell_frame(message: bytes) -> bytes:
    """Return a message as it goes through a control pipe.

    Args:
        message: What `base.ChildBase.told` understands.
    """
    return _TELL + len(message).to_bytes(4, "big") + message


def _nothing() -> None:
    return


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError:  # kernel older than 5.3, or a sandbox: the supervisor looks now and then instead
        return -1


def _signal_group(pid: int, signum: int) -> None:
    for send in (os.killpg, os.kill):
        try:
            send(pid, signum)
            return
        except ProcessLookupError:  # a group of that number not yet made; then the process alone
            continue


def _wait_stopped(pid: int) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    options = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, pid, options) is None and time.monotonic() < deadline:
        time.sleep(0.0005)
