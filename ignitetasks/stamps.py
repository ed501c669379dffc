"""Revokes by stamp: which values of which stamps keep a task from running, for the whole cluster.

One small value of the cluster holds all of them. Whoever is about to run a task that bears stamps looks there first;
tasks without stamps cost nothing. This file must not look for tasks: see ``app.ledger``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from ignitetasks import wire
from ignitetasks.store import Store
from ignitetasks.transport.base import Transport

BUCKET = "stamps"
_KEY = "revoked"
#: Seconds that a revoke by stamp holds.
STAY_SECONDS = 86_400.0
#: Most values that are remembered; the oldest are forgotten first.
MOST = 10_000

#: Values by the stamp's name.
Stamps = Mapping[str, Any]


def several(value: Any) -> list[Any]:
    """Returns the values of a stamp, which may be one or several."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def bears(stamps: Stamps, wanted: Mapping[str, Collection[Any]]) -> bool:
    """Tells whether one of a task's stamps has one of these values.

    Args:
        stamps: The task's.
        wanted: Values by the stamp's name.
    """
    return any(one in wanted[name] for name, value in stamps.items() if name in wanted for one in several(value))


def revoke(transport: Transport, headers: Stamps) -> None:
    """Keeps tasks from running that bear one of these values, now and for a day.

    Args:
        transport: To the node.
        headers: Value or values by the stamp's name.
    """
    now = time.time()
    new = [[name, one, now + STAY_SECONDS] for name, values in headers.items() for one in several(values)]

    def change(old: bytes | None) -> bytes:
        kept = [row for row in _rows(old) if row[2] > now and row[:2] not in [one[:2] for one in new]]
        return wire.pack([*kept, *new][-MOST:])

    Store(transport, BUCKET).update(_KEY, change, STAY_SECONDS)


def forget(transport: Transport, headers: Stamps | None = None) -> None:
    """Takes revokes back, so that tasks submitted from now on run; what has ended as REVOKED stays so.

    Args:
        transport: To the node.
        headers: Value or values by the stamp's name; None means all.
    """

    def change(old: bytes | None) -> bytes | None:
        wanted = None if headers is None else {name: several(value) for name, value in headers.items()}
        kept = [row for row in _rows(old) if wanted is not None and row[1] not in wanted.get(row[0], ())]
        return wire.pack(kept) if kept else None

    Store(transport, BUCKET).update(_KEY, change, STAY_SECONDS)


def revoked(transport: Transport) -> dict[str, list[Any]]:
    """Returns the values that are revoked, by the stamp's name."""
    entry = Store(transport, BUCKET).get(_KEY)
    found: dict[str, list[Any]] = {}
    now = time.time()
    for name, value, due in _rows(entry.value if entry is not None else None):
        if due > now:
            found.setdefault(name, []).append(value)
    return found


def _rows(data: bytes | None) -> list[list[Any]]:
    rows: list[list[Any]] = wire.unpack(data) if data else []
    return rows
