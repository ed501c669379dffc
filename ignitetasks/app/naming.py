"""How tasks get their names, and when two functions are one task. This file must not keep any task."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard

from ignitetasks.errors import InvalidOption

_MAX_TASK_NAME = 255


def main_name() -> str | None:
    """Returns what a worker would import the running script as; None in a notebook or an interpreter."""
    module = sys.modules.get("__main__")
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name and spec.name != "__main__":
        # python -m package.module; python -m package runs package.__main__
        return str(spec.name)
    file = getattr(module, "__file__", None)
    # "<stdin>" is no file, and what it defines can be imported nowhere.
    return Path(os.fspath(file)).stem if file and not str(file).startswith("<") else None


def is_name(value: object) -> TypeGuard[str]:
    """Tells whether a value can be the name of an app or a task."""
    return isinstance(value, str) and bool(value)


def check_task_name(value: object) -> None:
    """Raises `InvalidOption` for what cannot be a task's name: logs, events and tables show it in one line."""
    if not is_name(value) or not value.isprintable() or value.isspace() or len(value) > _MAX_TASK_NAME:
        raise InvalidOption(
            f"a task name is a text that is not empty, of at most {_MAX_TASK_NAME} printable characters, "
            f"not {value!r:.100}"
        )


def where(fn: Callable[..., Any]) -> str:
    """Returns where a function is defined."""
    return f"{fn.__module__}.{getattr(fn, '__qualname__', fn)}"


def same_source(old: Callable[..., Any], new: Callable[..., Any], one_app: bool) -> bool:
    """Tells whether two functions are one definition run twice: a reloaded module, a notebook cell run again."""
    old, new = getattr(old, "__func__", old), getattr(new, "__func__", new)
    if old is new:
        return True
    named = [(fn.__module__, str(getattr(fn, "__qualname__", ""))) for fn in (old, new)]
    if not one_app:
        # Functions inside functions come and go with their app; only what a module offers can be confused.
        return named[0] == named[1] or any("<locals>" in name for _, name in named)
    if all("<locals>" in name for _, name in named) and old.__name__ == new.__name__ and old.__name__ != "<lambda>":
        return True  # tasks that functions make, e.g. those of tests: the last one made is meant
    codes = [getattr(fn, "__code__", None) for fn in (old, new)]
    if codes[0] is None or codes[1] is None or named[0][1] != named[1][1]:
        return False
    places = [(code.co_filename, code.co_firstlineno) for code in (codes[0], codes[1])]
    if places[0] == places[1]:
        return True  # also one file loaded under two module names: as a script, or by a system of plugins
    # In a notebook each run of a cell has a file name of its own; within one file, the line tells.
    return named[0] == named[1] and places[0][0] != places[1][0]
