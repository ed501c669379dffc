"""Texts for people: cut, joined, put in columns. Must not know what the texts are about."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from pprint import pformat
from typing import Any

__all__ = [
    "abbr", "abbrtask", "dedent", "dedent_initial", "ensure_newlines", "ensure_sep", "fill_paragraphs", "indent",
    "join", "pluralize", "pretty", "simple_format", "str_to_list", "truncate", "truncate_bytes",
]  # fmt: skip


def truncate(s: str, maxlen: int = 128, suffix: str = "...") -> str:
    """Returns a text of at most so many characters, with a mark at its end when it was cut."""
    if not maxlen or len(s) <= maxlen:
        return s
    return s[:maxlen].rsplit(" ", 1)[0] + suffix


def truncate_bytes(s: bytes, maxlen: int = 128, suffix: bytes = b"...") -> bytes:
    """Returns bytes of at most so many, with a mark at their end when they were cut."""
    return s if not maxlen or len(s) <= maxlen else s[:maxlen].rsplit(b" ", 1)[0] + suffix


def abbr(S: str | None, max: int, ellipsis: str | bool = "...") -> str:
    """Returns a text of at most ``max`` characters, the mark of the cut among them; ``???`` for None."""
    if S is None:
        return "???"
    if len(S) <= max:
        return S
    mark = "..." if ellipsis is True else ellipsis or ""
    return S[: max - len(mark)] + mark


def abbrtask(S: str | None, max: int) -> str:
    """Returns a short task name: the function's name whole, and of the module what has room; ``???`` for None."""
    if S is None:
        return "???"
    if len(S) <= max:
        return S
    module, _, name = S.rpartition(".")
    left = max - len(name) - len("[.]")
    return f"{module[:left] if left > 0 else ''}[.]{name}"


def indent(t: str, indent: int = 0, sep: str = "\n") -> str:
    """Returns a text with every line moved to the right."""
    return sep.join(" " * indent + line for line in t.split(sep))


def dedent(s: str, sep: str = "\n") -> str:
    """Returns a text without the indentation its lines share."""
    return sep.join(textwrap.dedent(s).splitlines())


def dedent_initial(s: str, n: int = 4) -> str:
    """Returns a text without the first ``n`` characters, when these are blanks."""
    return s[n:] if s[:n] == " " * n else s


def ensure_newlines(s: str, n: int = 2) -> str:
    """Returns a text that ends with at least ``n`` line ends."""
    return ensure_sep("\n", s, n)


def ensure_sep(sep: str, s: str, n: int = 2) -> str:
    """Returns a text that ends with at least ``n`` separators."""
    return s + sep * (n - s.count(sep))


def fill_paragraphs(s: str, width: int, sep: str = "\n") -> str:
    """Returns a text with its paragraphs wrapped."""
    return sep.join(textwrap.fill(part, width) for part in s.split(sep))


def join(line: Iterable[str], sep: str = "\n") -> str:
    """Returns the lines that are not empty, as one text."""
    return sep.join(one for one in line if one)


def pluralize(n: float, text: str, suffix: str = "s") -> str:
    """Returns a word for one or for several."""
    return text + suffix if n != 1 else text


def pretty(value: Any, width: int = 80, nl_width: int = 80, sep: str = "\n", **kw: Any) -> str:
    """Returns a value in lines for people."""
    if isinstance(value, dict):
        return f"{{{sep} {pformat(value, 4, nl_width)[1:]}"
    if isinstance(value, tuple):
        return f"{sep}{' ' * 4}{pformat(value, width=nl_width, **kw)}"
    return pformat(value, width=width, **kw)


def simple_format(s: str, keys: Mapping[str, Any], pattern: Any = None) -> str:
    """Returns a text with ``%x`` replaced by the value under ``x``; ``%%`` is a percent sign.

    Args:
        s: The text.
        keys: Values, or functions that return them.
        pattern: Of no effect.

    Raises:
        KeyError: There is no value for a letter.
    """
    parts, at = [], 0
    while (found := s.find("%", at)) >= 0 and found + 1 < len(s):
        letter = s[found + 1]
        value = "%" if letter == "%" else keys[letter]
        parts += [s[at:found], str(value() if callable(value) else value)]
        at = found + 2
    return "".join(parts) + s[at:]


def str_to_list(s: Any) -> Any:
    """Returns the parts of a text with commas as a list; anything else as it is."""
    return s.split(",") if isinstance(s, str) else s
