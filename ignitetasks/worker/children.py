"""The children of one supervisor: forked, watched, killed at the right moment, buried with a report.

Single-threaded. This file must not talk to the node: it returns what happened, the supervisor reports it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ignitetasks.worker.slots import IDLE, LEAVING, READY, Slots

#: Reasons in CHILD_DIED.
EXIT: Final = "exit"
HARD_LIMIT: Final = "hard_limit"
REVOKED: Final = "revoked"
SHUTDOWN: Final = "shutdown"

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
    """

    index: int
    pid: int
    pidfd: int
    control: int
    doomed: str | None = None
    doomed_seq: int = IDLE


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
    """

    index: int
    pid: int
    clean: bool
    started: bool
    reason: str
    seq: int
    detail: str
    exit_code: int | None


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
        self.slots.reset(index)
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
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

    def replace_later(self, death: Death) -> None:
        """Plan the replacement of a dead child: at once, or later and later when children die while they start.

        Args:
            death: The child's end.
        """
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
            detail=_signal_name(-code) if code < 0 else f"exit code {code}",
            exit_code=code if code >= 0 else None,
        )


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


def _signal_name(number: int) -> str:
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:
        return f"signal {number}"
