"""Sessions and their mailboxes: ends of tasks, kept until the session has confirmed them.

This file must not lock by itself: the home's lock is handed in, and held by every caller.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable

from ignitetasks.errors import UnknownSession
from ignitetasks.message import Completion, PollAnswer

#: Ends a mailbox keeps; then the oldest go, and the session is told that it has to ask.
MAX_MAIL = 100_000


class _Session:
    """One session."""

    def __init__(self, lock: threading.Lock, pid: int) -> None:
        self.pid = pid
        self.box: deque[Completion] = deque()
        # The last word of each running task that somebody waits for; an older one is of no use any more.
        self.words: dict[str, Completion] = {}
        self.seq = 0
        self.sent = 0
        self.dropped = False
        self.arrived = threading.Condition(lock)


class Mail:
    """All sessions of a home.

    Args:
        lock: The home's.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._sessions: dict[int, _Session] = {}
        self._numbers = itertools.count(1)

    def open(self, pid: int) -> int:
        """Opens a session for a process; returns its number."""
        number = next(self._numbers)
        self._sessions[number] = _Session(self._lock, pid)
        return number

    def close_all_of(self, pid: int) -> None:
        """Closes the sessions of a process that has left."""
        for number in [number for number, one in self._sessions.items() if one.pid == pid]:
            self._sessions.pop(number).arrived.notify_all()

    def session(self, number: int) -> _Session:
        """Returns a session.

        Raises:
            UnknownSession: There is none of this number.
        """
        session = self._sessions.get(number)
        if session is None:
            raise UnknownSession(f"the home in memory knows no session {number}")
        return session

    def deliver(self, numbers: Iterable[int], completion: Completion) -> None:
        """Puts an end into the mailboxes of some sessions; those that are closed get none."""
        for number in numbers:
            session = self._sessions.get(number)
            if session is None:
                continue
            session.box.append(completion)
            if len(session.box) > MAX_MAIL:
                session.box.popleft()
                session.sent = max(session.sent - 1, 0)
                session.dropped = True
            session.arrived.notify()

    def tell(self, numbers: Iterable[int], word: Completion) -> None:
        """Tells some sessions what a running task says of itself; only the last word of each is kept."""
        for number in numbers:
            session = self._sessions.get(number)
            if session is not None:
                session.words[word.id] = word
                session.arrived.notify()

    def poll(self, number: int, ack: int, seconds: float, limit: int) -> PollAnswer:
        """Waits for mail; see `Transport.poll`. Gives the lock back while it waits."""
        session = self.session(number)
        if ack == session.seq:
            for _ in range(min(session.sent, len(session.box))):
                session.box.popleft()
            session.sent = 0
        deadline = time.monotonic() + seconds
        while not session.box and not session.words and not session.dropped:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            session.arrived.wait(left)
            self.session(number)
        session.seq += 1
        answer = list(itertools.islice(session.box, limit))
        session.sent = len(answer)
        dropped, session.dropped = session.dropped, False
        # Words come before ends: the last one is heard before the end of its task.
        words, session.words = session.words, {}
        return PollAnswer(session.seq, dropped, [*words.values(), *answer])
