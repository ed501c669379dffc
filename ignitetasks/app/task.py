"""`Task[P, R]`: a function that can also be called elsewhere. It stays callable, typed, and thin.

A task checks arguments and options and encodes them; `sending` and `bulk` do the rest. This file knows its app
only as `canvas.Sender`, and nothing of workers.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime, timedelta
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, cast

from ignitetasks import context, message, sending
from ignitetasks import options as call_options
from ignitetasks.bulk import Call, send_bulk
from ignitetasks.canvas import Sender, Signature
from ignitetasks.errors import ArgumentError, InvalidOption, MaxRetriesExceededError, RequestError, Retry
from ignitetasks.ids import Key
from ignitetasks.message import TaskOptions
from ignitetasks.options import Plan
from ignitetasks.result import AsyncResult
from ignitetasks.results import ResultList

P = ParamSpec("P")
R = TypeVar("R")


class _Arity:
    """Checks arguments against a function's signature; the common case by two comparisons."""

    def __init__(self, fn: Callable[..., Any], bound: bool) -> None:
        signature = inspect.signature(fn)
        parameters = list(signature.parameters.values())
        if bound:
            if not parameters:
                raise InvalidOption(f"{fn.__qualname__}: a task with bind=True needs a first parameter for itself")
            if parameters[0].kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
                parameters = parameters[1:]
        self.signature = signature.replace(parameters=parameters)
        positional = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
        self._fewest = sum(1 for one in positional if one.default is one.empty)
        self._most = len(positional)
        if any(one.kind is one.VAR_POSITIONAL for one in parameters):
            self._most = sys.maxsize
        if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
            self._fewest = sys.maxsize  # cannot be met by position alone: always the full check

    def check(self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Raises `ArgumentError` when the call could not be made."""
        if not kwargs and self._fewest <= len(args) <= self._most:
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{task}{self.signature} cannot be called like this: {error}") from None


class Task(Generic[P, R]):
    """A function with a name, options and an app.

    Args:
        fn: The function.
        name: The task's name, under which workers find it.
        app: Who sends its calls.
        options: What the decorator fixed.

    Attributes:
        fn: The function.
        name: The task's name.
        app: Who sends its calls.
        options: What the decorator fixed.
    """

    MaxRetriesExceededError = MaxRetriesExceededError

    def __init__(self, fn: Callable[..., R], name: str, app: Sender, options: TaskOptions) -> None:
        functools.update_wrapper(cast("Callable[..., Any]", self), fn)
        self.fn = fn
        self.name = name
        self.app = app
        self.options = options
        self._arity = _Arity(fn, options.bind) if options.typing and _has_signature(fn) else None
        self._plan: Plan | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function here and now."""
        return self.fn(self, *args, **kwargs) if self.options.bind else self.fn(*args, **kwargs)

    run = __call__

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # A task is found by name where it is needed; its app and connections stay here.
        return (_find_task, (self.fn.__module__, self.fn.__qualname__))

    @property
    def request(self) -> context.Request:
        """What is known about the running call; outside a worker it says ``called_directly``."""
        return context.current_request() or context.Request(task=self.name)

    @property
    def max_retries(self) -> int | None:
        """Repeats after the first run; None means without end."""
        return self.options.max_retries

    def _default_plan(self) -> Plan:
        plan = self._plan
        if plan is None:
            plan = self._plan = self.app.plan(self.name, self.options, {})
        return plan

    def reset(self) -> None:
        """Forgets what was derived from the app's settings, after these have changed."""
        self._plan = None

    def _check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if self._arity is not None:
            self._arity.check(self.name, args, kwargs)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Sends a call; when it returns, the task is durable.

        Returns:
            The handle of the task.

        Raises:
            ArgumentError: The arguments do not fit the function.
            SerializationError: An argument cannot be encoded; the message names it.
            NotConnected: Surely not sent.
            OutcomeUnknown: Perhaps sent.
        """
        return self._send(self._plan or self._default_plan(), args, kwargs)

    def _send(self, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AsyncResult[R]:
        if self._arity is not None:
            self._arity.check(self.name, args, kwargs)
        app = self.app
        body = message.encode_body(app.client.codecs, self.name, args, kwargs, plan.serializer)
        return sending.send_one(app, plan, args, kwargs, body)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        *,
        queue: str | None = None,
        priority: int | None = None,
        countdown: float | timedelta | None = None,
        eta: datetime | None = None,
        expires: float | timedelta | datetime | None = None,
        idempotency_key: Key | None = None,
        headers: Mapping[str, Any] | None = None,
        ignore_result: bool | None = None,
        soft_time_limit: float | None = None,
        time_limit: float | None = None,
        max_deliveries: int | None = None,
        acks_late: bool | None = None,
        serializer: str | None = None,
        result_expires: float | None = None,
        track_started: bool | None = None,
        retry: bool | None = None,
        **unknown: Any,
    ) -> AsyncResult[R]:
        """Sends a call with options; when it returns, the task is durable.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            task_id: Id to use instead of a new one; the same id again is the same task.
            queue: Queue to send to.
            priority: 0 to 255, higher runs first.
            countdown: Seconds until it is due.
            eta: When it is due; a naive datetime counts as UTC.
            expires: Seconds or time after which it must not start any more.
            idempotency_key: The same key again is the same task (``created`` is then False).
            headers: Plain data for the task's ``request.headers``.
            ignore_result: True keeps no result.
            soft_time_limit: Seconds after which ``SoftTimeLimitExceeded`` is raised inside it.
            time_limit: Seconds after which its process is killed.
            max_deliveries: Starts that may be lost with their process.
            acks_late: False runs it at most once.
            serializer: ``msgpack``, ``json`` or ``pickle``.
            result_expires: Seconds its record is kept after the end.
            track_started: True makes the state STARTED visible.
            retry: False tries to send once, without repeats.
            **unknown: Refused, with the name that was probably meant.

        Raises:
            InvalidOption: An option does not exist or has a value it cannot have.
            ArgumentError: The arguments do not fit the function.
            SerializationError: An argument cannot be encoded.
            IdempotencyConflict: The key or id belongs to other arguments.
            NotConnected: Surely not sent.
            OutcomeUnknown: Perhaps sent.
        """
        call = {
            "task_id": task_id, "queue": queue, "priority": priority, "countdown": countdown, "eta": eta,
            "expires": expires, "idempotency_key": idempotency_key, "headers": headers,
            "ignore_result": ignore_result, "soft_time_limit": soft_time_limit, "time_limit": time_limit,
            "max_deliveries": max_deliveries, "acks_late": acks_late, "serializer": serializer,
            "result_expires": result_expires, "track_started": track_started, "retry": retry, **unknown,
        }  # fmt: skip
        plan = self.app.plan(self.name, self.options, call)
        return self._send(plan, *as_call(args, kwargs))

    def bulk(self, calls: Iterable[Any], *, progress: bool = False, **options: Any) -> ResultList[R]:
        """Sends many calls in few submits; when it returns, all are durable.

        Args:
            calls: One argument tuple (or list) per call, a map of keyword arguments, a signature of this task, or
                a single value for a task of one argument that is none of these.
            progress: True shows a bar.
            **options: As for `apply_async`, for all calls; ``idempotency_key`` is a function of their arguments.

        Returns:
            The handles, in order.

        Raises:
            RequestError: A call is wrong; the message has its index, ``results`` the handles sent before it.
        """
        key = options.get("idempotency_key")
        if options.get("task_id") is not None or (key is not None and not callable(key)):
            raise InvalidOption(
                "bulk takes no task_id, and idempotency_key only as a function of the arguments: "
                "one id or key cannot stand for many calls"
            )
        plan = self.app.plan(self.name, self.options, options)
        total = len(calls) if isinstance(calls, Sized) else None
        return send_bulk(
            self.app,
            self._encoded(calls, plan),
            total=total,
            progress=progress,
            queue=plan.template.queue,
            task=self.name,
        )

    def _encoded(self, calls: Iterable[Any], plan: Plan) -> Iterator[Call]:
        codecs, name, serializer, arity = self.app.client.codecs, self.name, plan.serializer, self._arity
        encode = message.encode_body
        none: dict[str, Any] = {}
        index = -1
        try:
            for call in calls:
                index += 1
                kwargs: Mapping[str, Any] = none
                args: Sequence[Any]
                if type(call) is tuple:
                    args = call
                else:
                    args, kwargs = self._one_call(call)
                if arity is not None:
                    arity.check(name, args, kwargs)
                yield plan, args, kwargs, encode(codecs, name, args, kwargs, serializer)
        except RequestError as error:
            error.args = (f"call {index} of the bulk: {error}", *error.args[1:])
            raise

    def _one_call(self, call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
        if isinstance(call, (tuple, list)):
            return call, {}
        if isinstance(call, Mapping):
            return (), call
        if isinstance(call, Signature):
            if call.task != self.name or call.options:
                raise ArgumentError(f"{call!r} is another task or has options of its own; use app.bulk for mixed calls")
            return call.args, call.kwargs
        return (call,), {}

    def s(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """Returns a call of this task as a value."""
        return Signature(self.name, args, kwargs, app=self.app)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """Returns a call of this task as a value that takes no further arguments."""
        return Signature(self.name, args, kwargs, immutable=True, app=self.app)

    def signature(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Signature[R]:
        """Returns a call of this task with options as a value."""
        args, kwargs = as_call(args, kwargs)
        return Signature(self.name, tuple(args), kwargs, options, app=self.app)

    def AsyncResult(self, task_id: str) -> AsyncResult[R]:  # Celery's name
        """Returns the handle of a task by its id."""
        return AsyncResult(task_id, self.app, task_name=self.name)

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: float | timedelta | None = None,
        max_retries: int | None = None,
        *,
        queue: str | None = None,
        priority: int | None = None,
        expires: float | timedelta | datetime | None = None,
    ) -> Retry:
        """Asks the worker to run the task again; for use inside a task, as ``raise self.retry(exc=error)``.

        Args:
            args: New positional arguments; None keeps them.
            kwargs: New keyword arguments; None keeps them.
            exc: The error that led here; raised when no repeat is left.
            throw: False returns the request to repeat instead of raising it.
            eta: When to run again.
            countdown: Seconds until it runs again; None means ``default_retry_delay``, or the backoff.
            max_retries: Repeats this task may have, instead of its option.
            queue: Another queue.
            priority: Another priority.
            expires: Another expiry.

        Returns:
            What the task should raise, when ``throw`` is False.

        Raises:
            Retry: Told to the worker.
            MaxRetriesExceededError: No repeat is left and no ``exc`` was given.
            Exception: ``exc``, when no repeat is left, or outside a worker.
        """
        request = self.request
        if request.called_directly:
            self._give_up(exc, Retry(f"{self.name} was called directly: nobody can run it again", exc))
        allowed = self.options.max_retries if max_retries is None else max_retries
        if allowed is not None and request.retries >= allowed:
            self._give_up(exc, MaxRetriesExceededError(f"{self.name}[{request.id}] has used its {allowed} retries"))
        new_call = None
        if args is not None or kwargs is not None:
            new_call = (
                tuple(request.args if args is None else args),
                dict(request.kwargs if kwargs is None else kwargs),
            )
            self._check(*new_call)
        wish = self._retry_wish(request.retries, eta, countdown, queue, priority, expires)
        error = Retry("", exc, eta_ms=wish[0], call=new_call, queue=queue, priority=priority, expires_ms=wish[1])
        if throw:
            raise error from exc
        return error

    def _give_up(self, exc: BaseException | None, otherwise: BaseException) -> NoReturn:
        if exc is not None:
            raise exc
        raise otherwise from sys.exc_info()[1]

    def _retry_wish(
        self, retries: int, eta: Any, countdown: Any, queue: str | None, priority: int | None, expires: Any
    ) -> tuple[int, int | None]:
        """Checks the options of a retry; returns its time, and its expiry where it has one."""
        now = sending.now_ms()
        if eta is None and countdown is None:
            options = self.options
            policy = options.retry_policy
            countdown = policy.next_delay(retries) if options.retry_backoff else options.default_retry_delay
            if countdown is None:  # max_retries was raised by the caller beyond the option
                countdown = options.default_retry_delay
        given = {"queue": queue, "priority": priority, "expires": expires, "eta": eta, "countdown": countdown}
        template = call_options.make_plan(self.name, TaskOptions(), self.app.settings, given, now).template
        return template.eta_ms, template.expires_ms if expires is not None else None


def as_call(args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Returns arguments as they are sent.

    Raises:
        ArgumentError: ``args`` is no list or tuple, or ``kwargs`` no map with text keys.
    """
    if args is None:
        args = ()
    elif not isinstance(args, (list, tuple)):
        raise ArgumentError(f"args must be a list or tuple of positional arguments, not {type(args).__name__}")
    if kwargs is None:
        kwargs = {}
    elif not _is_keywords(kwargs):
        raise ArgumentError(f"kwargs must be a map with text keys, not {type(kwargs).__name__}")
    return args, kwargs if isinstance(kwargs, dict) else dict(kwargs)


def _is_keywords(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _has_signature(fn: Callable[..., Any]) -> bool:
    try:
        inspect.signature(fn)
    except (TypeError, ValueError):
        return False
    return True


def _find_task(module: str, qualname: str) -> Any:
    """Finds a task again when it is unpickled."""
    return operator.attrgetter(qualname)(sys.modules[module])
