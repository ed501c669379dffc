"""Structured log events with fixed keys, through the standard library's logging.

The only file that imports structlog. An event is a short sentence in the past tense; facts are keys: ``task_id``,
``task``, ``queue``, ``attempt``, ``worker``, ``node``. Importing configures nothing: a library's lines reach the
handlers the application set up; programs call `configure`. Tokens and payloads are never logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any, TextIO, cast

import structlog

ROOT = "ignitetasks"
_FIELD = "ignitetasks_event"


def _to_record(_logger: Any, _method: str, event: Any) -> tuple[tuple[str], dict[str, Any]]:
    """Makes a readable line for handlers that know nothing of us, and keeps the facts for our own."""
    exc_info = event.pop("exc_info", None)
    facts = " ".join(f"{key}={value!r}" for key, value in event.items() if key != "event")
    text = f"{event['event']} {facts}".rstrip()
    # A percent sign in a fact must not be taken for a placeholder: no arguments means no formatting.
    return (text,), {"extra": {_FIELD: dict(event)}, "exc_info": exc_info}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns the logger of one part of the package.

    Args:
        name: Part of the package, e.g. ``worker``; the logging name becomes ``ignitetasks.worker``.
    """
    logger = structlog.wrap_logger(
        logging.getLogger(f"{ROOT}.{name}"),
        processors=[structlog.stdlib.filter_by_level, structlog.contextvars.merge_contextvars, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return cast("structlog.stdlib.BoundLogger", logger)


def bind(**facts: Any) -> Mapping[str, Any]:
    """Adds facts to every event of this context (thread or coroutine) until `unbind`.

    Returns:
        Tokens for `unbind`.
    """
    return structlog.contextvars.bind_contextvars(**facts)


def unbind(tokens: Mapping[str, Any]) -> None:
    """Takes back what `bind` added."""
    structlog.contextvars.reset_contextvars(**tokens)


class _Formatter(logging.Formatter):
    """Renders our events and everybody else's lines in one shape."""

    def __init__(self, as_json: bool, colors: bool) -> None:
        super().__init__()
        render: Any = (
            structlog.processors.JSONRenderer(default=repr, ensure_ascii=False)
            if as_json
            else structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0)
        )
        self._as_json = as_json
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, _FIELD, None)
        event: dict[str, Any] = dict(facts) if facts is not None else {"event": record.getMessage()}
        event["level"] = record.levelname.lower()
        event["logger"] = record.name
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        event["timestamp"] = f"{stamp}.{int(record.msecs):03d}"
        if self._as_json:
            event["pid"] = record.process
        if record.exc_info and record.exc_info[0] is not None:
            event["exception"] = self.formatException(record.exc_info)
        return cast("str", self._render(None, record.levelname.lower(), event))


def configure(json: bool | None = None, level: str = "info", stream: TextIO | None = None) -> logging.Handler:
    """Sends the package's events to a stream; calling it again replaces what the last call did.

    Args:
        json: True for one JSON object per line, False for text, None for text on a terminal and JSON elsewhere.
        level: Lowest level that is written.
        stream: Where to; None means standard error.

    Returns:
        The handler, e.g. to remove it again.
    """
    target = stream or sys.stderr
    terminal = bool(getattr(target, "isatty", lambda: False)())
    handler = logging.StreamHandler(target)
    handler.setFormatter(_Formatter(as_json=not terminal if json is None else json, colors=terminal))
    root = logging.getLogger(ROOT)
    for old in [one for one in root.handlers if isinstance(one.formatter, _Formatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
    return handler
