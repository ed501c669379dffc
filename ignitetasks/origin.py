"""Who sends: the name of this process, as every call carries it (``request.origin``).

A call that has no options of its own carries the same few bytes each time, so that they are made once. This file must
not know applications; whoever keeps what was made here is told when the process is another one (`renewed`).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks import message

#: Called in a forked child: what was kept names the parent.
renewed: list[Callable[[], None]] = []


class _Process:
    name = ""
    options = b""


def _begin() -> None:
    _Process.name = _Process.options = None  # type: ignore[assignment]
    for tell in renewed:
        tell()


def name() -> str:
    """Returns the name of this process: ``gen<process>@<host>``."""
    if not _Process.name:
        _Process.name = f"gen{os.getpid()}@{socket.gethostname()}"
    return _Process.name


def options() -> bytes:
    """Returns the options of a call that has none of its own."""
    if not _Process.options:
        _Process.options = message.encode_call_options(None, {"origin": name()}) or b""
    return _Process.options


def marked(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Returns overrides of a call that tell where it is from."""
    return {"origin": name(), **extra}


os.register_at_fork(after_in_child=_begin)
