"""What the log says of each run of a task, in the words that Celery's users search for.

A record's message holds what the task returned or raised, as Celery's does; the program's own format leaves that out
where it is to stay out of log files (`log.configure`). Arguments are in no record. This file must not decide how a
task ends.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from ignitetasks import log
from ignitetasks.context import Request
from ignitetasks.errors import Retry
from ignitetasks.events.event import text

#: Layouts of the lines; programs set theirs in ``app.trace``.
RECEIVED = "Task %(name)s[%(id)s] received"
SUCCESS = "Task %(name)s[%(id)s] succeeded in %(runtime).6fs: %(return_value)s"
FAILURE = REJECTED = "Task %(name)s[%(id)s] %(description)s: %(exc)s"
IGNORED = "Task %(name)s[%(id)s] %(description)s"
RETRY = "Task %(name)s[%(id)s] retry: %(exc)s"

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_MOST_STEPS = 12
_MAX_TEXT = 1024

_strategy = logging.getLogger(f"{log.ROOT}.worker.strategy")
_trace = logging.getLogger(f"{log.ROOT}.app.trace")


def heard() -> bool:
    """Tells whether anybody reads what is logged of every run."""
    return _trace.isEnabledFor(logging.INFO) or _strategy.isEnabledFor(logging.INFO)


def set_level(level: int) -> None:
    """Sets from which level on runs are told of.

    Args:
        level: The level; ``logging.NOTSET`` for that of the whole package.
    """
    for logger in (_strategy, _trace):
        logger.setLevel(level)


def received(request: Request, layout: str = RECEIVED) -> None:
    """Logs that a worker has taken a task up."""
    _say(_strategy, logging.INFO, request, layout, "received", {"eta": request.eta}, {})


def succeeded(task: Any, request: Request, value: Any, runtime: float, layout: str = SUCCESS) -> None:
    """Logs what a run returned."""
    if not _trace.isEnabledFor(logging.INFO):
        return
    shown = text(value, getattr(task, "resultrepr_maxsize", None) or _MAX_TEXT)
    facts, data = {"runtime": runtime}, {"return_value": shown}
    _say(_trace, logging.INFO, request, layout, f"succeeded in {runtime:.6f}s", facts, data)


def retried(request: Request, reason: Retry, layout: str = RETRY) -> None:
    """Logs that a run asked to be repeated.

    Args:
        request: The run's request.
        reason: When it is repeated, and why.
        layout: Of the line.
    """
    cause = reason.exc or reason
    shown = str(reason)  # made of texts, at the time it was made
    _say(_trace, logging.INFO, request, layout, "retry", {"error": _name(cause)}, {"exc": shown})


def ignored(request: Request, layout: str = IGNORED) -> None:
    """Logs that a run ended by ``Ignore``."""
    _say(_trace, logging.INFO, request, layout, "ignored", {}, {"description": "ignored"})


def rejected(request: Request, error: BaseException, layout: str = REJECTED) -> None:
    """Logs that a run ended by ``Reject``."""
    data = {"exc": _shown(error), "description": "rejected"}
    _say(_trace, logging.WARNING, request, layout, "rejected", {"error": _name(error)}, data, error)


def failed(
    request: Request, error: BaseException, expected: tuple[type[BaseException], ...], layout: str = FAILURE
) -> None:
    """Logs that a run failed, and where.

    Args:
        request: The run's request.
        error: What it raised.
        expected: The task's ``throws``, which are worth no more than a note.
        layout: Of the line.
    """
    shown = _shown(error)
    foreseen = issubclass(type(error), expected)
    level, words = (logging.INFO, "raised expected") if foreseen else (logging.ERROR, "raised unexpected")
    if _trace.isEnabledFor(level):
        facts = {"error": _name(error), "place": _place(error), "via": _way(error)}
        data = {"exc": shown, "description": words}
        _say(_trace, level, request, layout, f"{words}: {_name(error)}", facts, data, None if foreseen else error)


def _say(
    logger: logging.Logger,
    level: int,
    request: Request,
    layout: str,
    words: str,
    facts: dict[str, Any],
    data: dict[str, Any],
    error: BaseException | None = None,
) -> None:
    """Logs one sentence about a task.

    Args:
        logger: Takes it.
        level: At which level.
        request: Of the task.
        layout: Of the line where values are shown.
        words: What has happened, without values.
        facts: Keys of the line, without values.
        data: What ``record.data`` has besides.
        error: Its traceback goes along where values are shown.
    """
    if not logger.isEnabledFor(level):
        return
    name, task_id = request.shadow or request.task, request.id
    line = f"Task {name}[{task_id}] {words}"
    known = {"id": task_id, "name": name, "hostname": request.hostname, **facts, **data}
    shown = _laid_out(layout, request, known, line)
    keys = {"task": name, "task_id": task_id, **{key: fact for key, fact in facts.items() if fact is not None}}
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    extra = {"data": known, **log.fields(line, keys)}
    try:
        # No arguments: a percent sign in a value is no placeholder.
        logger.log(level, shown, exc_info=exc_info, extra=extra)
    except SystemExit:  # an exception's own method has raised it while a handler wrote the traceback
        logger.log(level, shown, extra=extra)


def _laid_out(layout: str, request: Request, known: dict[str, Any], otherwise: str) -> str:
    """Returns a line in a program's own layout; arguments are there for those that name them."""
    if "args)" in layout:
        known = {**known, "args": request.argsrepr, "kwargs": request.kwargsrepr}
    try:
        return layout % known
    except (KeyError, TypeError, ValueError):  # a layout with a name that this line does not know
        return otherwise


def _shown(error: BaseException) -> str:
    try:
        return text(error)
    except SystemExit:
        return f"<{_name(error)} whose repr fails: SystemExit>"


def _name(error: BaseException) -> str:
    return str(type(error).__qualname__)[:512]


def _place(error: BaseException) -> str:
    """Returns the innermost line of a traceback."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _way(error: BaseException) -> str:
    """Returns by which functions an exception came from the task to its place: names and lines, never values."""
    steps = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            steps.append(f"{os.path.basename(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    if len(steps) > _MOST_STEPS:
        steps[_MOST_STEPS // 2 : -_MOST_STEPS // 2] = ["..."]
    return " > ".join(steps)
