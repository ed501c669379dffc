"""The exception tree of ignitetasks; every error a user can meet is one of these.

This file must stay a leaf: standard library only, no I/O, no logic beyond attributes.
Foreign errors (py4j, sockets, msgpack) are translated into these once, at the border.

    IgniteTasksError
    +-- ConfigurationError (ValueError)     a setting is wrong; names the setting and what is allowed
    |   +-- DuplicateTask                   two functions under one task name
    |   +-- ScheduleError                   a schedule cannot be understood; names the field
    |       +-- ParseException              a crontab field's text has no meaning
    |       +-- ScheduleTypeError (TypeError)
    +-- NodeError                           the JVM could not be started; ``code`` says why
    +-- OperationalError                    a call to the cluster failed
    |   +-- NotConnected                    surely not done: nothing was sent
    |   +-- ConnectionCut                   sent, but no whole answer came (inside the transport only)
    |   +-- OutcomeUnknown                  the deadline passed during a cut: repeat with the same id or key
    |   +-- GatewayError                    the gateway answered with an error code
    |       +-- BadRequest, Busy, NotHome, Unavailable, UnknownSession, StorageFull, UnsupportedVersion
    |       +-- AuthenticationError
    +-- RequestError                        the call itself is wrong; nothing was sent
    |   +-- InvalidOption (ValueError)      an option has a value it cannot have
    |   +-- ArgumentError (TypeError)       the arguments do not fit the task's function
    |   +-- SerializationError (ValueError) a value cannot be encoded or decoded; names the path
    |   +-- PayloadTooLarge (ValueError)
    |   +-- IdempotencyConflict             a key or id was used with another task or other arguments
    +-- ResultError                         there is no result to give
    |   +-- ResultTimeout (TimeoutError), ResultExpired
    |   +-- UnknownResult (LookupError), IncompleteStream
    +-- TaskError                           how a task ended, raised at ``get``
    |   +-- TaskRevokedError, TaskExpiredError, TaskRejectedError, TimeLimitExceeded
    |   +-- SoftTimeLimitExceeded, MaxRetriesExceededError, NotRegistered, RemoteError
    |   +-- ChordError, WorkerLostError, Terminated, QueueNotFound (KeyError), AlreadyRegistered, InvalidTaskError
    +-- SecurityError
    +-- TaskPredicate                       control flow: raised by a task to tell the worker what to do
        +-- Retry, Reject, Ignore
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any


class IgniteTasksError(Exception):
    """Root of all errors of this package.

    Attributes:
        retryable: True when the same call can succeed later without a change.
        results: Handles of what a bulk call had already sent when it failed, else None.
    """

    retryable: bool = False
    results: Any = None


class ConfigurationError(IgniteTasksError, ValueError):
    """A setting is wrong; the message names it and what is allowed."""


class DuplicateTask(ConfigurationError):
    """Two different functions were given one task name."""


class ScheduleError(ConfigurationError):
    """A schedule, or one of its fields, has a value it cannot have; the message names it."""


class ParseException(ScheduleError):
    """The text of a crontab field has no meaning."""


class ScheduleTypeError(ScheduleError, TypeError):
    """A schedule, or one of its fields, has a type it cannot have."""


class NodeError(IgniteTasksError):
    """The JVM could not be started or found.

    Args:
        message: What went wrong and what to do.
        code: The node's code, e.g. ``DATA_DIR_LOCKED`` or ``INTERNAL``.
    """

    def __init__(self, message: str = "", code: str = "INTERNAL") -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class OperationalError(IgniteTasksError):
    """A call to the cluster failed."""

    retryable = True


class NotConnected(OperationalError, ConnectionError):
    """Nothing was sent, so nothing was done."""


class ConnectionCut(OperationalError, ConnectionError):
    """The request was sent and no whole answer came; it may or may not have been done."""


class OutcomeUnknown(OperationalError):
    """The deadline passed while the answer was missing.

    The work may have been done. Repeating the call with the same task id or idempotency key settles it.
    """


class GatewayError(OperationalError):
    """The gateway answered with an error.

    Args:
        message: The gateway's sentence.
        code: The wire code, e.g. ``INTERNAL``.
    """

    retryable = False
    code = "INTERNAL"

    def __init__(self, message: str = "", code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class BadRequest(GatewayError):
    """The gateway did not understand the request."""

    code = "BAD_REQUEST"


class Busy(GatewayError):
    """The node has too much to do; the client repeats the call after a pause."""

    code = "BUSY"
    retryable = True


class NotHome(GatewayError):
    """The queue moved to another node while the call was under way."""

    code = "NOT_HOME"
    retryable = True


class Unavailable(GatewayError):
    """The cluster is not active, changes its members, or shuts down."""

    code = "UNAVAILABLE"
    retryable = True


class UnknownSession(GatewayError):
    """The gateway was restarted and does not know this session; the client says hello again."""

    code = "UNKNOWN_SESSION"
    retryable = True


class StorageFull(GatewayError):
    """The node's disk or memory region is full."""

    code = "STORAGE_FULL"


