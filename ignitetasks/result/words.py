"""What is told of a task from outside its runs: states of programs' own, by id; kept beside the ledger for a while.

A word never changes what becomes of a task: it is shown as long as the task has not ended and says nothing of itself.
This file must not write to records.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from ignitetasks import wire
from ignitetasks.client import Client
from ignitetasks.errors import PayloadTooLarge
from ignitetasks.failure import failure_of, rebuild
from ignitetasks.message import PROGRESS_LIMIT, decode_result, encode_result

_BUCKET: Final = "states"


def tell(
    client: Client,
    task_id: str,
    state: str,
    meta: Any,
    serializer: str,
    ttl_seconds: float,
    traceback: str | None = None,
) -> None:
    """Says in which state a task is.

    Args:
        client: The way to the cluster.
        task_id: Any id, also of a task nobody has sent.
        state: Its name.
        meta: What belongs to the state; an exception is rebuilt by who reads it.
        serializer: How that is encoded.
        ttl_seconds: How long the word is kept.
        traceback: Formatted traceback of an exception.

    Raises:
        PayloadTooLarge: The value has more than 64 KiB.
    """
    failed = isinstance(meta, BaseException)
    encoded = (
        failure_of(meta, traceback).encode() if failed else encode_result(client.codecs, task_id, meta, serializer)
    )
    payload = bytes(encoded)
    if len(payload) > PROGRESS_LIMIT:
        raise PayloadTooLarge(
            f"what is told of {task_id} has {len(payload)} bytes, at most {PROGRESS_LIMIT} are kept; "
            "tell where to find the rest"
        )
    client.store(_BUCKET).put(task_id, wire.pack([state, payload, failed]), ttl_seconds=ttl_seconds)


def told(client: Client, task_id: str, modules: Collection[str] = ()) -> tuple[str, Any] | None:
    """Returns state and value that were told of a task last, or None.

    Args:
        client: The way to the cluster.
        task_id: The task's id.
        modules: Modules that may be imported to rebuild an exception.
    """
    found = client.store(_BUCKET).get(task_id)
    if found is None:
        return None
    state, payload, *failed = wire.unpack(found.value)
    value = rebuild(payload, modules) if any(failed) else decode_result(client.codecs, task_id, payload)
    return str(state), value
