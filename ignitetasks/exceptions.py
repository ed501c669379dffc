"""Celery's names for this package's errors, so that ``except`` clauses move over unchanged.

Errors are classes of ``ignitetasks.errors``; only warnings and what ends a worker are defined here. This file must
not define behaviour.
"""

from __future__ import annotations

from types import TracebackType
from typing import NoReturn

from ignitetasks.errors import (
    AlreadyRegistered,
    ChordError,
    ConfigurationError,
    IgniteTasksError,
    Ignore,
    IncompleteStream,
    InvalidTaskError,
    MaxRetriesExceededError,
    NotRegistered,
    OperationalError,
    QueueNotFound,
    Reject,
    ResultTimeout,
    Retry,
    SecurityError,
    SerializationError,
    SoftTimeLimitExceeded,
    TaskError,
    TaskPredicate,
    TaskRevokedError,
    Terminated,
    TimeLimitExceeded,
    WorkerLostError,
)


class WorkerShutdown(SystemExit):
    """Asks a worker to end what runs and leave."""


class WorkerTerminate(SystemExit):
    """Asks a worker to leave at once."""


class IgniteTasksWarning(UserWarning):
    """Root of the warnings of this package."""


class CDeprecationWarning(DeprecationWarning):
    """Celery warns of what will go by this; here only filters of warnings name it."""


class CPendingDeprecationWarning(PendingDeprecationWarning):
    """Celery warns of what will go later by this; here only filters of warnings name it."""


class AlwaysEagerIgnored(IgniteTasksWarning):
    """``send_task`` sends by name and cannot run a task whose code is not here, whatever ``task_always_eager`` says."""


class DuplicateNodenameWarning(IgniteTasksWarning):
    """Two workers have one name."""


class DuplicateTaskNameWarning(IgniteTasksWarning):
    """Two functions have one task name."""


class FixupWarning(IgniteTasksWarning):
    """A framework could not be set up as it should."""


class NotConfigured(IgniteTasksWarning):
    """No configuration was found where one was named."""


class SecurityWarning(IgniteTasksWarning):
    """Something works, but less safely than it could."""


CeleryError = IgniteTasksError
CeleryWarning = IgniteTasksWarning
ImproperlyConfigured = ConfigurationError
TimeoutError = ResultTimeout
EncodeError = SerializationError
DecodeError = SerializationError
BackendError = OperationalError
BackendGetMetaError = OperationalError
BackendStoreError = OperationalError
RetryTaskError = Retry
SystemTerminate = WorkerTerminate


def reraise(tp: type[BaseException], value: BaseException, tb: TracebackType | None = None) -> NoReturn:
    """Raises an exception with a given traceback."""
    raise value if value.__traceback__ is tb else value.with_traceback(tb)


__all__ = [
    "AlreadyRegistered",
    "AlwaysEagerIgnored",
    "BackendError",
    "BackendGetMetaError",
    "BackendStoreError",
    "CeleryError",
    "CeleryWarning",
    "ChordError",
    "DecodeError",
    "DuplicateNodenameWarning",
    "DuplicateTaskNameWarning",
    "EncodeError",
    "FixupWarning",
    "Ignore",
    "ImproperlyConfigured",
    "IncompleteStream",
    "InvalidTaskError",
    "MaxRetriesExceededError",
    "NotConfigured",
    "NotRegistered",
    "OperationalError",
    "QueueNotFound",
    "Reject",
    "Retry",
    "RetryTaskError",
    "SecurityError",
    "SecurityWarning",
    "SoftTimeLimitExceeded",
    "SystemTerminate",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "Terminated",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
    "WorkerShutdown",
    "WorkerTerminate",
    "reraise",
]
