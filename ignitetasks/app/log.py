"""`TaskFormatter`: log lines that know which task wrote them. This file must not set up any handler."""

from __future__ import annotations

import logging

from ignitetasks import context

__all__ = ["TaskFormatter"]


class TaskFormatter(logging.Formatter):
    """Formats records with ``%(task_id)s`` and ``%(task_name)s``; both are ``???`` outside of a task."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        request = context.current_request()
        record.task_id = request.id if request is not None else "???"
        record.task_name = request.task if request is not None else "???"
        return super().format(record)
