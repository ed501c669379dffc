"""`Task.retry`: what a task may wish when it asks to be run again. This file must not run anything."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from ignitetasks import planning, sending
from ignitetasks.errors import MaxRetriesExceededError, Retry
from ignitetasks.message import TaskOptions

_PLAIN = TaskOptions()


def wish(
    task: Any,
    args: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    exc: BaseException | None,
    when: tuple[Any, Any],
    max_retries: int | None,
    changes: Mapping[str, Any],
) -> Retry:
    """Returns the request to run a task again.

    Args:
        task: The task that runs.
        args: New positional arguments; None keeps them.
        kwargs: New keyword arguments; None keeps them.
        exc: The error that led here.
        when: ``eta`` and ``countdown`` as given.
        max_retries: Repeats this task may have, instead of its option.
        changes: Other options of the repeat.

    Raises:
        Exception: ``exc``, when no repeat is left, or outside a worker.
        MaxRetriesExceededError: No repeat is left and no ``exc`` was given.
        Retry: The task was called directly, without ``exc``.
    """
    if isinstance(exc, type):
        exc = exc()
    request = task.request
    if request.called_directly:
        _give_up(exc, Retry(f"{task.name} was called directly: nobody can run it again", exc))
    allowed = request.options.get("max_retries", task.max_retries) if max_retries is None else max_retries
    if allowed is not None and request.retries >= allowed:
        text = f"{task.name}[{request.id}] has used its {allowed} retries (args:{request.args} kwargs:{request.kwargs})"
        refusal = MaxRetriesExceededError(text, task_args=request.args, task_kwargs=request.kwargs)
        request.given_up = exc or refusal
        _give_up(exc, refusal)
    new_call = None
    if args is not None or kwargs is not None:
        new_call = (tuple(request.args if args is None else args), dict(request.kwargs if kwargs is None else kwargs))
        task._check(*new_call)
    changes = planning.with_moments({**changes, "eta": when[0]}, task.app.timezone)
    eta, countdown = changes["eta"], when[1]
    if eta is None and countdown is None:
        countdown = _pause(task.options, request.retries)
    given = {**changes, "countdown": countdown}
    template = planning.make_plan(task.name, _PLAIN, task.app.settings, given, sending.now_ms()).template
    return Retry(
        None,
        exc,
        eta if eta is not None else countdown,
        request.is_eager,
        task.signature_from_request(request, args, kwargs, **{k: v for k, v in given.items() if v is not None}),
        eta_ms=template.eta_ms,
        call=new_call,
        queue=template.queue if changes.get("queue") is not None else None,
        priority=changes.get("priority"),
        expires_ms=template.expires_ms if changes.get("expires") is not None else None,
    )


def by_itself(task: Any, error: BaseException) -> BaseException:
    """Asks a task's own `retry` about an error that is repeated by itself.

    Args:
        task: The task that runs; its class, or a test, has put something else in the place of `Task.retry`.
        error: What it raised.

    Returns:
        A `Retry`, or what the task is to fail with.
    """
    request, options = task.request, task.options
    given = dict(task.retry_kwargs or {})
    if options.retry_backoff:
        # Also where none is left: `retry` itself says so.
        given["countdown"] = replace(options.retry_policy, max_retries=None).next_delay(request.retries)
    try:
        answer = task.retry(exc=error, **given)
    except BaseException as raised:
        answer = raised
    if isinstance(answer, Retry):
        return answer
    failure = answer if isinstance(answer, BaseException) else error
    request.given_up = failure
    return failure


def _pause(options: TaskOptions, retries: int) -> float:
    """Returns the pause where the caller names none."""
    pause = options.retry_policy.next_delay(retries) if options.retry_backoff else options.default_retry_delay
    # None where max_retries was raised by the caller beyond the option.
    return options.default_retry_delay if pause is None else pause


def _give_up(exc: BaseException | None, otherwise: BaseException) -> NoReturn:
    if exc is not None:
        raise exc
    raise otherwise from sys.exc_info()[1]
