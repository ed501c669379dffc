"""Sends prepared calls: ids, large arguments beside the gateway, one submit, and what its answer means.

Users meet it through `app.task.Task` and `app.base.IgniteTasks`. This file must not check options or arguments; it
is given encoded bodies and a `Plan`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ignitetasks import context, metrics
from ignitetasks.client import Client, ResultSource
from ignitetasks.errors import IdempotencyConflict, PayloadTooLarge
from ignitetasks.ids import fingerprint, id_from_key, new_id
from ignitetasks.message import (
    BODY_REF,
    CONFLICT,
    IGNORE_RESULT,
    Group,
    Item,
    Session,
    Template,
    body_blob_id,
    encode_body,
)
from ignitetasks.options import Plan
from ignitetasks.result import AsyncResult, handle_class
from ignitetasks.serializers import Codecs, Data, compress

#: Values beside the ledger outlive the longest wait of their task; the sweeper takes them with the record before.
BLOB_TTL_MS = 400 * 86_400_000

#: Hears of the groups of calls that were sent in bulk, with who has sent them; None where nobody does.
told: Callable[[Any, Sequence[Group]], None] | None = None


class Prepared(NamedTuple):
    """One call that is ready to be sent.

    Attributes:
        template: What goes on the wire.
        item: Id, body or its reference, fingerprint.
    """

    template: Template
    item: Item


def with_ancestry(template: Template) -> Template:
    """Adds parent and root to a call that is made inside a running task."""
    request = context.current_request()
    if request is None or request.id is None:
        return template
    root, parent = template.root_id or request.root_id or request.id, template.parent_id or request.id
    return template._replace(root_id=root, parent_id=parent)


def choose_id(client: Client, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, bool]:
    """Returns the id of a call, and whether it may be taken already."""
    if plan.task_id is not None:
        return plan.task_id, True
    key = plan.key
    if callable(key):
        # None from the task's own function means: this call has no key.
        key = key(*args, **kwargs)
    template = plan.template
    if key is None:
        return new_id(template.queue), False
    return id_from_key(client.settings.namespace, template.task, key), True


def encode(codecs: Codecs, task: str, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Data:
    """Encodes the arguments of a call as its plan says, and compresses them where it says so.

    Raises:
        SerializationError: An argument cannot be encoded.
    """
    return compress(encode_body(codecs, task, args, kwargs, plan.serializer), plan.compression)


def prepare(client: Client, template: Template, task_id: str, body: Data, checked: bool) -> Prepared:
    """Makes the item of one call; arguments over the inline limit are stored beside the ledger first.

    Raises:
        PayloadTooLarge: The arguments are larger than ``max_payload_bytes``.
    """
    mark = fingerprint(template.task, body) if checked else None
    settings = client.settings
    if len(body) > settings.inline_limit:
        if len(body) > settings.max_payload_bytes:
            raise PayloadTooLarge(
                f"{template.task}: the arguments take {len(body)} bytes, more than max_payload_bytes "
                f"({settings.max_payload_bytes}); pass a reference to where the data is instead"
            )
        ref = client.transport.put_blob(body_blob_id(task_id, mark), body, BLOB_TTL_MS)
        return Prepared(template._replace(flags=template.flags | BODY_REF), (task_id, ref.pack(), mark))
    return Prepared(template, (task_id, body, mark))


def send_one(
    source: ResultSource,
    plan: Plan,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    body: Data,
    chosen: tuple[str, bool] | None = None,
) -> AsyncResult[Any]:
    """Sends one call and returns its handle once it is durable.

    Args:
        source: Whose client sends, and answers for the result.
        plan: How.
        args: Positional arguments, for a key that depends on them.
        kwargs: Keyword arguments, for a key that depends on them.
        body: The encoded arguments.
        chosen: What `choose_id` said, where it was asked already.

    Raises:
        IdempotencyConflict: The id or key belongs to another task or other arguments.
        NotConnected: Surely not sent.
        OutcomeUnknown: Perhaps sent; the same id or key settles it.
    """
    client = source.client
    task_id, checked = chosen or choose_id(client, plan, args, kwargs)
    template, item = prepare(client, with_ancestry(plan.template), task_id, body, checked)
    ahead = None if template.flags & IGNORE_RESULT else client.hub.ahead()
    answer = client.transport.submit((Group(template, (item,)),), 0, None if plan.retry else 0.0, ahead)
    return handle_of(source, plan, Prepared(template, item), answer.session, answer.exceptions)


def handle_of(
    source: ResultSource,
    plan: Plan,
    prepared: Prepared,
    session: Session,
    exceptions: Sequence[tuple[int, int, int]],
) -> AsyncResult[Any]:
    """Returns the handle of a call that was submitted.

    Args:
        source: Answers for the result.
        plan: How it was sent.
        prepared: What was sent.
        session: The session that will be told of its end.
        exceptions: What the node's answer says of it beside that it is new.

    Raises:
        IdempotencyConflict: The id or key belongs to another task or other arguments.
    """
    template, task_id = prepared.template, prepared.item[0]
    # The node tells nobody about ends without a result, so such a handle has to ask.
    epoch = None if template.flags & IGNORE_RESULT else source.client.hub.epoch(session)
    kind = handle_class(source)
    result: AsyncResult[Any] = kind(task_id, None, template.task, source, queue=template.queue, epoch=epoch)
    if exceptions:
        if exceptions[0][1] == CONFLICT:
            raise IdempotencyConflict(conflict_text(plan, task_id))
        metrics.duplicates.inc()
        result.created = False
        result._epoch = None  # another session submitted it, so its completion has to be asked for
    else:
        metrics.submitted.inc()
    result.ignored = bool(template.flags & IGNORE_RESULT)
    if template.parent_id is not None:
        note_child(result)
    return result


def note_child(result: Any) -> None:
    """Notes among the children of the running task what it has just sent."""
    request = context.made_request()
    if request is not None and getattr(request.owner, "trail", True):
        request.children.append(result)


def conflict_text(plan: Plan, task_id: str) -> str:
    """Returns the message of an `IdempotencyConflict`."""
    template = plan.template
    by_id = plan.task_id is not None or callable(plan.key)
    what = f"id {task_id!r}" if by_id else f"idempotency_key {plan.key!r}"
    return f"{what} of {template.task} was already used for another call; repeat a call with the same arguments"


def now_ms() -> int:
    """Returns the present in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
