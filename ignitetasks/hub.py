"""One long poll per process for all results anybody in it waits for.

Leader and followers: the thread that waits does the poll itself, so the fastest way from the node to the caller
has no thread switch; everybody else sleeps until the leader hands over a completion or the lead. This file must
not decode results or know tasks; it moves `Completion` values by id.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

from ignitetasks import log, metrics, states
from ignitetasks.errors import NotConnected, UnknownSession
from ignitetasks.message import EXPIRED_STATE, PROGRESS_STATE, Ahead, Completion, PollAnswer, Session
from ignitetasks.transport.base import Transport
from ignitetasks.waiters import Waiter as Waiter

WATCH_BATCH = 5_000
POLL_LIMIT = 5_000
POLL_SECONDS = 5.0
UNCLAIMED_ITEMS = 20_000
UNCLAIMED_BYTES = 64 * 1024 * 1024
_BATCHES_PER_TURN = 4
_QUIET_SECONDS = 5.0
_QUIET_MAX_SECONDS = 60.0
_UNREACHABLE_PAUSE_SECONDS = 0.05
# Ends that an operator can undo (`dead retry`): word of one may be old when it is read.
_UNDOABLE = frozenset({states.DEAD_CODE, states.REJECTED_CODE})

_log = log.get_logger("results")


class Epoch:
    """A stretch of time in which no completion of a session was lost; compared by identity."""

    __slots__ = ("session",)

    def __init__(self, session: Session) -> None:
        self.session = session


_hubs: weakref.WeakSet[ResultHub] = weakref.WeakSet()


class ResultHub:
    """Hands out completions of one transport.

    Args:
        transport: Where they come from.
        patience_seconds: How long waiting goes on while the node cannot be reached.
        clock: Monotonic seconds; tests give their own.
    """

    def __init__(
        self, transport: Transport, patience_seconds: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._patience = patience_seconds
        self._clock = clock
        self._counters = {code: metrics.results.labels(name) for code, name in enumerate(states.NAMES)}
        self._renew()
        _hubs.add(self)

    def _renew(self) -> None:
        """Starts from nothing, in a new process as in a new object."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._interest: dict[str, tuple[Waiter, ...]] = {}
        self._unclaimed: OrderedDict[str, Completion] = OrderedDict()
        self._unclaimed_bytes = 0
        # Given to somebody who asked. Whoever submitted these relies on an epoch, and would wait in vain.
        self._elsewhere: set[str] = set()
        self._followers: dict[Waiter, None] = {}
        self._leaving: deque[tuple[Waiter, tuple[str, ...]]] = deque()
        self._leading = False
        self._waited = False
        self._epoch: Epoch | None = None
        self._ack = 0
        self._batches: deque[list[str]] = deque()
        self._watch_again = False
        self._last_news = self._clock()
        self._quiet = _QUIET_SECONDS
        self._unreachable_since: float | None = None

    def claim(self, task_id: str) -> Completion | None:
        """Returns a completion that has already arrived, and forgets it; never calls the node."""
        with self._lock:
            known = self._take(task_id)
            if known is not None:
                self._note_elsewhere(task_id)
            return None if known is not None and known.state in _UNDOABLE else known

    def epoch(self, session: Session) -> Epoch | None:
        """Returns the token that spares `register` its questions, for ids that a session has just submitted."""
        epoch = self._epoch
        if epoch is None:
            self._adopt(session)
            epoch = self._epoch
        return epoch if epoch is not None and epoch.session is session else None

    def ahead(self) -> Ahead | None:
        """Returns the poll to send along with a submit; None unless the submit before was waited for."""
        epoch = self._epoch
        if not self._waited or self._leading or epoch is None:
            return None
        self._waited = False
        return Ahead(epoch.session.number, self._ack)

    def is_current(self, epoch: Epoch) -> bool:
        """Tells whether `register` with this token needs no question to the node."""
        return epoch is self._epoch

    def register(self, waiter: Waiter, ids: Iterable[str], epoch: Epoch | None, timeout: float | None = None) -> None:
        """Starts to collect completions for a waiter; what is already known is delivered at once.

        Args:
            waiter: Who wants them.
            ids: Which; each once.
            epoch: What `epoch` returned when they were submitted, or None. Ids of another epoch cost a call
                per 5,000.
            timeout: Seconds for each such call; None means the usual deadline.
        """
        if epoch is None or epoch is not self._epoch:
            self._current_session()
        asked: list[str] = []
        with self._lock:
            self._let_go()
            waiter.asked = waiter.asked or epoch is None or epoch is not self._epoch
            for task_id in ids:
                known = self._take(task_id)
                old = known is not None and known.state in _UNDOABLE
                if known is not None and not old:
                    self._hand(waiter, known)
                    if waiter.asked:
                        self._note_elsewhere(task_id)
                    continue
                others = self._interest.get(task_id)
                self._interest[task_id] = (waiter,) if others is None else (*others, waiter)
                if waiter.asked or old or task_id in self._elsewhere:
                    asked.append(task_id)
            self._quiet = _QUIET_SECONDS
        for start in range(0, len(asked), WATCH_BATCH):
            self._watch(asked[start : start + WATCH_BATCH], timeout)

    def unregister(self, waiter: Waiter, ids: Iterable[str]) -> None:
        """Stops collecting for a waiter; at once, or before the next completion is handed out."""
        # Never waits for the lock: finalizers and collected generators call this, in the middle of what holds it.
        self._leaving.append((waiter, tuple(ids)))
        if self._lock.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._lock.release()

    def _let_go(self) -> None:
        """Forgets those who have left; with the lock."""
        while self._leaving:
            waiter, ids = self._leaving.popleft()
            for task_id in ids:
                self._withdraw(waiter, task_id)
            self._followers.pop(waiter, None)

    def offer(self, waiter: Waiter, completions: Iterable[Completion]) -> None:
        """Gives a registered waiter what somebody else was given before; what it does not miss is left out."""
        with self._lock:
            for completion in completions:
                if self._withdraw(waiter, completion.id):
                    self._hand(waiter, completion)

    def _withdraw(self, waiter: Waiter, task_id: str) -> bool:
        waiters = self._interest.get(task_id, ())
        if waiter not in waiters:
            return False
        rest = tuple(one for one in waiters if one is not waiter)
        if rest:
            self._interest[task_id] = rest
        else:
            del self._interest[task_id]
        return True

    def wait(self, waiter: Waiter, timeout: float | None) -> bool:
        """Waits until a waiter has enough.

        Args:
            waiter: A registered waiter.
            timeout: Seconds; None means without end.

        Returns:
            False when the time was over first.

        Raises:
            NotConnected: The node could not be reached for longer than the hub's patience.
        """
        deadline = None if timeout is None else self._clock() + timeout
        while not waiter.satisfied:
            waiter.listen()
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                self._unfollow(waiter)
                return False
            pause = POLL_SECONDS if left is None else min(left, POLL_SECONDS)
            if self._take_lead(waiter):
                self._waited = True
                try:
                    self._turn(pause)
                finally:
                    self._step_down()
            else:
                # Not without end: whoever was woken to take the lead may have left by an exception instead.
                waiter.wake.wait(pause)
                # Cleared before the conditions are looked at again, so a wake-up in between is not lost.
                waiter.wake.clear()
        waiter.listen()
        self._unfollow(waiter)
        return True

    def pump(self) -> None:
        """Fetches what has arrived at the node, without waiting; does nothing while another thread polls."""
        with self._lock:
            if self._leading:
                return
            self._leading = True
        try:
            while self._turn(0.0):
                pass
        finally:
            self._step_down()

    def _take_lead(self, waiter: Waiter) -> bool:
        with self._lock:
            if self._leading:
                self._followers[waiter] = None
                return False
            self._leading = True
            self._followers.pop(waiter, None)
            return True

    def _step_down(self) -> None:
        with self._lock:
            self._leading = False
            self._promote()

    def _unfollow(self, waiter: Waiter) -> None:
        if not self._followers:
            return
        with self._lock:
            self._followers.pop(waiter, None)
            # This one may have been woken to take the lead and is leaving instead.
            if not self._leading:
                self._promote()

    def _promote(self) -> None:
        self._let_go()
        for follower in self._followers:
            follower.wake.set()
            return

    def _current_session(self) -> Session:
        session = self._transport.session()
        if self._epoch is None or session is not self._epoch.session:
            self._adopt(session)
        return session

    def _adopt(self, session: Session) -> None:
        """Takes over a new session: it knows nothing of what the old one was waiting for."""
        with self._lock:
            if self._epoch is not None:
                if session is self._epoch.session:
                    return
                _log.info("session replaced", waiting=len(self._interest))
            self._epoch = Epoch(session)
            self._ack = 0
            self._queue_all()

    def _queue_all(self) -> None:
        """Plans to ask for everything that is missing, in batches between the polls."""
        if self._batches:
            self._watch_again = True
            return
        ids = list(self._interest)
        self._batches.extend(ids[start : start + WATCH_BATCH] for start in range(0, len(ids), WATCH_BATCH))

    def _turn(self, timeout: float) -> bool:
        """Does one round as leader: planned questions, then one poll. True when something came."""
        try:
            session = self._current_session()
            # After questions the poll does not wait: their answers may be all that the leader was waiting for.
            seconds = 0.0 if self._ask_planned() else timeout
            now = self._clock()
            answer = self._transport.poll(session.number, self._ack, seconds, POLL_LIMIT)
        except UnknownSession:
            self._adopt(self._transport.session(session.number))
            return False
        except NotConnected:
            if self._out_of_patience():
                raise
            time.sleep(_UNREACHABLE_PAUSE_SECONDS)
            return False
        self._unreachable_since = None
        if self._epoch is not None and session is self._epoch.session:
            self._ack = answer.seq
        self._deliver(self._without_doubtful(answer.completions))
        self._plan(answer, now)
        return bool(answer.completions)

    def _without_doubtful(self, completions: Sequence[Completion]) -> Sequence[Completion]:
        """Takes out what somebody waits for and may have been undone meanwhile, and plans to ask for it."""
        again = [one.id for one in completions if one.state in _UNDOABLE and one.id in self._interest]
        if not again:
            return completions
        self._batches.append(again)
        asked = frozenset(again)
        return [one for one in completions if one.id not in asked]

    def _plan(self, answer: PollAnswer, now: float) -> None:
        """Decides after a poll whether everything that is missing has to be asked for."""
        with self._lock:
            if answer.dropped:
                # Handles nobody waits for yet may be among the lost: from now on they have to ask.
                self._begin_epoch()
                self._queue_all()
            elif answer.completions:
                self._quiet = _QUIET_SECONDS
                self._last_news = now
            elif now - self._last_news > self._quiet:
                # A completion can be lost with a node; asking again finds it, ever more seldom while nothing is.
                self._last_news = now
                self._quiet = min(self._quiet * 2, _QUIET_MAX_SECONDS)
                self._queue_all()

    def _begin_epoch(self) -> None:
        if self._epoch is not None:
            self._epoch = Epoch(self._epoch.session)

    def _out_of_patience(self) -> bool:
        now = self._clock()
        if self._unreachable_since is None:
            self._unreachable_since = now
        elif now - self._unreachable_since > self._patience:
            self._unreachable_since = None
            return True
        _log.info("node not reached while waiting for results", seconds=round(now - self._unreachable_since, 1))
        return False

    def _ask_planned(self) -> bool:
        """Asks some of what is planned; True when there was any."""
        if not self._batches:
            return False
        for _ in range(_BATCHES_PER_TURN):
            if not self._batches:
                break
            batch = self._batches.popleft()
            missing = [task_id for task_id in batch if task_id in self._interest]
            try:
                self._watch(missing)
            except BaseException:
                self._batches.appendleft(batch)
                raise
        if not self._batches and self._watch_again:
            self._watch_again = False
            with self._lock:
                self._queue_all()
        return True

    def _watch(self, ids: Sequence[str], timeout: float | None = None) -> None:
        if not ids:
            return
        session = self._current_session()
        try:
            answer = self._transport.watch(session.number, ids, timeout)
        except UnknownSession:
            # The new session asks for everything by itself; these ids are registered already.
            self._adopt(self._transport.session(session.number))
            return
        self._deliver(answer.completions)
        if answer.expired:
            self._deliver([Completion(task_id, EXPIRED_STATE, None) for task_id in answer.expired])

    def _deliver(self, completions: Sequence[Completion]) -> None:
        if not completions:
            return
        counts: dict[int, int] = {}
        with self._lock:
            self._let_go()
            for completion in completions:
                if completion.state == PROGRESS_STATE:
                    self._pass_on(completion)
                    continue
                counts[completion.state] = counts.get(completion.state, 0) + 1
                waiters = self._interest.pop(completion.id, None)
                if waiters is None:
                    self._keep(completion)
                    continue
                for waiter in waiters:
                    self._hand(waiter, completion)
                if all(waiter.asked for waiter in waiters):
                    self._note_elsewhere(completion.id)
        for state, number in counts.items():
            if state in self._counters:
                self._counters[state].inc(number)

    def _pass_on(self, word: Completion) -> None:
        """Gives what a running task says to those who want to hear it."""
        for waiter in self._interest.get(word.id, ()):
            waiter.told(word)

    def _hand(self, waiter: Waiter, completion: Completion) -> None:
        waiter.left -= 1
        waiter.sink(completion)
        if waiter.left <= waiter.enough:
            waiter.wake.set()

    def _note_elsewhere(self, task_id: str) -> None:
        self._elsewhere.add(task_id)
        if len(self._elsewhere) > UNCLAIMED_ITEMS:
            self._elsewhere.clear()
            self._begin_epoch()

    def _keep(self, completion: Completion) -> None:
        """Keeps what nobody has asked for yet, within bounds: the node can be asked for the rest."""
        if completion.id in self._unclaimed:
            return
        self._unclaimed[completion.id] = completion
        self._unclaimed_bytes += len(completion.payload or b"")
        if len(self._unclaimed) <= UNCLAIMED_ITEMS and self._unclaimed_bytes <= UNCLAIMED_BYTES:
            return
        self._begin_epoch()
        while len(self._unclaimed) > UNCLAIMED_ITEMS or self._unclaimed_bytes > UNCLAIMED_BYTES:
            _, oldest = self._unclaimed.popitem(last=False)
            self._unclaimed_bytes -= len(oldest.payload or b"")

    def _take(self, task_id: str) -> Completion | None:
        completion = self._unclaimed.pop(task_id, None)
        if completion is not None:
            self._unclaimed_bytes -= len(completion.payload or b"")
        return completion


def _after_fork() -> None:
    for hub in list(_hubs):
        hub._renew()


# A child has none of its parent's threads, so a lead taken there would never be given back here.
os.register_at_fork(after_in_child=_after_fork)
