"""How often calls of a task may start: what users write, what goes to the node, and limits set at run time.

The rate counts for the whole cluster; the node keeps it. This file must not send tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ignitetasks.errors import InvalidOption
from ignitetasks.store import Store
from ignitetasks.transport.base import Transport

BUCKET = "rate"
_UNITS = ("s", "m", "h")


def rate_text(value: object, what: str = "rate_limit") -> str:
    """Returns a rate as the node reads it; an empty text for none.

    Args:
        value: ``"10/s"``, ``"10/m"``, ``"1/h"``, a number a second, or None; 0 means that there is no limit.
        what: The option's name, for messages.

    Raises:
        InvalidOption: It is none of these.
    """
    if value is None or value == "":
        return ""
    number, unit = value, "s"
    if isinstance(value, str):
        text, slash, given = value.partition("/")
        unit = given if slash else "s"
        try:
            number = float(text)
        except ValueError:
            number = None
    usable = isinstance(number, (int, float)) and not isinstance(number, bool)
    if not usable or not math.isfinite(number) or number < 0 or unit not in _UNITS:  # type: ignore[arg-type, operator]
        raise InvalidOption(f"{what} must be such as '10/s', '10/m', '1/h', a number a second, or None, not {value!r}")
    return "" if number == 0 else f"{number:.12g}/{unit}"


def is_rate(value: object) -> bool:
    """Tells whether a value is a rate, or none."""
    try:
        rate_text(value)
    except InvalidOption:
        return False
    return True


def declared(tasks: Mapping[str, Any]) -> dict[str, str]:
    """Returns the rates that tasks declare, by name, as a worker tells them to the node.

    Args:
        tasks: Tasks, whose ``rate_limit`` is their own or the application's.
    """
    rates: dict[str, str] = {}
    for name, task in tasks.items():
        conf = getattr(getattr(task, "app", None), "conf", None)
        if conf is not None and conf.get("worker_disable_rate_limits"):
            continue
        text = rate_text(getattr(task, "rate_limit", None))
        if text:
            rates[name] = text
    return rates


def set_rate(transport: Transport, task: str, rate: object) -> None:
    """Sets the rate of a task for the whole cluster, durably; it wins over what code declares.

    Args:
        transport: The way to the node.
        task: Name of the task.
        rate: As for `rate_text`; None or 0 lifts the limit.

    Raises:
        InvalidOption: The rate cannot be understood.
    """
    Store(transport, BUCKET).put(task, rate_text(rate).encode())
    transport.call("rates_changed")


def reset_rate(transport: Transport, task: str) -> None:
    """Lets the rate that code declares count again.

    Args:
        transport: The way to the node.
        task: Name of the task.
    """
    Store(transport, BUCKET).delete(task)
    transport.call("rates_changed")


def rates_set(transport: Transport) -> dict[str, str]:
    """Returns the rates that were set at run time, by task; an empty text stands for a lifted limit."""
    return {task: entry.value.decode() for task, entry in Store(transport, BUCKET).list()}
