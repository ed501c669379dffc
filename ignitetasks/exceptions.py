"""Celery's names for this package's errors, so that ``except`` clauses move over unchanged.

This file must not define behaviour: every name is a class of ``ignitetasks.errors``.
"""

from __future__ import annotations

from ignitetasks.errors import (
    ConfigurationError,
    IgniteTasksError,
    Ignore,
    InvalidOption,
    MaxRetriesExceededError,
    NotRegistered,
    OperationalError,
    Reject,
    ResultTimeout,
    Retry,
    SerializationError,
    SoftTimeLimitExceeded,
    TaskError,
    TaskPredicate,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)

CeleryError = IgniteTasksError
ImproperlyConfigured = ConfigurationError
TimeoutError = ResultTimeout
EncodeError = SerializationError
DecodeError = SerializationError
BackendError = OperationalError
InvalidTaskError = InvalidOption

__all__ = [
    "BackendError",
    "CeleryError",
    "DecodeError",
    "EncodeError",
    "Ignore",
    "ImproperlyConfigured",
    "InvalidTaskError",
    "MaxRetriesExceededError",
    "NotRegistered",
    "OperationalError",
    "Reject",
    "Retry",
    "SoftTimeLimitExceeded",
    "TaskError",
    "TaskPredicate",
    "TaskRevokedError",
    "TimeLimitExceeded",
    "TimeoutError",
    "WorkerLostError",
]
