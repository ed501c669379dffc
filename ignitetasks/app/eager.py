"""Runs a call here and now, in the caller's process, as a worker would: same request, same hooks, same ends.

Repeats run at once, without their pauses. Time limits do not apply: there is no process to kill. This file must not
send anything.
"""

from __future__ import annotations

import inspect
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import context, deferred, errors, message, states
from ignitetasks.app import repeating
from ignitetasks.app.trace import Watch, as_retry, log_failed, log_rejected
from ignitetasks.context import Request
from ignitetasks.envelope import Replaced
from ignitetasks.failure import ExceptionInfo
from ignitetasks.ids import new_id
from ignitetasks.result import AsyncResult, EagerResult, denied_join_result


def send(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], call: Mapping[str, Any]) -> AsyncResult[Any]:
    """Runs what was to be sent (``task_always_eager``).

    The arguments are encoded and decoded first: what could not be sent fails here, too.

    Args:
        task: The task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        call: Options of the call.
    """
    app = task.app
    options = dict(call)
    links = {name: options.pop(name, None) for name in ("link", "link_error")}
    plan = app.plan(task.name, task.options, {name: value for name, value in options.items() if name != "task_id"})
    body = message.encode_body(app.client.codecs, task.name, args, kwargs, plan.serializer)
    decoded, kwargs = message.decode_body(app.client.codecs, task.name, body)
    args = tuple(decoded) if isinstance(args, tuple) else decoded
    task_id = options.pop("task_id", None)
    # As in a worker, what the task sends may not be waited for.
    with denied_join_result():
        done: AsyncResult[Any] = apply(task, args, kwargs, task_id, 0, None, {**options, **links})
    return done


def apply(
    task: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    task_id: str | None,
    retries: int,
    throw: bool | None,
    options: Mapping[str, Any],
) -> EagerResult[Any]:
    """Runs a call and returns its finished handle.

    Args:
        task: The task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        task_id: Id to use instead of a new one.
        retries: How many times it shall believe to have been repeated.
        throw: True raises what the task raises; None means the setting ``task_eager_propagates``.
        options: Options of the call.
    """
    conf = task.app.conf
    queue = str(options.get("queue") or task.options.queue or task.app.settings.default_queue)
    request = _request(task, args, dict(kwargs), task_id or new_id(queue), retries, queue, options)
    watch = Watch(task, eager=True)
    while True:
        state, value = _run_once(task, request, watch)
        if state != states.RETRY:
            break
        request = _repeated(request, value)
    einfo = ExceptionInfo(value) if isinstance(value, BaseException) and state in states.EXCEPTION_STATES else None
    if einfo is not None and state != states.REJECTED and (conf.task_eager_propagates if throw is None else throw):
        raise einfo.exception
    result: EagerResult[Any] = EagerResult(request.id or "", value, state, einfo and einfo.traceback, name=task.name)
    if task.options.store_eager_result and not request.ignore_result and state in (states.SUCCESS, states.FAILURE):
        task.backend.store_result(request.id, value, state, einfo and einfo.traceback, request)
    _run_links(task, request, result)
    return result


def _request(
    task: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    task_id: str,
    retries: int,
    queue: str,
    options: Mapping[str, Any],
) -> Request:
    parent = context.current_request()
    parent_id = parent.id if parent is not None else None
    priority = options.get("priority") or task.options.priority
    callbacks = [_as_list(options.get(name)) for name in ("link", "link_error")]
    return Request(
        id=task_id,
        task=task.name,
        args=args,
        kwargs=kwargs,
        retries=retries,
        headers=dict(options.get("headers") or {}),
        queue=queue,
        priority=priority,
        root_id=options.get("root_id") or (parent.root_id if parent is not None else None) or task_id,
        parent_id=options.get("parent_id") or parent_id,
        group=options.get("group_id"),
        group_index=options.get("group_index"),
        hostname=socket.gethostname(),
        timelimit=_limits(task, options),
        delivery_info={
            "is_eager": True,
            "exchange": options.get("exchange"),
            "routing_key": options.get("routing_key") or queue,
            "priority": priority,
            "redelivered": False,
        },
        called_directly=False,
        is_eager=True,
        loglevel=options.get("loglevel", 0),
        logfile=options.get("logfile"),
        origin=options.get("origin"),
        reply_to=options.get("reply_to"),
        ignore_result=bool(options.get("ignore_result", task.options.ignore_result)),
        callbacks=callbacks[0],
        errbacks=callbacks[1],
        rest=lambda: options.get("chain"),
        chord=options.get("chord"),
        shadow=options.get("shadow"),
        replaced_task_nesting=options.get("replaced_task_nesting", 0),
        stamped_headers=options.get("stamped_headers"),
        stamps={name: options.get(name) for name in options.get("stamped_headers") or ()} or None,
        owner=task,
    )


