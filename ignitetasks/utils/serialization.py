"""Values made fit for JSON, and words for yes and no. Must not know tasks."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

__all__ = ["jsonify", "strtobool"]

_WORDS = {
    "false": False, "no": False, "0": False, "off": False, "true": True, "yes": True, "1": True, "on": True,
}  # fmt: skip


def strtobool(term: Any, table: dict[str, bool] | None = None) -> Any:
    """Returns what a word says, such as ``yes`` or ``off``; anything but a text as it is.

    Args:
        term: The word.
        table: Other words, in lower case, and what they say.

    Raises:
        TypeError: It is no such word.
    """
    if not isinstance(term, str):
        return term
    try:
        return (table or _WORDS)[term.lower()]
    except KeyError:
        raise TypeError(f"{term!r} says neither yes nor no") from None


def jsonify(
    obj: Any,
    builtin_types: tuple[type, ...] = (numbers.Real, str),
    key: Any = None,
    keyfilter: Callable[[Any], Any] | None = None,
    unknown_type_filter: Callable[[Any], Any] | None = None,
) -> Any:
    """Returns a value of lists, maps, texts and numbers alone.

    Args:
        obj: The value.
        builtin_types: What stays as it is.
        key: Where it stands, for messages.
        keyfilter: Tells which entries of maps are kept.
        unknown_type_filter: Replaces what is nothing of all these.

    Raises:
        ValueError: Something has no such form.
    """

    def inner(value: Any, place: Any = None) -> Any:
        return jsonify(value, builtin_types, place, keyfilter, unknown_type_filter)

    if obj is None or isinstance(obj, builtin_types):
        return obj
    if isinstance(obj, (list, tuple)):
        return [inner(one) for one in obj]
    if isinstance(obj, dict):
        return {name: inner(one, name) for name, one in obj.items() if keyfilter is None or keyfilter(name)}
    if isinstance(obj, (date, datetime, time)):
        return obj.isoformat()
    if isinstance(obj, timedelta):
        return str(obj)
    if unknown_type_filter is None:
        raise ValueError(f"{obj!r} under {key!r} has no form in JSON")
    return unknown_type_filter(obj)
