"""The ways to send a task: `delay`, `apply_async`, `bulk`, as a signature, or run here by `apply`.

Checks arguments and encodes them; `sending` and `bulk` do the rest. This file must not know how a task is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from ignitetasks import deferred, message, sending
from ignitetasks.app import eager, publishing
from ignitetasks.app.arity import Arity, as_call
from ignitetasks.app.attributes import OF_A_CALL, Attributes
from ignitetasks.app.composing import Composing, is_tied
from ignitetasks.bulk import Call, send_bulk
from ignitetasks.canvas import Signature, asking, launching
from ignitetasks.errors import ArgumentError, InvalidOption, RequestError
from ignitetasks.ids import Key
from ignitetasks.options import Plan
from ignitetasks.publishing import wanted
from ignitetasks.result import AsyncResult, handle_class
from ignitetasks.results import ResultList
from ignitetasks.serializers import compress

P = ParamSpec("P")
R = TypeVar("R")


class Calls(Attributes, Composing[P, R]):
    """What a task can be sent by."""

    _app: Any = None
    _plan: Plan | None = None
    _arity: Arity | None = None
    #: Makes maps of the models among the arguments of a call, for tasks that take models.
    _as_sent: Callable[[Sequence[Any], Mapping[str, Any]], tuple[Sequence[Any], Mapping[str, Any]]] | None = None

    def reset(self) -> None:
        """Forgets what was derived from attributes and the app's settings, after these have changed."""
        self.__dict__.pop("_options", None)
        self.__dict__.pop("_plan", None)

    def _default_plan(self) -> Plan:
        """Returns the plan of calls without options; kept where nothing else than the name decides about it."""
        plan: Plan = self.app.plan(self.name, self.options, {})
        if self.app.plain and self.options.expires is None:
            object.__setattr__(self, "_plan", plan)
        return plan

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
        plan = self._plan
        if plan is None or self._sends_its_own_way or self.names_its_calls or self.app.sends_its_own_way:
            return self.apply_async(args, kwargs)
        return self._send(plan, args, kwargs)

    def shadow_name(self, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> str | None:
        """Returns the name that logs and events show of a call, or None for the task's; to be overridden.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            options: Options of the call.
        """
        return None

    @property
    def names_its_calls(self) -> bool:
        """Whether a class of a project's own has a `shadow_name`."""
        return getattr(self.shadow_name, "__func__", None) is not _SHADOW_NAME

    @property
    def _sends_its_own_way(self) -> bool:
        """Whether a class of a project's own, or a test, has put something in the place of `apply_async`; or models."""
        return self._as_sent is not None or getattr(self.apply_async, "__func__", None) is not _APPLY_ASYNC

    def _send(self, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AsyncResult[R]:
        if self._arity is not None:
            self._arity.check(self.name, args, kwargs)
        app = self._app or self.app
        if wanted():
            sent = publishing.send(app, self.name, plan, args, kwargs)
        else:
            body = sending.encode(app.client.codecs, self.name, plan, args, kwargs)
            sent = sending.send_one(app, plan, args, kwargs, body)
        return sent if getattr(self.AsyncResult, "__func__", None) is _ASYNC_RESULT else self._own_handle(sent)

    def _own_handle(self, sent: AsyncResult[R]) -> AsyncResult[R]:
        """Returns a handle as a class of a project's own makes it."""
        made = self.AsyncResult(sent.id)
        if isinstance(made, AsyncResult):
            for name in ("created", "ignored", "_queue", "_epoch"):
                setattr(made, name, getattr(sent, name))
        return made

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
        producer: Any = None,
        link: Any = None,
        link_error: Any = None,
        shadow: str | None = None,
        *,
        queue: Any = None,
        priority: int | None = None,
        countdown: float | timedelta | None = None,
        eta: datetime | str | None = None,
        expires: float | timedelta | datetime | str | None = None,
        idempotency_key: Key | None = None,
        headers: Mapping[str, Any] | None = None,
        ignore_result: bool | None = None,
        soft_time_limit: float | None = None,
        time_limit: float | None = None,
        max_deliveries: int | None = None,
        acks_late: bool | None = None,
        serializer: str | None = None,
        compression: str | None = None,
        result_expires: float | None = None,
        track_started: bool | None = None,
        retry: bool | None = None,
        **more: Any,
    ) -> AsyncResult[R]:
        """Sends a call with options; when it returns, the task is durable.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            task_id: Id to use instead of a new one; the same id again is the same task.
            producer: Accepted, and not needed.
            link: What runs after its success: a signature or several.
            link_error: What runs after its failure: a signature or several.
            shadow: Name to show in logs and events instead of the task's.
            queue: Queue to send to, by name or as an object.
            priority: 0 to 255, higher runs first.
            countdown: Seconds until it is due.
            eta: When it is due, as a datetime or its ISO 8601 text; without a zone it is in the time zone of the app.
            expires: Seconds or time (as `eta`) after which it must not start any more.
            idempotency_key: The same key again is the same task (``created`` is then False).
            headers: Plain data for the task's ``request.headers``.
            ignore_result: True keeps no result.
            soft_time_limit: Seconds after which ``SoftTimeLimitExceeded`` is raised inside it.
            time_limit: Seconds after which its process is killed.
            max_deliveries: Starts that may be lost with their process.
            acks_late: False runs it at most once.
            serializer: ``msgpack``, ``json``, ``yaml`` or ``pickle``.
            compression: How large arguments are compressed: ``gzip``, ``bzip2`` or ``lzma``.
            result_expires: Seconds its record is kept after the end.
            track_started: True makes the state STARTED visible.
            retry: False tries to send once, without repeats.
            **more: Further options of Celery's: ``root_id``, ``parent_id``, ``retry_policy``, ``add_to_parent``, and
                those that have no meaning here, named once in the log. Any other name is refused.

        Raises:
            InvalidOption: An option does not exist or has a value it cannot have.
            ArgumentError: The arguments do not fit the function.
            SerializationError: An argument cannot be encoded.
            IdempotencyConflict: The key or id belongs to other arguments.
            NotConnected: Surely not sent.
            OutcomeUnknown: Perhaps sent.
        """
        call = {
            "task_id": task_id, "producer": producer, "link": link, "link_error": link_error, "shadow": shadow,
            "queue": queue, "priority": priority, "countdown": countdown, "eta": eta, "expires": expires,
            "idempotency_key": idempotency_key, "headers": headers, "ignore_result": ignore_result,
            "soft_time_limit": soft_time_limit, "time_limit": time_limit, "max_deliveries": max_deliveries,
            "acks_late": acks_late, "serializer": serializer, "compression": compression,
            "result_expires": result_expires, "track_started": track_started, "retry": retry, **more,
        }  # fmt: skip
        call = {name: value for name, value in call.items() if value is not None}
        given_kwargs = kwargs
        args, kwargs = as_call(args, kwargs)
        if self._as_sent is not None and (serializer or self.serializer) != "pickle":
            args, kwargs = self._as_sent(args, kwargs)
        self.name_call(args, kwargs, call)
        app = self.app
        if app.sends_its_own_way and not app.eager:
            told = self._told_to_app(call)
            return app.send_task(self.name, tuple(args), given_kwargs, **told)  # type: ignore[no-any-return]
        part_of_canvas: AsyncResult[R] | None = asking.answered(app, self.name, args, kwargs, call)
        if part_of_canvas is not None:
            return part_of_canvas
        if app.eager:
            self._check(args, kwargs)
            return eager.send(self, args, kwargs, call)
        if not call and app.plain:
            return self._send(self._plan or self._default_plan(), args, kwargs)
        if is_tied(call):
            tied: AsyncResult[R] = launching.launch(
                self.signature(list(args), kwargs, call), app, (), {}, {}, asked=True
            )
            return tied
        return self._send(app.plan(self.name, self.options, call, args, kwargs), args, kwargs)

    def _told_to_app(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a call as an app's own `send_task` gets them: with what the task itself says."""
        given = {name: self._said(name) for name in _TOLD}
        return {
            **given, "producer": None, "link": None, "link_error": None, "shadow": None, "task_id": None,
            "ignore_result": bool(self.ignore_result), "task_type": self, "result_cls": self.AsyncResult, **call,
        }  # fmt: skip

    def name_call(self, args: Sequence[Any], kwargs: Mapping[str, Any], call: dict[str, Any]) -> None:
        """Puts into a call's options the name it is shown under, where the task's class has one for it."""
        if "shadow" not in call and self.names_its_calls:
            shadow = self.shadow_name(args, kwargs, call)
            if shadow:
                call["shadow"] = shadow

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Sends a call from a coroutine, without blocking the event loop; see `delay`.

        Returns:
            The handle of the task; ``await`` it for the result.
        """
        return await self.aapply_async(args, kwargs)

    async def aapply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Sends a call with options from a coroutine; what many coroutines send at once goes in one submit.

        A call that is cancelled may have been sent or not; its id or idempotency key settles that.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            **options: As for `apply_async`.
        """
        part = deferred.load("sender")
        call = {name: value for name, value in options.items() if value is not None}
        args, kwargs = as_call(args, kwargs)
        self.name_call(args, kwargs, call)
        app = self._app or self.app
        if app.eager or wanted() or self._sends_its_own_way or app.sends_its_own_way:
            # These run code of others right here: it may block, or want an event loop of its own.
            return await part.in_thread(self.apply_async, args, kwargs, **call)  # type: ignore[no-any-return]
        self._check(args, kwargs)
        plan = app.plan(self.name, self.options, call, args, kwargs) if call else self._plan or self._default_plan()
        body = sending.encode(app.client.codecs, self.name, plan, args, kwargs)
        return await part.send_one(app, plan, args, kwargs, body)  # type: ignore[no-any-return]

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        link: Any = None,
        link_error: Any = None,
        task_id: str | None = None,
        retries: int = 0,
        throw: bool | None = None,
        **options: Any,
    ) -> Any:
        """Runs a call here and now, as a worker would; repeats run at once.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            link: What runs after its success.
            link_error: What runs after its failure.
            task_id: Id to use instead of a new one.
            retries: How many times it shall believe to have been repeated.
            throw: True raises what the task raises; None means the setting ``task_eager_propagates``.
            **options: As for `apply_async`.

        Returns:
            The finished handle.
        """
        args, kwargs = as_call(args, kwargs)
        self._check(args, kwargs)
        options = {**options, "link": link, "link_error": link_error}
        return eager.apply(self, args, kwargs, task_id, retries, throw, options)

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
            self._encoded(calls, plan, None if self.app.router.by_name else options),
            total=total,
            progress=progress,
            queue=plan.template.queue,
            task=self.name,
        )

    def _encoded(self, calls: Iterable[Any], plan: Plan, routed: Mapping[str, Any] | None) -> Iterator[Call]:
        """Yields the calls; ``routed`` has the options of all where a route looks at the arguments of each."""
        codecs, name, serializer, arity = self.app.client.codecs, self.name, plan.serializer, self._arity
        encode, method = message.encode_body, plan.compression
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
                if routed is not None:
                    plan = self.app.plan(name, self.options, routed, args, kwargs)
                body = encode(codecs, name, args, kwargs, serializer)
                yield plan, args, kwargs, compress(body, method) if method else body
        except RequestError as error:
            error.args = (f"call {index} of the bulk: {error}", *error.args[1:])
            raise

    def _one_call(self, call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
        if isinstance(call, Signature):
            if call.task != self.name or call.options:
                raise ArgumentError(f"{call!r} is another task or has options of its own; use app.bulk for mixed calls")
            return call.args, call.kwargs
        if isinstance(call, (tuple, list)):
            return call, {}
        if isinstance(call, Mapping):
            return (), call
        return (call,), {}

    def AsyncResult(self, task_id: str, **options: Any) -> AsyncResult[R]:  # Celery's name
        """Returns the handle of a task by its id; ``options`` are arguments of `AsyncResult`."""
        options = {"task_name": self.name, "app": self.app, **options}
        return handle_class(options["app"])(task_id, **options)


#: What an app's own `send_task` is told of a task, besides the options of the call.
_TOLD = (*OF_A_CALL, "delivery_mode", "exchange", "immediate", "mandatory")
#: What `delay` may do without; made here, where the class is complete.
_APPLY_ASYNC = Calls.apply_async
_ASYNC_RESULT = Calls.AsyncResult
_SHADOW_NAME = Calls.shadow_name
