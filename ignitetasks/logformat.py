"""How a program that called `log.configure` writes log records: one JSON object per line, or text for people.

The only file that imports structlog. Fixed keys: ``event``, ``timestamp``, ``level``, ``logger``, ``process`` (its
id; JSON only) and ``exception``. This file must not choose levels or streams.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import structlog

from ignitetasks import context


class Formatter(logging.Formatter):
    """Renders our events and everybody else's lines in one shape.

    Args:
        field: Attribute of a record that has event and facts.
        as_json: True for JSON, False for text.
        colors: Whether text may be coloured.
        values: Whether lines about tasks show what these returned or raised.
    """

    def __init__(self, field: str, as_json: bool, colors: bool, values: bool) -> None:
        super().__init__()
        render: Any = (
            structlog.processors.JSONRenderer(default=repr, ensure_ascii=False)
            if as_json
            else structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)
        )
        self._field = field
        self._as_json = as_json
        self._values = values
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        event, facts = getattr(record, self._field, None) or (record.getMessage(), _running())
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        fixed: dict[str, Any] = {
            "event": event,
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": f"{stamp}.{int(record.msecs):03d}",
        }
        if self._as_json:
            fixed["process"] = record.process
        # A record with data is about a task (app/tasklog.py): its traceback ends with what the task raised.
        of_task = hasattr(record, "data") and hasattr(record, self._field)
        if of_task and self._values:
            fixed["event"] = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None and (self._values or not of_task):
            fixed["exception"] = self.formatException(record.exc_info)
        # What the program bound with structlog itself, e.g. the id of a web request, belongs to our lines too.
        for key, value in {**structlog.contextvars.get_contextvars(), **facts}.items():
            # A fact never hides a fixed key, nor is it lost to one.
            fixed[f"{key}_" if key in fixed else key] = value
        return cast("str", self._render(None, record.levelname.lower(), fixed))


def _running() -> dict[str, Any]:
    """Returns which task wrote a line of its own."""
    request = context.current_request()
    if request is None or request.called_directly:
        return {}
    return {"task": request.task, "task_id": request.id}