class UnsupportedVersion(GatewayError):
    """Client and node speak different protocol versions."""

    code = "UNSUPPORTED_VERSION"


class AuthenticationError(GatewayError):
    """The gateway refused the token of the connection file."""

    code = "AUTHENTICATION"


class RequestError(IgniteTasksError):
    """The call is wrong; nothing was sent."""


class InvalidOption(RequestError, ValueError):
    """An option of a call or task has a value it cannot have."""


class ArgumentError(RequestError, TypeError):
    """The arguments do not fit the signature of the task's function."""


class SerializationError(RequestError, ValueError):
    """A value cannot be encoded or decoded.

    Args:
        message: The whole sentence, path included.
        path: Where the value is, e.g. ``args[1]["when"]``; empty when unknown.
    """

    def __init__(self, message: str = "", path: str = "") -> None:
        super().__init__(message, path)
        self.path = path

    def __str__(self) -> str:
        return str(self.args[0])


class PayloadTooLarge(RequestError, ValueError):
    """Arguments or result are larger than ``max_payload_bytes``."""


class IdempotencyConflict(RequestError):
    """A key (or task id) is already used for another task or other arguments.

    Attributes:
        conflicts: Positions of the refused items in a bulk call.
    """

    def __init__(self, message: str = "", conflicts: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.conflicts = tuple(conflicts)


class ResultError(IgniteTasksError):
    """There is no result to give."""


class ResultTimeout(ResultError, TimeoutError):
    """The result was not there when the timeout ended; the message says what is known about the task."""


class ResultExpired(ResultError):
    """The task ended and its result was kept for its time, which is over."""


class UnknownResult(ResultError, LookupError):
    """The cluster has never heard of this id."""


class IncompleteStream(ResultError):
    """What a task led to was asked for before it ended."""


class TaskError(IgniteTasksError):
    """How a task ended; raised by ``AsyncResult.get``."""


class TaskRevokedError(TaskError):
    """The task was revoked; ``signal`` names what its process was ended by, None where it did not run."""

    signal: str | None = None


class TaskExpiredError(TaskRevokedError):
    """The task's ``expires`` passed before a worker started it."""


class TaskRejectedError(TaskError):
    """The task raised ``Reject``."""


class ChordError(TaskError):
    """A task of a chord's header did not end well, so its body was not called."""


class TimeLimitExceeded(TaskError):
    """The task ran longer than its hard limit and its process was killed."""


class SoftTimeLimitExceeded(TaskError):
    """Raised inside the task when its soft limit is over."""


class MaxRetriesExceededError(TaskError):
    """The task asked for one more retry than it has.

    Args:
        *args: The message.
        task_args, task_kwargs: Arguments of the task.
    """

    def __init__(
        self, *args: object, task_args: Sequence[Any] = (), task_kwargs: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(*args)
        self.task_args = task_args
        self.task_kwargs = dict(task_kwargs or {})


class NotRegistered(TaskError, KeyError):
    """No task has this name.

    On a worker: no worker of the queue has code for it. In a client: the app has no such task.
    """

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


UnknownTask = NotRegistered


class RemoteError(TaskError):
    """The task failed with an exception whose class could not be rebuilt here.

    Args:
        message: The remote message.
        type_name: Class name of the remote exception.
        module: Its module.
    """

    def __init__(self, message: str = "", type_name: str = "", module: str = "") -> None:
        super().__init__(message, type_name, module)
        self.type_name = type_name
        self.module = module

    def __str__(self) -> str:
        name = ".".join(part for part in (self.module, self.type_name) if part)
        return f"{name}: {self.args[0]}" if name else str(self.args[0])


class WorkerLostError(TaskError):
    """The processes that ran the task died more often than ``max_deliveries`` allows (state DEAD)."""


class Terminated(TaskError):
    """The process of the task was ended by a signal on request."""


class QueueNotFound(TaskError, KeyError):
    """A task was routed to a queue that ``task_queues`` does not name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class AlreadyRegistered(TaskError):
    """Another task has this name."""


class InvalidTaskError(TaskError):
    """A task's message or options are not what they have to be."""


class SecurityError(IgniteTasksError):
    """Something is not signed, or not by whom it should be."""


class TaskPredicate(IgniteTasksError):
    """Base of what a task raises to steer the worker; never a failure."""


class Retry(TaskPredicate):
    """The task shall run again; what is None stays as it was.

    Args:
        message: Why.
        exc: The error that led here, its text, or None.
        when: When: a number of seconds from now, a datetime, or None for at once.
        is_eager, sig: Whether it runs in the caller's process, and the call that is made again as a value.
        eta_ms, expires_ms: New times in milliseconds since the epoch; without ``eta_ms`` it is what ``when`` says.
        call, queue, priority: New arguments (positional and keyword), queue and priority.
    """

    def __init__(
        self,
        message: str | None = None,
        exc: BaseException | str | None = None,
        when: float | datetime | None = None,
        is_eager: bool = False,
        sig: Any = None,
        *,
        eta_ms: int | None = None,
        call: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None,
        queue: str | None = None,
        priority: int | None = None,
        expires_ms: int | None = None,
    ) -> None:
        super().__init__(message, exc, when)
        self.message = message
        self.exc = None if isinstance(exc, str) else exc
        self.excs = exc if isinstance(exc, str) else None if exc is None else repr(exc)
        self.when = when
        self.is_eager = is_eager
        self.sig = sig
        self.eta_ms = eta_ms
        self.call = call
        self.queue = queue
        self.priority = priority
        self.expires_ms = expires_ms

    def due_ms(self, now_ms: int) -> int:
        """Returns when to run again, in milliseconds since the epoch; a naive ``when`` counts as UTC."""
        if self.eta_ms is not None:
            return self.eta_ms or now_ms
        when = self.when
        if isinstance(when, datetime):
            aware = when if when.tzinfo is not None else when.replace(tzinfo=timezone.utc)
            return int(aware.timestamp() * 1000)
        return now_ms + max(int((when or 0) * 1000), 0)

    def humanize(self) -> str:
        """Returns when, in words."""
        return f"in {self.when}s" if isinstance(self.when, (int, float)) else f"at {self.when}" if self.when else "now"

    def __str__(self) -> str:
        if self.message:
            return self.message
        return f"Retry {self.humanize()}: {self.excs}" if self.excs else f"Retry {self.humanize()}"


class Reject(TaskPredicate):
    """The task refuses this message.

    Args:
        reason: Why.
        requeue: True gives it back to the queue, False ends it in state REJECTED.
    """

    def __init__(self, reason: object = None, requeue: bool = False) -> None:
        super().__init__(reason, requeue)
        self.reason = reason
        self.requeue = requeue

    def __str__(self) -> str:
        return f"reject requeue={self.requeue}: {self.reason}"


class Ignore(TaskPredicate):
    """The task ends without a result (state IGNORED)."""


_BY_CODE: dict[str, type[GatewayError]] = {
    cls.code: cls for cls in (BadRequest, Busy, NotHome, Unavailable, UnknownSession, StorageFull, UnsupportedVersion)
}


def from_wire(code: str, message: str, retryable: bool) -> IgniteTasksError:
    """Builds the error for an answer of the gateway; ``retryable`` counts for codes this client does not know."""
    if code == "TOO_LARGE":
        return PayloadTooLarge(message)
    cls = _BY_CODE.get(code)
    if cls is not None:
        return cls(message)
    error = GatewayError(message, code)
    error.retryable = retryable
    return error
