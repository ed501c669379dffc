"""Coloured text on a terminal: ``str(colored().red("hello ", colored().bold("world")))``.

This file must not look at what is written to: see `ignitetasks.app.log.Logging.colored`.
"""

from __future__ import annotations

import os
from typing import Any

__all__ = ["colored"]

_RESET = "\x1b[0m"
_COLORS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_CODES = {
    **{name: f"\x1b[1;{30 + number}m" for number, name in enumerate(_COLORS)},
    **{f"i{name}": f"\x1b[7;{30 + number}m" for number, name in enumerate(_COLORS)},
    "bold": "\x1b[1m",
    "underline": "\x1b[4m",
    "blink": "\x1b[5m",
    "reverse": "\x1b[7m",
    "bright": "\x1b[1m",
}


class colored:  # Celery's name
    """Parts of a text, with colours.

    It has a method for each colour, e.g. ``red`` and, with the two colours swapped, ``ired``, and ``bold``,
    ``underline``, ``blink``, ``reverse`` and ``bright``: each returns its arguments in that way.

    Args:
        *s: The parts: texts, and other coloured ones.
        enabled: False leaves the colours out; None does so where the environment has NO_COLOR.
        op: What stands before them on the terminal.

    Attributes:
        s: The parts.
        enabled: Whether it has colours.
        op: As given.
        names: What a line of a level is put into, by the level's name.
    """

    def __init__(self, *s: Any, enabled: bool | None = None, op: str = "", **_: Any) -> None:
        self.s = s
        self.enabled = not os.environ.get("NO_COLOR") if enabled is None else bool(enabled)
        self.op = op
        self.names = {"DEBUG": self.blue, "WARNING": self.yellow, "ERROR": self.red, "CRITICAL": self.magenta}

    def __getattr__(self, name: str) -> Any:
        code = _CODES.get(name)
        if code is None:
            raise AttributeError(f"there is no colour {name!r}; there are: {', '.join(_CODES)}")
        return lambda *s: self.node(s, code)

    def node(self, s: Any, op: str) -> colored:
        """Returns parts behind a code of the terminal."""
        return colored(*s, enabled=self.enabled, op=op)

    def reset(self, *s: Any) -> colored:
        """Returns parts without what was before them."""
        return self.node(s, _RESET)

    def no_color(self) -> str:
        """Returns the text alone."""
        return "".join(one.no_color() if isinstance(one, colored) else str(one) for one in self.s)

    def embed(self) -> str:
        """Returns the text with its colours, which go on behind it."""
        if not self.enabled:
            return self.no_color()
        parts = (f"{one.embed()}{_RESET}{self.op}" if isinstance(one, colored) else str(one) for one in self.s)
        return self.op + "".join(parts)

    def __str__(self) -> str:
        return f"{self.embed()}{_RESET}" if self.enabled and self.op else self.embed()

    def __repr__(self) -> str:
        return repr(self.no_color())

    def __len__(self) -> int:
        return len(self.no_color())

    def __add__(self, other: Any) -> str:
        return f"{self}{other}"
