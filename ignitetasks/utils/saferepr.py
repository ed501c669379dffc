"""Values as texts of a bounded size. Must not know tasks."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["saferepr"]


def saferepr(o: Any, maxlen: int | None = None, maxlevels: int = 3, seen: Any = None) -> str:
    """Returns a value as text, never fails, and never becomes long.

    Args:
        o: The value.
        maxlen: Most characters; None for no limit.
        maxlevels: How deep lists and maps are shown.
        seen: Taken for Celery's sake.
    """
    short = reprlib.Repr()
    most = 1 << 30 if maxlen is None else maxlen
    short.maxlevel = maxlevels
    for name in ("maxtuple", "maxlist", "maxarray", "maxdict", "maxset", "maxfrozenset", "maxdeque", "maxstring",
                 "maxlong", "maxother"):  # fmt: skip
        setattr(short, name, most)
    text = short.repr(o)
    return text if len(text) <= most else f"{text[: max(most - 3, 0)]}..."
