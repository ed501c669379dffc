"""Makes the request that a running task sees of a delivery. This file must not run anything."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ignitetasks import continuing, envelope, message
from ignitetasks.context import Request
from ignitetasks.message import TaskOptions
from ignitetasks.serializers import Codecs
from ignitetasks.worker.model import (
    ATTEMPT,
    CREATED_MS,
    DELIVERIES,
    ETA_MS,
    EXPIRES_MS,
    FENCE,
    FLAGS,
    GROUP_ID,
    ID,
    OPTIONS,
    PARENT_ID,
    PRIORITY,
    QUEUE,
    ROOT_ID,
    Delivery,
    RunnableTask,
)


def request_of(
    task: RunnableTask,
    codecs: Codecs,
    hostname: str,
    limits: tuple[int, int],
    delivery: Delivery,
    args: list[Any],
    kwargs: dict[str, Any],
) -> Request:
    """Make the request that the running task sees.

    Args:
        task: The task.
        codecs: The process's encodings.
        hostname: The worker's name.
        limits: Soft and hard limit in milliseconds, 0 for none.
        delivery: As it came from the node.
        args: Its positional arguments.
        kwargs: Its keyword arguments.

    Returns:
        The request.
    """
    headers, overrides = message.decode_call_options(delivery[OPTIONS])
    canvas = envelope.decode(codecs, delivery[OPTIONS])
    soft_ms, hard_ms = limits
    queue, priority, lost = delivery[QUEUE], delivery[PRIORITY], delivery[DELIVERIES]
    given = overrides.get("properties", {})
    return Request(
        id=delivery[ID],
        task=task.name,
        args=args,
        kwargs=kwargs,
        retries=delivery[ATTEMPT],
        deliveries=lost,
        fence=delivery[FENCE],
        eta=_text(delivery[ETA_MS]),
        expires=_text(delivery[EXPIRES_MS]),
        created=_moment(delivery[CREATED_MS]),
        headers=headers,
        queue=queue,
        priority=priority,
        root_id=delivery[ROOT_ID] or delivery[ID],
        parent_id=delivery[PARENT_ID],
        group=delivery[GROUP_ID],
        hostname=hostname,
        timelimit=[hard_ms / 1000 or None, soft_ms / 1000 or None],
        delivery_info={"exchange": "", "routing_key": queue, "priority": priority, "redelivered": lost > 0},
        called_directly=False,
        ignore_result=bool(delivery[FLAGS] & message.IGNORE_RESULT),
        shadow=overrides.get("shadow"),
        origin=overrides.get("origin"),
        reply_to=given.get("reply_to"),
        properties={"correlation_id": delivery[ID], "priority": priority, "delivery_mode": 2, **given},
        options=overrides,
        owner=task,
        **continuing.ties_of(getattr(task, "app", None), delivery[ID], canvas),
    )


def options_of(task: RunnableTask, delivery: Delivery) -> TaskOptions:
    """Return a task's options with what the call says otherwise.

    Args:
        task: The task.
        delivery: As it came from the node.

    Returns:
        The options.
    """
    if not delivery[OPTIONS]:
        return task.options
    overrides = message.decode_call_options(delivery[OPTIONS])[1]
    known = {name: value for name, value in overrides.items() if name in TaskOptions.__dataclass_fields__}
    return task.options.evolve(**known) if known else task.options


def _text(milliseconds: int) -> str | None:
    moment = _moment(milliseconds)
    return None if moment is None else moment.isoformat()


def _moment(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc) if milliseconds > 0 else None
