"""One event: a plain map with Celery's keys, and its bytes in the cluster's feed.

This file must not send or receive.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgpack

#: Longest text of arguments, results and errors in an event, in characters.
MAX_TEXT: Final = 1024


def Event(  # Celery's name
    type: str,
    _fields: Mapping[str, Any] | None = None,
    __now__: Callable[[], float] = time.time,
    **fields: Any,
) -> dict[str, Any]:
    """Makes an event: a map with ``type`` and ``timestamp`` besides its fields.

    Args:
        type: Its type, such as ``task-started``; the word before the first dash is its group.
        _fields: Fields whose names are no Python names.
        __now__: Seconds since the epoch.
        **fields: Its fields.
    """
    event = {**(_fields or {}), **fields, "type": type}
    event.setdefault("timestamp", __now__())
    return event


def group_from(type: str) -> str:
    """Returns the group of a type: ``task`` of ``task-started``."""
    return type.split("-", 1)[0]


def pack(event: Mapping[str, Any]) -> bytes:
    """Returns an event's bytes; what msgpack does not know is written as its ``repr``."""
    packed: bytes = msgpack.packb(event, use_bin_type=True, default=repr)
    return packed


def unpack(data: bytes) -> dict[str, Any]:
    """Returns the event of some bytes; bytes of no event are one of the type ``unreadable``."""
    try:
        event = msgpack.unpackb(data, raw=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        event = None
    return event if isinstance(event, dict) else {"type": "unreadable", "timestamp": 0.0}


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """Returns a value as text for an event, cut where it is long."""
    try:
        whole = repr(value)
    except Exception as error:
        whole = f"<{type(value).__name__} whose repr fails: {type(error).__name__}>"
    return whole if len(whole) <= limit else f"{whole[:limit]}..."
