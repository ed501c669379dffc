"""What an operator asks of a node, as typed functions; the command line is one of their users.

This file only names what the package offers. Nothing in it prints, or starts a node unless ``connect`` is told to.
"""

from ignitetasks.control.operations import (
    NodeStatus,
    Outcome,
    QueueStatus,
    Status,
    TaskInfo,
    WorkerStatus,
    connect,
    dead_drop,
    dead_list,
    dead_retry,
    info,
    outcome,
    purge,
    status,
)
from ignitetasks.control.tasktable import TASK_COLUMNS, Table, records, sql

__all__ = [
    "TASK_COLUMNS",
    "NodeStatus",
    "Outcome",
    "QueueStatus",
    "Status",
    "Table",
    "TaskInfo",
    "WorkerStatus",
    "connect",
    "dead_drop",
    "dead_list",
    "dead_retry",
    "info",
    "outcome",
    "purge",
    "records",
    "sql",
    "status",
]
