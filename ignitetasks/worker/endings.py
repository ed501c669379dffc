"""Outcomes made of exceptions: always possible, whatever the exception's own methods do.

This file must not decide which outcome an exception means (see execute.py).
"""

from __future__ import annotations

from ignitetasks.failure import Failure
from ignitetasks.frames import FAILURE
from ignitetasks.worker.model import Ending


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
