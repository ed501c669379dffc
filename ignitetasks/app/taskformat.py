"""Log lines that know which task wrote them.

This file must not set up any handler.
"""

from __future__ import annotations

import logging

from ignitetasks import context


class TaskFormatter(logging.Formatter):
    """Formats records with ``%(task_id)s`` and ``%(task_name)s``; both are ``???`` outside of a task.

    Args:
        fmt: The layout.
        use_color: Taken for Celery's sake; lines have no colour.
        datefmt: Layout of the time.
    """

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        request = context.current_request()
        record.task_id = request.id if request is not None else "???"
        record.task_name = request.task if request is not None else "???"
        return super().format(record)
