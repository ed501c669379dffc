"""Loggers of tasks: the standard library's, under names of their own.

Importing configures nothing; a worker gives these loggers a handler unless ``setup_logging`` has a receiver. This
file must not format anything (``logformat.py`` does).
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from typing import Any, Final, TextIO

__all__ = [
    "LOG_LEVELS", "ColorFormatter", "LoggingProxy", "base_logger", "get_logger", "get_task_logger", "mlevel",
    "redirect_stdouts_to_logger", "task_logger", "worker_logger",
]  # fmt: skip

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
base_logger = logging.getLogger("ignitetasks")
worker_logger = logging.getLogger("ignitetasks.worker")
task_logger = logging.getLogger(TASK_LOGGER)
#: Logger of what a worker's tasks print.
REDIRECTED_LOGGER: Final = "ignitetasks.redirected"
#: A line that does not end is logged in pieces of so many characters.
_LONGEST: Final = 16_384


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


class ColorFormatter(logging.Formatter):
    """Formats records as text that has the colour of its level.

    Args:
        fmt: The layout.
        use_color: False leaves the colours out.
        datefmt: Layout of the time.
    """

    #: Colours of terminals by the name of a level; the others have none.
    COLORS: Final = {"DEBUG": 34, "WARNING": 33, "ERROR": 31, "CRITICAL": 35}

    def __init__(self, fmt: str | None = None, use_color: bool = True, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)
        self.use_color = use_color

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
        line = super().format(record)
        color = self.COLORS.get(record.levelname)
        return f"\x1b[{color}m{line}\x1b[0m" if self.use_color and color else line


class LoggingProxy:
    """A text stream that logs each line written to it.

    Args:
        logger: Takes the lines.
        loglevel: At which level; None means WARNING.
        behind: The stream in whose place this one stands; takes what logging itself prints.

    Attributes:
        loglevel: The level's number.
    """

    mode = "w"
    errors = "replace"
    closed = False

    def __init__(self, logger: logging.Logger, loglevel: int | str | None = None, behind: TextIO | None = None) -> None:
        self.logger = logger
        self.loglevel = mlevel(loglevel or "WARNING")
        self._behind: Any = behind if behind is not None else sys.__stderr__
        self._mine = threading.local()

    def write(self, text: str | bytes) -> int:
        """Logs the lines that are complete, and keeps the rest for the next call of this thread."""
        mine = self._mine
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if getattr(mine, "logging", False):
            # A handler that fails prints a traceback; logging that would fail again, and again.
            return int(self._behind.write(text))
        *lines, rest = (getattr(mine, "rest", "") + text).split("\n")
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest], ""
        mine.rest = rest
        self._log(lines)
        return len(text)

    def writelines(self, lines: Iterable[str | bytes]) -> None:
        """Writes several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Logs what this thread has written of a line that has not ended."""
        rest, self._mine.rest = getattr(self._mine, "rest", ""), ""
        self._log([rest])

    def _log(self, lines: list[str]) -> None:
        self._mine.logging = True
        try:
            for line in lines:
                if line.strip():
                    self.logger.log(self.loglevel, line.rstrip())
        finally:
            self._mine.logging = False

    def isatty(self) -> bool:
        """Returns False: a log is no terminal."""
        return False

    def __getattr__(self, name: str) -> Any:
        # What is below the text (``fileno``, ``buffer``, ``encoding``) is that of the stream behind.
        return getattr(self._behind, name)


def redirect_stdouts_to_logger(
    logger: logging.Logger, loglevel: int | str | None = None, stdout: bool = True, stderr: bool = True
) -> None:
    """Makes what this process prints lines of its log.

    Args:
        logger: Takes the lines.
        loglevel: At which level; None means WARNING.
        stdout: Standard output, too.
        stderr: Standard error, too.
    """
    if stdout:
        sys.stdout = LoggingProxy(logger, loglevel, sys.stdout)
    if stderr:
        sys.stderr = LoggingProxy(logger, loglevel, sys.stderr)
