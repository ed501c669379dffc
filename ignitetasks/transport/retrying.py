"""A transport that repeats what is safe to repeat, until its deadline, and says honestly what is not known then.

The only file that imports tenacity. Every repeated submit carries its attempt number, so the node answers it from
the ledger; ids make it one record. This file must not know how calls travel: it wraps any `Transport`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from ignitetasks import log, metrics
from ignitetasks.errors import (
    ConnectionCut,
    NodeError,
    NotConnected,
    OperationalError,
    OutcomeUnknown,
    UnknownSession,
)
from ignitetasks.message import Ahead, BlobRef, Group, PollAnswer, Session, SubmitAnswer, WatchAnswer
from ignitetasks.serializers import Data
from ignitetasks.transport.base import LaneAddress, Transport

T = TypeVar("T")

#: Repeating this after a cut would do more than was asked for: a second stop would meet the next node.
_ONCE = frozenset({"stop"})
#: Their last argument says whether the same call may have been made before.
_SAYS_REPEATED = frozenset({"events_append"})
#: These change something, so that a missing answer leaves the outcome open.
_CHANGING = frozenset(
    {
        "submit",
        "forget",
        "revoke",
        "purge",
        "dead_retry",
        "dead_drop",
        "kv_put",
        "control",
        "events_append",
        "stop",
        "end",
    }
)
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_SHORTEST_ATTEMPT_SECONDS = 0.05
_SHORTEST_POLL_SECONDS = 0.5

_log = log.get_logger("transport")


_backoff = wait_random_exponential(multiplier=_FIRST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS)


class RetryingTransport(Transport):
    """Repeats calls of another transport.

    Args:
        inner: The transport that makes the calls.
        call_timeout_seconds: Deadline of one call, repeats and pauses included.
        sleep: How to pause; tests give their own.
    """

    def __init__(
        self, inner: Transport, call_timeout_seconds: float = 30.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._inner = inner
        self._timeout = call_timeout_seconds
        self._sleep = sleep

    def session(self, renew: int | None = None) -> Session:
        """See `Transport.session`; a second hello is harmless, so it is repeated."""
        return self._run("hello", None, lambda _attempt, _timeout: self._inner.session(renew))

    def submit(
        self, groups: Sequence[Group], attempt: int = 0, timeout: float | None = None, ahead: Ahead | None = None
    ) -> SubmitAnswer:
        """See `Transport.submit`; raises `OutcomeUnknown` when the deadline passed after something was sent."""

        def send(number: int, seconds: float) -> SubmitAnswer:
            used = self._inner.session().number
            try:
                return self._inner.submit(groups, attempt + number, seconds, None if number else ahead)
            except UnknownSession:
                # The node was restarted. Its answer is sure: nothing was done by this try.
                self._inner.session(used)
                raise

        return self._run("submit", timeout, send)

    def poll(self, session: int, ack: int, timeout: float, limit: int) -> PollAnswer:
        """See `Transport.poll`; a repeated poll is given again what was not acknowledged."""
        # Repeated no longer than the caller meant to wait: it has a deadline of its own.
        patience = min(self._timeout, max(timeout, _SHORTEST_POLL_SECONDS))
        return self._run("poll", patience, lambda _attempt, _timeout: self._inner.poll(session, ack, timeout, limit))

    def watch(self, session: int, ids: Sequence[str], timeout: float | None = None) -> WatchAnswer:
        """See `Transport.watch`."""
        return self._run("watch", timeout, lambda _attempt, seconds: self._inner.watch(session, ids, seconds))

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        """See `Transport.call`; ``stop`` is not repeated once sent."""

        def send(attempt: int, seconds: float) -> Any:
            given = args if not attempt or op not in _SAYS_REPEATED else (*args[:-1], True)
            return self._inner.call(op, *given, timeout=seconds)

        return self._run(op, timeout, send)

    def put_blob(self, blob_id: str, data: Data, ttl_ms: int) -> BlobRef:
        """See `Transport.put_blob`; storing twice is storing once."""
        return self._run("put_blob", None, lambda _attempt, _timeout: self._inner.put_blob(blob_id, data, ttl_ms))

    def get_blob(self, ref: BlobRef) -> Data:
        """See `Transport.get_blob`."""
        return self._run("get_blob", None, lambda _attempt, _timeout: self._inner.get_blob(ref))

    def address(self) -> LaneAddress | None:
        """See `Transport.address`."""
        return self._inner.address()

    def reset(self) -> None:
        """See `Transport.reset`."""
        self._inner.reset()

    def close(self) -> None:
        """See `Transport.close`."""
        self._inner.close()

    def _run(self, op: str, timeout: float | None, work: Callable[[int, float], T]) -> T:
        seconds = self._timeout if timeout is None else timeout
        start = time.monotonic()
        try:
            # The way of nearly every call: tenacity is only asked when it has something to do.
            return work(0, seconds)
        except OperationalError as error:
            first = error
        deadline = start + seconds
        run = _Repeated(op, deadline, first)
        if seconds <= 0 or not run.may_repeat(first):
            raise run.verdict(first) from first.__cause__
        retrying = Retrying(
            retry=retry_if_exception(run.may_repeat),
            # At least one repeat, however late the first answer came: the connection may just have been stale.
            stop=lambda _state: time.monotonic() >= deadline,
            wait=lambda state: _pause(state, deadline),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(lambda: run.attempt(work))
        except OperationalError as error:
            raise run.verdict(error) from error.__cause__
        except NodeError as error:
            # The node died during an earlier try and cannot be started again: that it cannot is not the whole truth.
            if run.maybe_changed:
                raise run.unknown(error) from error
            raise


def _pause(state: RetryCallState, deadline: float) -> float:
    return max(0.0, min(_backoff(state), deadline - time.monotonic()))


class _Repeated:
    """What is known about one call that did not succeed at once."""

    def __init__(self, op: str, deadline: float, first: OperationalError) -> None:
        self._op = op
        self._deadline = deadline
        self._attempts = 1
        self._maybe_done = False
        self._count = metrics.call_retries.labels(op)
        self._note(first)

    def _note(self, error: OperationalError) -> None:
        # A retryable answer can stand for a submit of which some queues' parts were already written.
        if not isinstance(error, (NotConnected, UnknownSession)):
            self._maybe_done = True

    def may_repeat(self, error: BaseException) -> bool:
        """Tells whether an error is one to try again after."""
        if not isinstance(error, OperationalError) or not error.retryable:
            return False
        if isinstance(error, UnknownSession):
            return self._op == "submit"  # poll and watch belong to the session: their caller must know
        return not (isinstance(error, ConnectionCut) and self._op in _ONCE)

    def attempt(self, work: Callable[[int, float], T]) -> T:
        """Tries once more."""
        self._attempts += 1
        self._count.inc()
        left = max(self._deadline - time.monotonic(), _SHORTEST_ATTEMPT_SECONDS)
        try:
            return work(self._attempts - 1, left)
        except OperationalError as error:
            self._note(error)
            _log.info("call failed", op=self._op, attempt=self._attempts, error=type(error).__name__)
            raise

    def verdict(self, last: OperationalError) -> OperationalError:
        """Returns what the caller is told in the end."""
        metrics.call_failures.labels(self._op, type(last).__name__).inc()
        if not last.retryable or isinstance(last, UnknownSession):
            return last
        if self.maybe_changed:
            return self.unknown(last)
        if isinstance(last, (NotConnected, ConnectionCut)):
            return NotConnected(f"{self._op} was tried {self._tries} without an answer ({last}); nothing was changed")
        return last

    @property
    def maybe_changed(self) -> bool:
        """True when something may have been changed by a try whose answer is missing."""
        return self._maybe_done and self._op in _CHANGING

    def unknown(self, last: Exception) -> OutcomeUnknown:
        """Returns the error for a call that may have been done."""
        return OutcomeUnknown(
            f"{self._op} was tried {self._tries} and its outcome is unknown ({last}); "
            "repeat it with the same task id or idempotency key to settle it"
        )

    @property
    def _tries(self) -> str:
        return "once" if self._attempts == 1 else f"{self._attempts} times"
