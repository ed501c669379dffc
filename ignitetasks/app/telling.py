"""Tells hooks, signals and events of an end that the node has decided and not the child that ran the task.

Runs in a worker's child, inside the task ``ignitetasks.settle``. This file must not decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ignitetasks import context, log, signals, states
from ignitetasks.app.hooks import request_class
from ignitetasks.app.trace import Watch, overridden
from ignitetasks.context import Request
from ignitetasks.errors import NotRegistered, Terminated
from ignitetasks.events import local
from ignitetasks.failure import Failure
from ignitetasks.utils.unixsignals import number_of

_log = log.get_logger("task")

#: How ends of the node's are called in records.
_EXPIRED, _TIME_LIMIT = "TaskExpiredError", "TimeLimitExceeded"
#: Hooks that are called for such an end.
_HOOKS = frozenset({"on_failure", "after_return"})


def wants_to_hear(tasks: Mapping[str, Any]) -> bool:
    """Tells whether hooks or signals of this process want to know of ends that no child decides.

    Args:
        tasks: The tasks by name.
    """
    if signals.task_failure.receivers or signals.task_revoked.receivers:
        return True
    return any(overridden(task) & _HOOKS or request_class(task) is not None for task in tasks.values())


def tell_end(app: Any, request: Request, state: int, failure: Failure | None, hostname: str | None) -> None:
    """Tells of one end.

    Args:
        app: The application.
        request: Of the task that has ended; its ``owner`` is the task, or None where this process has none.
        state: The wire state.
        failure: What the record says of the end.
        hostname: The worker that tells.
    """
    task = request.owner
    revoked = state == states.REVOKED_CODE
    # A child that has refused the task for its stamps is named in the record, and has sent the signal itself.
    refused = revoked and request.hostname is not None
    if local.enabled and getattr(task, "send_events", True):
        _send_event(app, request, revoked, failure, hostname)
    if task is None and failure is not None and failure.type_name == NotRegistered.__name__:
        _tell_unknown(request, failure)
    if task is None or refused:
        return
    token = context.enter(request)
    try:
        if revoked:
            signum = _signum(failure)
            signals.task_revoked.send(
                sender=task,
                request=request,
                terminated=signum is not None,
                signum=signum,
                expired=failure is not None and failure.type_name == _EXPIRED,
            )
            if signum is not None:
                Watch(task).killed(request, Terminated(signum))
        elif state in (states.FAILURE_CODE, states.DEAD_CODE) and failure is not None:
            Watch(task).lost(request, failure.rebuild(app.task_modules))
    finally:
        context.leave(token)


def _tell_unknown(request: Request, failure: Failure) -> None:
    error = NotRegistered(failure.message)
    _log.error("task of an unknown name was refused", task=request.task, task_id=request.id, error=str(error))
    signals.task_unknown.send(sender=None, name=request.task, id=request.id, message=None, exc=error)


def _signum(failure: Failure | None) -> int | None:
    name = (failure.state or {}).get("signal") if failure is not None else None
    return None if name is None else int(number_of(str(name)))


def _send_event(app: Any, request: Request, revoked: bool, failure: Failure | None, hostname: str | None) -> None:
    """Sends the event, where the supervisor that ended the process has not done so."""
    kind = failure.type_name if failure is not None else ""
    fields: dict[str, Any]
    if revoked and _signum(failure) is None:
        fields = {"type": "task-revoked", "terminated": False, "signum": None, "expired": kind == _EXPIRED}
    elif not revoked and failure is not None and kind != _TIME_LIMIT:
        fields = {"type": "task-failed", "exception": f"{kind}({failure.message!r})", "traceback": failure.traceback}
    else:
        return
    with app.events.default_dispatcher(hostname=hostname) as sender:
        sender.send(uuid=request.id, name=request.task, **fields)
