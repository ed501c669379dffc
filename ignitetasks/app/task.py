"""`Task[P, R]`: a function that can also be called elsewhere. It stays callable, typed, and thin.

Its attributes are in `attributes`, its ways to be sent in `calling`; here is what it is and what happens around its
run. This file must not send anything, and knows nothing of workers.
"""

from __future__ import annotations

import functools
import importlib
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar, cast

from ignitetasks import _state, context, states
from ignitetasks.app import repeating
from ignitetasks.app.arity import arity_of, as_call
from ignitetasks.app.calling import Calls
from ignitetasks.app.hooks import HOOKS, Hooks
from ignitetasks.app.requeststack import RequestStack
from ignitetasks.context import Context, Request
from ignitetasks.errors import InvalidOption, MaxRetriesExceededError, OperationalError
from ignitetasks.errors import Retry as RetryRequest

__all__ = ["HOOKS", "BaseTask", "Context", "Task", "as_call"]

#: State of a task that tells how far it is without naming one.
PROGRESS = "PROGRESS"
#: Most characters of a state's name.
MAX_NAME = 255

P = ParamSpec("P")
R = TypeVar("R")


class Task(Hooks, Calls[P, R]):
    """A function with a name, options and an app; or the base of a class with a method `run`.

    Args:
        fn: The function; None where a class of its own defines `run`.
        name: The task's name, under which workers find it.
        app: Who sends its calls; None means the current app.
        given: Attributes that the decorator was given.

    Attributes:
        fn: The function.
        app: Who sends its calls.
    """

    MaxRetriesExceededError = MaxRetriesExceededError
    OperationalError = OperationalError

    _fn: Callable[..., Any] | None = None
    #: The function that `shared_task` made it of, in every application.
    shares: Any = None

    def __init__(
        self,
        fn: Callable[..., R] | None = None,
        name: str | None = None,
        app: Any = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        if fn is not None:
            self.define(fn, name or fn.__name__, app, given or {})

    def define(self, fn: Callable[..., Any], name: str, app: Any, given: Mapping[str, Any]) -> None:
        """Makes it the task of a function; done once, by the app's decorator.

        Args:
            fn: The function.
            name: The task's name.
            app: Who sends its calls.
            given: Attributes that the decorator was given.
        """
        given = dict(given)
        bound = given.pop("bind", False)
        if not isinstance(bound, bool):
            raise InvalidOption(f"bind must be True or False, not {bound!r}")
        functools.update_wrapper(cast("Callable[..., Any]", self), fn, updated=())
        put = functools.partial(object.__setattr__, self)
        put("_fn", fn)
        put("_bound", bound)
        put("name", name)
        put("_app", app)
        put("run", types.MethodType(fn, self) if bound else fn)
        put("__wrapped__", self.run)  # what it is called with: without the task that a bound function is given
        self.check_values(name, given)
        for attribute, value in given.items():
            put(attribute, self.as_method(attribute, value))
        self._look_at(fn, bound, app)

    def adopt(self, app: Any) -> None:
        """Makes it a task of an app; for an instance of a class with a method `run`."""
        put = functools.partial(object.__setattr__, self)
        put("_app", app)
        self.reset()
        if self._fn is None:
            self.__dict__.setdefault("__wrapped__", self.run)
            self.__dict__.setdefault("__name__", type(self).__name__)
            if type(self).run is not Task.run:
                self._look_at(self.run, False, app)
        self.on_bound(app)

    def _look_at(self, fn: Callable[..., Any], bound: bool, app: Any) -> None:
        wanted = getattr(app, "strict_typing", True) if self.typing is None else self.typing
        object.__setattr__(self, "_arity", arity_of(fn, bound) if wanted else None)

    def on_bound(self, app: Any) -> None:
        """Called when the task becomes one of an app; to be overridden."""

    @property
    def app(self) -> Any:
        """Who sends its calls."""
        return self._app or _state.get_current_app()

    @app.setter
    def app(self, app: Any) -> None:
        object.__setattr__(self, "_app", app)
        self.reset()

    def _get_current_object(self) -> Task[P, R]:
        """Returns the task itself, where Celery's has a stand-in until its application is complete."""
        return self

    def _get_app(self) -> Any:
        """Returns who sends its calls; extensions of tasks call it by this name."""
        return self.app

    @property
    def fn(self) -> Callable[..., Any]:
        """The user's function: that of the decorator, or the method `run` of a class."""
        return self._fn or self.run

    @property
    def target(self) -> Callable[..., Any]:
        """What a worker calls with the arguments alone."""
        custom = type(self).__call__ is not Task.__call__
        return cast("Callable[..., Any]", self) if custom else self.run

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """The body of the task; a class of its own defines it."""
        raise NotImplementedError(f"{type(self).__name__} has to define the method run")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Calls the function here and now."""
        current = context.current_request()
        running = current is not None and current.owner is self and not current.called_directly
        if running and type(self).__call__ is not Task.__call__:
            return self.run(*args, **kwargs)  # type: ignore[no-any-return]  # a worker came through its own __call__
        if self._app is not None:
            self._app.refuse_incomplete()
        token = context.enter((_direct_request, (self, args, kwargs)))
        try:
            return self.run(*args, **kwargs)  # type: ignore[no-any-return]
        finally:
            context.leave(token)

    def __repr__(self) -> str:
        return f"<Task {self.name}>" if self.name else f"<unbound {type(self).__name__}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        # A task is found by name where it is needed; its app and connections stay here.
        return (_find_task, (self.name, self.fn.__module__, getattr(self._app, "name", None)))

    @property
    def request(self) -> Request:
        """What is known about the running call; outside a worker it says ``called_directly``.

        Where nothing runs it is always the same object: a test may set what its task is to find there.
        """
        chosen = self.__dict__.get("_stack")
        if chosen is not None and chosen.top is not None:
            return chosen.top  # type: ignore[no-any-return]
        current = context.current_request()
        if current is None or (current.owner is not None and current.owner is not self and not current.is_eager):
            return self._idle_request() if current is None else self._request_behind(current)
        return current

    def _idle_request(self) -> Request:
        found: Request = self.__dict__.setdefault("_idle", Request(task=self.name, owner=self))
        return found

    def _request_behind(self, current: Request) -> Request:
        # Another task of the same name (a copy in another app) is the same task; anything else did not call this one.
        return current if current.task == self.name else self._idle_request()

    def push_request(self, *args: Any, **kwargs: Any) -> None:
        """Makes a request current, e.g. in a test of a bound task; `pop_request` takes it back."""
        request = Request()
        request.update({**dict(*args), **kwargs})
        self.request_stack.push(request)

    def pop_request(self) -> None:
        """Takes back the last `push_request`."""
        self.request_stack.pop()

    @property
    def request_stack(self) -> Any:
        """The requests of this task, the running one on top; to be pushed to, or replaced, in a test."""
        return self.__dict__.get("_stack") or RequestStack(self)

    @request_stack.setter
    def request_stack(self, stack: Any) -> None:
        object.__setattr__(self, "_stack", stack)

    @request_stack.deleter
    def request_stack(self) -> None:
        self.__dict__.pop("_stack", None)

    @property
    def backend(self) -> Any:
        """Where results are, under the name and with the methods of a result backend."""
        return self.__dict__.get("_backend") or self.app.backend

    @backend.setter
    def backend(self, backend: Any) -> None:
        object.__setattr__(self, "_backend", backend)

    # -- inside an execution --------------------------------------------------------------------------------------

    def retry(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | str | None = None,
        countdown: float | timedelta | None = None,
        max_retries: int | None = None,
        *,
        queue: Any = None,
        priority: int | None = None,
        expires: float | timedelta | datetime | str | None = None,
        **options: Any,
    ) -> RetryRequest:
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
            **options: Further options of a call; those that a repeat cannot change are named once in the log.

        Returns:
            What the task should raise, when ``throw`` is False.

        Raises:
            Retry: Told to the worker.
            MaxRetriesExceededError: No repeat is left and no ``exc`` was given.
            Exception: ``exc``, when no repeat is left, or outside a worker.
        """
        changes = {"queue": queue, "priority": priority, "expires": expires, **options}
        error = repeating.wish(self, args, kwargs, exc, (eta, countdown), max_retries, changes)
        if throw:
            raise error from exc
        return error

    @property
    def repeats_its_own_way(self) -> bool:
        """Whether a class of a project's own, or a test, has put something else in the place of `retry`."""
        return getattr(self.retry, "__func__", None) is not Task.retry

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: Any = None, **request: Any
    ) -> None:
        """Tells the cluster how far a task is; mostly inside the task itself.

        Readable as the handle's ``state`` and ``info`` while the task runs, told to whoever waits with
        ``get(on_message=...)``. May be called as often as is handy: the last word counts, and is written about ten
        times a second at most. ``SUCCESS`` and ``FAILURE`` inside a task are its end if it raises `Ignore` afterwards.

        Args:
            task_id: Id of this very execution, or None. Another id, or one from outside of a task, is shown in this
                state until that task says something of itself or ends; see `Backend.store_result`.
            state: Name of the state, such as ``"PROGRESS"`` (the default).
            meta: Anything that can be a result, up to 64 KiB encoded.
            **request: Handed on to `Backend.store_result`.

        Raises:
            InvalidOption: A running task cannot have this state.
            InvalidTaskError: The end of another task that the cluster knows.
            PayloadTooLarge: The value has more than 64 KiB.
        """
        name = PROGRESS if state is None else state
        current = self.request
        if task_id is not None and task_id != current.id:
            self.backend.store_result(task_id, meta, name, request=current, **request)
            return
        if current.report is not None and name in (states.SUCCESS, states.FAILURE):
            current.told = (name, meta)
            return
        if name in states.READY_STATES or not name or len(name) > MAX_NAME:
            raise InvalidOption(
                f"a running task cannot have the state {name!r}: give a name of your own, and end the task by "
                "returning, raising, `Reject` or `Ignore`"
            )
        if current.report is not None:
            current.report(name, meta)
            current.told = (name, meta)
        elif current.id is not None and not current.is_eager:
            self.backend.store_result(current.id, meta, name, request=current, **request)  # a request made by hand

    def send_event(self, type_: str, retry: bool = True, retry_policy: Any = None, **fields: Any) -> None:
        """Sends an event about the running task, whether or not events are on.

        Args:
            type_: Its type, such as ``task-progress``.
            retry: Accepted; events are sent once.
            retry_policy: Accepted.
            **fields: Its own fields, besides ``uuid``, ``hostname`` and ``timestamp``.
        """
        request = self.request
        with self.app.events.default_dispatcher(hostname=request.hostname) as sender:
            sender.send(type_, uuid=request.id, **fields)


#: Its name in older programs.
BaseTask = Task


def _direct_request(parts: tuple[Task[Any, Any], Sequence[Any], Mapping[str, Any]]) -> Request:
    task, args, kwargs = parts
    return Request(task=task.name, args=args, kwargs=dict(kwargs), owner=task)


def _find_task(name: str, module: str, app_name: str | None) -> Any:
    """Finds a task again when it is unpickled."""
    importlib.import_module(module)
    apps = [_state.get_current_app(), *_state.all_apps()]
    apps.sort(key=lambda app: app.name != app_name)
    for app in apps:
        task = app.tasks.get(name)
        if task is not None:
            return task
    raise LookupError(f"there is no task {name!r} in the applications of this process")
