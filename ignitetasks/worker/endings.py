"""Outcomes made of exceptions: always possible, whatever the exception's own methods do.

This file must not decide which outcome an exception means (see execute.py).
"""

from __future__ import annotations

import os

from ignitetasks import log
from ignitetasks.failure import Failure
from ignitetasks.frames import FAILURE
from ignitetasks.worker.model import Ending

_logger = log.get_logger("task")
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_MOST_STEPS = 12


def log_failure(task: str, task_id: str, error: BaseException, expected: tuple[type[BaseException], ...]) -> None:
    """Log that a task failed, and where; its text may hold what the task was given, and stays in the result.

    Args:
        task: Name of the task.
        task_id: Its id.
        error: What it raised.
        expected: The task's ``throws``, which are worth no more than a note.
    """
    facts = {"task": task, "task_id": task_id, "error": type_name(error), "place": _place(error), "via": _way(error)}
    if issubclass(type(error), expected):
        _logger.info("task raised what it may raise", **facts)
    else:
        _logger.error("task failed", **facts)


def _place(error: BaseException) -> str:
    """Return the innermost line of a traceback."""
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _way(error: BaseException) -> str:
    """Return by which functions an exception came from the task to its place: names and lines, never values."""
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


def type_name(error: BaseException) -> str:
    """Return what an exception's class is called in a task's record.

    Args:
        error: The exception.

    Returns:
        The qualified name of its class, without the module.
    """
    return str(type(error).__qualname__)[:512]


def failed(error: BaseException) -> Ending:
    """Make a failure of an exception.

    Args:
        error: The exception.

    Returns:
        The outcome.
    """
    return FAILURE, capture(error), 0, type_name(error), None


def capture(error: BaseException) -> bytes:
    """Describe an exception, also one whose own methods raise what is not an Exception.

    Args:
        error: The exception.

    Returns:
        Failure bytes.
    """
    try:
        return Failure.capture(error)
    except BaseException:
        name, module = type_name(error), str(type(error).__module__)
        text = f"{name} (its own text cannot be made)"
        return Failure(type_name=name, module=module, message=text, args=None, traceback="").encode()
