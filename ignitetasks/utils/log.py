"""Loggers of tasks: the standard library's, under names of their own.

Importing configures nothing; a worker gives these loggers a handler unless ``setup_logging`` has a receiver. This
file must not format anything (``logformat.py`` does).
"""

from __future__ import annotations

import logging

__all__ = ["LOG_LEVELS", "get_logger", "get_task_logger", "mlevel"]

#: Levels by name.
LOG_LEVELS: dict[str, int] = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "FATAL": logging.FATAL,
}

#: Parent of all loggers of tasks.
TASK_LOGGER = "ignitetasks.task"


def get_logger(name: str) -> logging.Logger:
    """Returns the standard library's logger of a name."""
    return logging.getLogger(name)


def get_task_logger(name: str) -> logging.Logger:
    """Returns a logger for the code of tasks.

    Args:
        name: Usually ``__name__``; the logger's records reach the handlers of ``ignitetasks.task``, whose lines
            carry the task's name and id.
    """
    if name == TASK_LOGGER:
        return logging.getLogger(TASK_LOGGER)
    logger = logging.getLogger(name)
    if logger.parent is logging.root or logger.parent is None:
        logger.parent = logging.getLogger(TASK_LOGGER)
    return logger


def mlevel(level: int | str | None) -> int:
    """Returns a level's number, whatever way it was named."""
    if level is None or isinstance(level, int):
        return level or 0
    return LOG_LEVELS[level.upper()]
