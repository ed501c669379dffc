"""Tells who wants to hear of it that a run is to be repeated, as of any call that is sent.

Receivers of ``before_task_publish`` may change the headers and arguments of the repeat. Only used where there are
receivers; this file must not decide whether a task is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ignitetasks import context, message, publishing
from ignitetasks.context import Request
from ignitetasks.serializers import Data
from ignitetasks.worker.model import (
    EXPIRES_MS,
    FLAGS,
    HARD_MS,
    ID,
    OPTIONS,
    PARENT_ID,
    PRIORITY,
    QUEUE,
    ROOT_ID,
    SOFT_MS,
    Delivery,
    RunnableTask,
)

# Positions in what an outcome says of a repeat.
_ETA_MS, _BODY, _QUEUE, _PRIORITY, _EXPIRES_MS, _FLAGS = 0, 1, 2, 3, 5, 6

Call = tuple[Sequence[Any], Mapping[str, Any]]


class RepeatedRunner(Protocol):
    """What this file needs of a runner."""

    task: RunnableTask

    def encode_call(self, args: Any, kwargs: Any, delivery: Delivery, eta_ms: int) -> tuple[Data, int]:
        """Encodes a repeat's new arguments; returns the body and its flags."""


def repeat(runner: RepeatedRunner, delivery: Delivery, extra: list[Any], call: Call | None) -> list[Any]:
    """Tells who wants to hear of it that a task is sent again; the run is still the current one.

    Args:
        runner: Has run it.
        delivery: What has run.
        extra: What the outcome says of the repeat.
        call: Its new arguments; None where they stay.

    Returns:
        What the outcome is to say, with what receivers have made of it.
    """
    request = context.current_request()
    if request is None or not publishing.wanted():
        return extra
    before = call or (request.args, request.kwargs)
    told = publishing.announce(
        request.task or "", delivery[ID], _template(request, delivery, extra), *before, *_told_of(request)
    )
    changed = list(extra)
    if not same(before, (told.args, told.kwargs)):
        changed[_BODY], changed[_FLAGS] = runner.encode_call(told.args, told.kwargs, delivery, extra[_ETA_MS])
    options, part = told.template.options, message.decode_extra(delivery[OPTIONS]) if delivery[OPTIONS] else None
    if part is not None:
        options = message.with_canvas(options, part)
    if options != delivery[OPTIONS]:
        changed.append(options)
    runner.task.app.published([told])  # type: ignore[attr-defined]
    return changed


def _template(request: Request, delivery: Delivery, extra: Sequence[Any]) -> message.Template:
    return message.Template(
        task=request.task or "",
        queue=extra[_QUEUE] or delivery[QUEUE],
        priority=delivery[PRIORITY] if extra[_PRIORITY] < 0 else extra[_PRIORITY],
        eta_ms=extra[_ETA_MS],
        expires_ms=delivery[EXPIRES_MS] if extra[_EXPIRES_MS] < 0 else extra[_EXPIRES_MS],
        flags=delivery[FLAGS],
        soft_ms=delivery[SOFT_MS],
        hard_ms=delivery[HARD_MS],
        options=delivery[OPTIONS],
        root_id=delivery[ROOT_ID],
        parent_id=delivery[PARENT_ID],
        group_id=request.group,
    )


def _told_of(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns further headers of a repeat, and what follows it."""
    more = {name: getattr(request, name) for name in ("group_index", "stamped_headers", "replaced_task_nesting")}
    more = {**more, "retries": request.retries + 1, "stamps": request.stamps or {}}
    return more, {name: getattr(request, name) for name in ("callbacks", "errbacks", "chain", "chord")}


def same(one: Call, other: Call) -> bool:
    """Tells whether two calls have the very same arguments; asks none of them what it is equal to."""
    (args, kwargs), (others, other_kwargs) = one, other
    if len(args) != len(others) or list(kwargs) != list(other_kwargs):
        return False
    pairs = [*zip(args, others, strict=True), *((kwargs[name], other_kwargs[name]) for name in kwargs)]
    return all(mine is his for mine, his in pairs)
