"""Log events with fixed keys, through the standard library's logging.

An event is a short sentence in the past tense; facts are keys: ``task_id``, ``task``, ``queue``, ``attempt``,
``worker``, ``node``. Importing configures nothing: a library's lines reach the handlers the application set up;
programs call `configure`, and only then structlog is loaded (logformat.py). Tokens and payloads are never logged.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, TextIO

from ignitetasks import deferred

ROOT = "ignitetasks"
#: Attribute of a record that has the facts, for our own formatter.
FIELD = "ignitetasks_event"
# From here to whoever logs: `info`, `_log`.
_CALLER = 3
_bound: ContextVar[Mapping[str, Any]] = ContextVar("ignitetasks_log", default={})  # noqa: B039  # never changed


class Logger:
    """Logs the events of one part of the package.

    Args:
        name: Name for the standard library's logging.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    @property
    def tells_debug(self) -> bool:
        """Whether anybody reads what `debug` logs."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, **facts: Any) -> None:
        """Logs what only the search for a fault needs."""
        self._log(logging.DEBUG, event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """Logs what happened as it should."""
        self._log(logging.INFO, event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Logs what somebody should look at."""
        self._log(logging.WARNING, event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Logs what failed."""
        self._log(logging.ERROR, event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        """Logs what failed, with the exception being handled."""
        self._log(logging.ERROR, event, {"exc_info": True, **facts})

    def _log(self, level: int, event: str, facts: dict[str, Any]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        exc_info = facts.pop("exc_info", None)
        facts = {**_bound.get(), **facts}
        # A readable line for handlers that know nothing of us. A percent sign in a fact must not be taken for a
        # placeholder: no arguments means no formatting.
        text = " ".join((event, *(f"{key}={value!r}" for key, value in facts.items())))
        self._logger.log(level, text, exc_info=exc_info, extra={FIELD: (event, facts)}, stacklevel=_CALLER)


def get_logger(name: str) -> Logger:
    """Returns the logger of one part of the package.

    Args:
        name: Part of the package, e.g. ``worker``; the logging name becomes ``ignitetasks.worker``.
    """
    return Logger(f"{ROOT}.{name}")


def fields(event: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a record of the standard library's logging needs to be written as an event.

    Args:
        event: What happened, in words, without values that users send; the record's message may have these.
        facts: Keys and values of the line.

    Returns:
        For the argument ``extra`` of a logger's methods.
    """
    return {FIELD: (event, {**_bound.get(), **facts})}


def bind(**facts: Any) -> Mapping[str, Any]:
    """Adds facts to every event of this context (thread or coroutine) until `unbind`.

    Returns:
        What was bound before, for `unbind`.
    """
    before = _bound.get()
    _bound.set({**before, **facts})
    return before


def unbind(before: Mapping[str, Any]) -> None:
    """Takes back what `bind` added."""
    _bound.set(before)


def configure(
    json: bool | None = None, level: str = "info", stream: TextIO | None = None, values: bool | None = None
) -> logging.Handler:
    """Sends the package's events to a stream; calling it again replaces what the last call did.

    Args:
        json: True for one JSON object per line, False for text, None for text on a terminal and JSON elsewhere.
        level: Lowest level that is written.
        stream: Where to; None means standard error.
        values: True shows what tasks returned and raised, False leaves it out, None shows it on a terminal only.

    Returns:
        The handler, e.g. to remove it again.
    """
    formats = deferred.load("log_format")
    target = stream or sys.stderr
    terminal = bool(getattr(target, "isatty", lambda: False)())
    handler = logging.StreamHandler(target)
    as_json = not terminal if json is None else json
    shows = terminal if values is None else values
    handler.setFormatter(formats.Formatter(FIELD, as_json=as_json, colors=terminal, values=shows))
    root = logging.getLogger(ROOT)
    for old in [one for one in root.handlers if isinstance(one.formatter, formats.Formatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    root.propagate = False
    return handler