def _limits(task: Any, options: Mapping[str, Any]) -> list[float | None] | None:
    """Returns hard and soft limit; None where there is neither."""
    hard = options.get("time_limit") or task.time_limit
    soft = options.get("soft_time_limit") or task.soft_time_limit
    return [hard, soft] if hard or soft else None


def _as_list(value: Any) -> list[Any] | None:
    if value is None:
        return None
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _run_once(task: Any, request: Request, watch: Watch) -> tuple[str, Any]:
    """Runs the task once; returns its state, and the value or the exception."""
    token = context.enter(request)
    try:
        try:
            began = watch.started(request)
            try:
                value = task.target(*request.args, **request.kwargs)
            except Replaced as replaced:
                value = replaced.sig.apply(**_place(replaced.sig, request)).get(disable_sync_subtasks=False)
            if inspect.iscoroutine(value):
                value = deferred.load("asyncio").run(value)
            if isinstance(value, errors.Retry):
                raise value  # returned by ``retry(throw=False)``: it is a wish all the same
        except errors.Reject as error:
            watch.report_failure(request, error, ExceptionInfo(error))
            watch.refused(request, states.REJECTED, error)
            log_rejected(request, error)
            return states.REJECTED, error
        except errors.Ignore as error:
            watch.refused(request, states.IGNORED, error)
            return states.IGNORED, error
        except errors.Retry as error:
            watch.retried(request, error)
            return states.RETRY, error
        except Exception as error:
            end = _after(task, request, error)
            if isinstance(end, errors.Retry):
                watch.retried(request, end)
                return states.RETRY, end
            watch.failed(request, end)
            log_failed(request, end, task.options.throws)
            return states.FAILURE, end
        watch.succeeded(request, value, began)
        return states.SUCCESS, value
    finally:
        context.leave(token)


def _place(sig: Any, request: Request) -> dict[str, Any]:
    """Returns the options that give a single call the place of the task it replaces; a canvas has ids of its own."""
    nesting = request.replaced_task_nesting + 1
    return {} if sig.subtask_type else {"task_id": request.id, "replaced_task_nesting": nesting}


def _after(task: Any, request: Request, error: BaseException) -> BaseException:
    """Returns a `Retry` where an error is repeated by itself, else what the task fails with."""
    policy = task.options.retry_policy
    if not policy.matches(error) or error is request.given_up:
        return error
    if task.repeats_its_own_way:
        return repeating.by_itself(task, error)
    return error if policy.exhausted(request.retries) else as_retry(error, 0.0)


def _repeated(request: Request, reason: BaseException) -> Request:
    fields = {name: getattr(request, name) for name in Request.__dataclass_fields__}
    call = getattr(reason, "call", None)
    if call is not None:
        fields.update(args=call[0], kwargs=dict(call[1]))
    for name in ("queue", "priority"):
        if getattr(reason, name, None) is not None:
            fields[name] = getattr(reason, name)
    return Request(**{**fields, "retries": request.retries + 1, "given_up": None})


def _run_links(task: Any, request: Request, result: EagerResult[Any]) -> None:
    """Runs what follows a success or a failure; the task is the parent of that."""
    token = context.enter(request)
    try:
        if result.state == states.SUCCESS:
            for link in request.callbacks or ():
                sig = _as_signature(task, link)
                # A call of a task whose code is not here cannot run here.
                run = sig.apply if sig.subtask_type or sig.task in task.app.tasks else sig.apply_async
                run((result.result,))
        elif result.state == states.FAILURE:
            for link in request.errbacks or ():
                _run_errback(task, request, link, result)
    finally:
        context.leave(token)


def _run_errback(task: Any, request: Request, link: Any, result: EagerResult[Any]) -> None:
    signature = _as_signature(task, link)
    errback = task.app.tasks.get(signature.task)
    fn = getattr(errback, "run", None)
    if fn is not None and _takes_request(fn):
        token = context.enter(Request(task=errback.name, owner=errback))
        try:
            errback.run(request, result.result, result.traceback)
        finally:
            context.leave(token)
    else:
        signature.apply((request.id,))


def _takes_request(fn: Any) -> bool:
    """Tells whether an errback takes request, exception and traceback, and not only the id of what failed."""
    try:
        parameters = inspect.signature(fn).parameters.values()
    except (TypeError, ValueError):
        return False
    required = [
        one
        for one in parameters
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return len(required) > 1


def _as_signature(task: Any, link: Any) -> Any:
    made = task.app.signature(link) if isinstance(link, Mapping) and not hasattr(link, "apply") else link
    return made.clone() if hasattr(made, "clone") else made
