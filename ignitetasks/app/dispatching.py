"""The half of an application that sends: plans made of options, routes and settings, and calls by name or in bulk.

This file must not know how a client reaches its node.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ignitetasks import _state, context, origin, planning, sending, signals
from ignitetasks.app import naming, publishing, routes
from ignitetasks.app.arity import as_call
from ignitetasks.app.composing import is_tied
from ignitetasks.app.registering import Registering
from ignitetasks.app.routes import Router
from ignitetasks.bulk import Call, send_bulk
from ignitetasks.canvas import Signature, asking, launching
from ignitetasks.canvas import signature as make_signature
from ignitetasks.canvas.steps import mapped_task
from ignitetasks.client import Client
from ignitetasks.config import Settings
from ignitetasks.errors import RequestError
from ignitetasks.exceptions import AlwaysEagerIgnored
from ignitetasks.message import KEEP_BODY, TaskOptions
from ignitetasks.options import Plan
from ignitetasks.publishing import Published, wanted
from ignitetasks.result import AsyncResult, GroupResult, ResultSet
from ignitetasks.results import ResultList

_PLAIN_OPTIONS = TaskOptions()
_DEFAULTS = {name: one.default for name, one in TaskOptions.__dataclass_fields__.items()}
_MOST_PLANS = 10_000
#: Options of a call that have done their work once its queue is found.
_OF_BROKERS = ("exchange", "exchange_type", "routing_key")


class Dispatching(Registering):
    """Sends calls."""

    def __init__(self, name: str, base: Settings) -> None:
        self._eager = self._inherit = self._some_queues = self._extended = False
        self._plain = self._retry = True
        self._router: Router | None = None
        self._plans: dict[str, tuple[TaskOptions, Plan]] = {}
        super().__init__(name, base)

    @property
    def client(self) -> Client:
        """The client that sends; made at the first use."""
        raise NotImplementedError

    def _forget(self) -> None:
        super()._forget()
        self._router = None
        self._forget_queues()
        self._plans.clear()

    def forget_plans(self) -> None:
        """Forgets how calls without options are sent, which a forked child does under a name of its own."""
        self._plans.clear()
        for task in self._tasks.values():
            task.__dict__.pop("_plan", None)

    def _look(self) -> Router:
        """Works out how calls are sent; done again after settings have changed."""
        self._configure_once()  # first: who hears of it may change settings
        conf = self._conf
        router = self._router = Router(routes.prepare(conf.task_routes))
        self._eager = bool(conf.task_always_eager)
        self._inherit = bool(conf.task_inherit_parent_priority)
        self._plain = not self._eager and router.by_name and not self._inherit
        if conf.task_send_sent_event:
            signals.after_task_publish.connect(publishing.hear, weak=False, dispatch_uid="task-sent")
            sending.told = publishing.tell_bulk
        self._extended = bool(conf.result_extended)
        self._some_queues = not conf.task_create_missing_queues
        self._retry = bool(conf.task_publish_retry) and (conf.task_publish_retry_policy or {}).get("max_retries") != 0
        return router

    @property
    def router(self) -> Router:
        """The routes of the setting ``task_routes``."""
        return self._router or self._look()

    @property
    def eager(self) -> bool:
        """Whether calls run in the caller's process (``task_always_eager``)."""
        if self._router is None:
            self._look()
        return self._eager

    @property
    def plain(self) -> bool:
        """Whether the plan of a call without options depends on nothing but its task."""
        if self._router is None:
            self._look()
        return self._plain

    def plan(
        self,
        task: str,
        options: TaskOptions,
        call: Mapping[str, Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Plan:
        """Combines a task's options, routes and the options of one call.

        Args:
            task: Task name.
            options: What the task fixes.
            call: What this call was given; None means not given.
            args: Positional arguments, for routes that look at them.
            kwargs: Keyword arguments, for routes that look at them.

        Raises:
            InvalidOption: An option does not exist or has a value it cannot have.
            QueueNotFound: There is no such queue, and ``task_create_missing_queues`` is off.
        """
        router = self.router
        if router.by_name:
            kept = self._plans.get(task)
            if kept is None or kept[0] is not options:
                kept = (options, self._base_plan(router, task, options, (), {}, {}))
                if len(self._plans) >= _MOST_PLANS:
                    self._plans.clear()
                self._plans[task] = kept
            plan = kept[1]
            if not call and options.expires is None and not self._inherit:
                return plan
        else:
            plan = self._base_plan(router, task, options, args, kwargs or {}, call)
        call = self._completed(options, call)
        if call:
            plan = self._existing(planning.change_plan(plan, call, sending.now_ms()))
        return plan

    def _base_plan(
        self,
        router: Router,
        task: str,
        options: TaskOptions,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        call: Mapping[str, Any],
    ) -> Plan:
        plan = planning.base_plan(task, options, self.settings)
        if not self._retry:
            plan = plan._replace(retry=False)
        if self._extended:
            plan = plan._replace(template=plan.template._replace(flags=plan.template.flags | KEEP_BODY))
        # A map goes where what it calls would go.
        name = mapped_task(task)
        route = router.lookup_route(name, args, kwargs, call, self._tasks.get(name)) if router.routes else None
        if not route:
            return self._existing(plan)
        # What the task itself says wins over a route.
        open_to_routes = {
            name: value for name, value in route.items() if getattr(options, name, None) == _DEFAULTS.get(name)
        }
        return self._existing(planning.change_plan(plan, self._by_routing_key(open_to_routes), sending.now_ms()))

    def _existing(self, plan: Plan) -> Plan:
        """Returns a plan whose queue there is."""
        if self._some_queues:
            _ = self.amqp.queues[plan.template.queue]
        return plan

    def _completed(self, options: TaskOptions, call: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns the options of a call with what the app adds to them."""
        if "routing_key" in call:
            call = self._by_routing_key(call)
        call = planning.with_moments(call, self.timezone)
        if options.expires is not None and call.get("expires") is None:
            call = {**call, "expires": options.expires}
        if self._inherit and call.get("priority") is None:
            request = context.current_request()
            if request is not None and not request.called_directly:
                call = {**call, "priority": request.priority}
        return call

    def _by_routing_key(self, call: Mapping[str, Any]) -> Mapping[str, Any]:
        key = call.get("routing_key")
        if key is None or call.get("queue") is not None:
            return call
        queue = self.amqp.queues.by_routing_key(str(key), call.get("exchange"))
        kept = {name: value for name, value in call.items() if name not in _OF_BROKERS}
        return call if queue is None else {**kept, "queue": queue}

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        countdown: float | timedelta | None = None,
        eta: datetime | str | None = None,
        task_id: str | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Sends a call by the name of its task, whose code need not be here.

        Args:
            name: Task name.
            args: Positional arguments.
            kwargs: Keyword arguments.
            countdown: Seconds until it may run.
            eta: When it may run.
            task_id: Id to use instead of a new one.
            **options: As for `Task.apply_async`; ``result_cls``, the class of the handle, and ``task_type``, the task
                itself, which are given to a `send_task` of an app's own.
        """
        for option, value in (("countdown", countdown), ("eta", eta), ("task_id", task_id)):
            if value is not None:
                options[option] = value
        if options:
            kind = options.pop("result_cls", None)
            options = {key: value for key, value in options.items() if value is not None and key != "task_type"}
            sent = self._send_task(name, args, kwargs, options)
            custom = isinstance(kind, type) and not isinstance(sent, kind)
            return kind(sent.id) if custom else sent
        return self._send_task(name, args, kwargs, options)

    def _send_task(
        self, name: str, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
    ) -> AsyncResult[Any]:
        part_of_canvas: AsyncResult[Any] | None = asking.answered(self, name, args or (), kwargs or {}, options)
        if part_of_canvas is not None:
            return part_of_canvas
        absent = self.eager and name not in self._tasks
        if absent:
            warnings.warn(
                AlwaysEagerIgnored(f"task_always_eager: {name!r} is sent, since the code of the task is not here"),
                stacklevel=2,
            )
        elif self.eager:
            eager: AsyncResult[Any] = self._tasks[name].apply_async(args, kwargs, **options)
            return eager
        if options and is_tied(options):
            sig = self.signature(name, args, kwargs, options=options)
            asked = self.sends_its_own_way
            tied: AsyncResult[Any] = launching.launch(sig, self, (), {}, {}, asked, sent=absent)
            return tied
        if wanted():
            plan, sent_args, sent_kwargs = self._planned(name, args, kwargs, options)
            return publishing.send(self, name, plan, sent_args, sent_kwargs)
        plan, sent_args, sent_kwargs, body = self._encode(name, args, kwargs, options)
        return sending.send_one(self, plan, sent_args, sent_kwargs, body)

    @property
    def sends_its_own_way(self) -> bool:
        """Whether a class of a project's own, or a test, has put something else in the place of `send_task`."""
        return getattr(self.send_task, "__func__", None) is not Dispatching.send_task

    def published(self, calls: Sequence[Published]) -> None:
        """Tells who wants to hear of it that calls were sent; for what sends canvases."""
        publishing.tell_sent(self, calls)

    def _planned(
        self,
        name: str,
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        plan: Plan | None = None,
    ) -> tuple[Plan, Sequence[Any], Mapping[str, Any]]:
        naming.check_task_name(name)
        task = self._tasks.get(name)
        args, kwargs = as_call(args, kwargs)
        if task is not None:
            task._check(args, kwargs)
        if plan is None:
            plan = self.plan(name, task.options if task is not None else _PLAIN_OPTIONS, options, args, kwargs)
        return plan, args, kwargs

    def _encode(
        self,
        name: str,
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        plan: Plan | None = None,
    ) -> Call:
        plan, args, kwargs = self._planned(name, args, kwargs, options, plan)
        return plan, args, kwargs, sending.encode(self.client.codecs, name, plan, args, kwargs)

    def bulk(self, signatures: Iterable[Signature[Any]], *, progress: bool = False) -> ResultList[Any]:
        """Sends many calls of any tasks in few submits; when it returns, all are durable.

        Args:
            signatures: The calls, each with options of its own.
            progress: True shows a bar.

        Returns:
            The handles, in order.

        Raises:
            RequestError: A call is wrong; ``results`` has the handles sent before it.
        """
        total = len(signatures) if isinstance(signatures, Collection) else None
        return send_bulk(self, self._encoded(signatures), total=total, progress=progress)

    def _encoded(self, signatures: Iterable[Signature[Any]]) -> Iterator[Call]:
        plans: dict[str, Plan] = {}
        index = -1
        try:
            for one in signatures:
                index += 1
                if not isinstance(one, Signature):
                    raise RequestError(f"{one!r} is no signature; make one with task.s(...)")
                # Calls without options share their task's plan, and with it one group on the wire.
                plan = None if one.options or not self.plain else plans.get(one.task)
                call = self._encode(one.task, one.args, one.kwargs, one.options, plan)
                if not one.options:
                    plans[one.task] = call[0]
                yield call
        except RequestError as error:
            error.args = (f"call {index} of the bulk: {error}", *error.args[1:])
            raise

    def signature(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Signature[Any]:
        """Returns a call of a task by name as a value."""
        args, kwargs = as_call(args, kwargs)
        if not isinstance(name, str):
            made: Signature[Any] = make_signature(name, args, kwargs, app=self, **options)
            return made
        given = options.pop("options", None)
        immutable = bool(options.pop("immutable", False))
        return Signature(name, tuple(args), kwargs, {**(given or {}), **options}, immutable=immutable, app=self)

    subtask = signature

    @functools.cached_property
    def AsyncResult(self) -> type[AsyncResult[Any]]:
        """The class of the handles of this app's tasks: ``app.AsyncResult(id)`` is one; it may be derived from."""
        return type("AsyncResult", (AsyncResult,), {"bound_to": self, "__slots__": ()})

    @functools.cached_property
    def GroupResult(self) -> type[GroupResult[Any]]:
        """The class of handles of groups; its ``restore`` reads a saved one by this app's client."""
        return type("GroupResult", (GroupResult,), {"bound_to": self})

    @functools.cached_property
    def ResultSet(self) -> type[ResultSet[Any]]:
        """The class of sets of handles: ``app.ResultSet(handles)`` is one."""
        return type("ResultSet", (ResultSet,), {"bound_to": self})


def _forget_plans() -> None:
    # Without the lock of `_state.all_apps`: in a forked child a thread of the parent's may hold it for ever.
    for app in list(_state._apps):
        app.forget_plans()


origin.renewed.append(_forget_plans)
