"""Remote control's questions that the ledger answers, since no worker's memory knows: scheduled, revoked, by stamp.

Reads page by page and stops at a limit. This file must not change anything.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ignitetasks import envelope, message, stamps, states
from ignitetasks.errors import IgniteTasksError
from ignitetasks.serializers import Codecs
from ignitetasks.transport.base import Transport

_PAGE_ROWS = 5_000
_INFO_IDS = 500
# Columns of a row of the node's `scan`.
_ID, _QUEUE, _STATE, _ETA_MS = 0, 2, 3, 6


def rows(transport: Transport) -> Iterator[Sequence[Any]]:
    """Yields one short row for each record, page by page; what changes meanwhile may be seen before or after."""
    cursor: str | None = None
    while True:
        cursor, page = transport.call("scan", cursor, _PAGE_ROWS)
        yield from page
        if cursor is None:
            return


def revoked(transport: Transport, limit: int) -> list[str]:
    """Returns ids of revoked tasks whose records are still kept.

    Args:
        transport: To the node.
        limit: Most ids.
    """
    found = []
    for row in rows(transport):
        if row[_STATE] == states.REVOKED_CODE:
            found.append(str(row[_ID]))
            if len(found) >= limit:
                break
    return found


def scheduled(transport: Transport, codecs: Codecs, queues: Collection[str], limit: int) -> list[dict[str, Any]]:
    """Returns the tasks whose time has not come, the soonest first, in the shape Celery tells of them.

    Args:
        transport: To the node.
        codecs: Decode the arguments.
        queues: Only tasks of these.
        limit: Most tasks.
    """
    now_ms = time.time() * 1000

    def due() -> Iterator[tuple[int, str]]:
        for row in rows(transport):
            if row[_ETA_MS] > now_ms and row[_STATE] < states.FIRST_TERMINAL_CODE and row[_QUEUE] in queues:
                yield row[_ETA_MS], row[_ID]

    soonest = heapq.nsmallest(limit, due())
    return [waiting(record, codecs) for record in infos(transport, [task_id for _, task_id in soonest])]


def waiting(record: Mapping[str, Any], codecs: Codecs) -> dict[str, Any]:
    """Returns what Celery tells of a task whose time has not come.

    Args:
        record: Of the node's `info`.
        codecs: Decode the arguments.
    """
    eta_ms = record.get("eta_ms") or 0
    eta = datetime.fromtimestamp(eta_ms / 1000, timezone.utc).isoformat() if eta_ms else None
    return {"eta": eta, "priority": record.get("priority", 0), "request": task_info(record, codecs)}


def task_info(record: Mapping[str, Any], codecs: Codecs) -> dict[str, Any]:
    """Returns what Celery tells of a task, of its record.

    Args:
        record: Of the node's `info`.
        codecs: Decode the arguments.
    """
    args, kwargs = _arguments(record, codecs)
    return {
        "id": record["id"],
        "name": record["task"],
        "args": args,
        "kwargs": kwargs,
        "type": record["task"],
        "hostname": record.get("worker"),
        "time_start": None,
        "acknowledged": False,
        "delivery_info": {
            "exchange": "",
            "routing_key": record["queue"],
            "priority": record.get("priority", 0),
            "redelivered": bool(record.get("deliveries")),
        },
        "worker_pid": None,
    }


def _arguments(record: Mapping[str, Any], codecs: Codecs) -> tuple[Any, Any]:
    body = record.get("body")
    if body is None or record.get("flags", 0) & message.BODY_REF:
        return "<kept beside the record>", {}
    try:
        return message.decode_body(codecs, record["task"], body)
    except IgniteTasksError as error:
        return f"<{error}>", {}


def infos(transport: Transport, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yields the records of these ids; those that are not there are left out.

    Args:
        transport: To the node.
        ids: Any number.
    """
    for start in range(0, len(ids), _INFO_IDS):
        for record in transport.call("info", list(ids[start : start + _INFO_IDS])):
            if isinstance(record, Mapping):
                yield record


def stamped(transport: Transport, codecs: Codecs, wanted: Mapping[str, Collection[Any]]) -> list[str]:
    """Returns ids of tasks that have not ended and bear one of some stamps.

    Args:
        transport: To the node.
        codecs: Decode the stamps.
        wanted: Values by the stamp's name.
    """
    open_ids = [str(row[_ID]) for row in rows(transport) if row[_STATE] < states.FIRST_TERMINAL_CODE]
    return [record["id"] for record in infos(transport, open_ids) if stamps.bears(_stamps(record, codecs), wanted)]


def _stamps(record: Mapping[str, Any], codecs: Codecs) -> Mapping[str, Any]:
    try:
        return envelope.decode(codecs, record.get("options")).get("S") or {}
    except IgniteTasksError:
        return {}  # of a code that is not accepted here: nobody here has stamped it
