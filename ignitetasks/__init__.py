"""Durable background tasks for Python with Apache Ignite as the only thing behind them.

The public names are those of ``__all__``; everything else may change. Importing the package starts nothing.
"""

from ignitetasks._state import current_app, current_task
from ignitetasks.app.base import IgniteTasks
from ignitetasks.app.shared import bugreport, shared_task
from ignitetasks.app.task import Task
from ignitetasks.canvas import (
    Signature,
    chain,
    chord,
    chunks,
    group,
    maybe_signature,
    signature,
    subtask,
    xmap,
    xstarmap,
)
from ignitetasks.config import Settings
from ignitetasks.context import Request, current_request
from ignitetasks.errors import (
    ArgumentError,
    ConfigurationError,
    IdempotencyConflict,
    IgniteTasksError,
    Ignore,
    InvalidOption,
    MaxRetriesExceededError,
    NotConnected,
    NotRegistered,
    OutcomeUnknown,
    PayloadTooLarge,
    Reject,
    RemoteError,
    ResultExpired,
    ResultTimeout,
    Retry,
    SerializationError,
    SoftTimeLimitExceeded,
    TaskExpiredError,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)
from ignitetasks.result import AsyncResult
from ignitetasks.results import ResultList
from ignitetasks.utils import uuid
from ignitetasks.utils.versions import version_info_t

#: Celery's name for the application.
Celery = IgniteTasks

__version__ = "0.1.0"

#: The version of Celery whose interface is here, for code that asks ``celery.VERSION`` what it may use.
VERSION = version_info_t(5, 7, 0, "", "")

__all__ = [
    "ArgumentError",
    "AsyncResult",
    "Celery",
    "ConfigurationError",
    "IdempotencyConflict",
    "IgniteTasks",
    "IgniteTasksError",
    "Ignore",
    "InvalidOption",
    "MaxRetriesExceededError",
    "NotConnected",
    "NotRegistered",
    "OutcomeUnknown",
    "PayloadTooLarge",
    "Reject",
    "RemoteError",
    "Request",
    "ResultExpired",
    "ResultList",
    "ResultTimeout",
    "Retry",
    "SerializationError",
    "Settings",
    "Signature",
    "SoftTimeLimitExceeded",
    "Task",
    "TaskExpiredError",
    "TaskRevokedError",
    "TimeLimitExceeded",
    "WorkerLostError",
    "bugreport",
    "chain",
    "chord",
    "chunks",
    "current_app",
    "current_request",
    "current_task",
    "group",
    "maybe_signature",
    "shared_task",
    "signature",
    "subtask",
    "uuid",
    "xmap",
    "xstarmap",
]
