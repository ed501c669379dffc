"""`IgniteTasks`: the registry of an application's tasks, and their way to a cluster.

Making an app starts nothing; the first send connects. This file knows all of the client library and nothing of
workers: whoever runs tasks is handed the app.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from ignitetasks import deferred, message, sending
from ignitetasks import options as call_options
from ignitetasks.app.control import Control
from ignitetasks.app.task import Task, as_call
from ignitetasks.bulk import Call, send_bulk
from ignitetasks.canvas import Signature
from ignitetasks.client import Client, shared_client
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError, DuplicateTask, RequestError
from ignitetasks.message import TaskOptions
from ignitetasks.options import Plan
from ignitetasks.result import AsyncResult, set_default_source
from ignitetasks.results import ResultList
from ignitetasks.transport.base import Transport

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN_OPTIONS = TaskOptions()

_apps: weakref.WeakSet[IgniteTasks] = weakref.WeakSet()
_apps_lock = threading.Lock()


class IgniteTasks:
    """An application: named tasks and the settings they are sent with.

    Args:
        name: The application's name, used in messages and for tasks of a script without a file.
        settings: Complete settings; None means those of the environment.
        **overrides: Single settings that win over the environment, e.g. ``data_dir=...``, ``cluster=...``.

    Attributes:
        name: As given.
        main: Task names of functions in ``__main__`` start with this: the script's file name without its end.
    """

    def __init__(self, name: str = "app", *, settings: Settings | None = None, **overrides: Any) -> None:
        if not _is_name(name):
            raise ConfigurationError(f"an app's name is a text that is not empty, not {name!r}")
        if settings is not None and overrides:
            raise ConfigurationError("give either settings= or single settings, not both")
        self.name = name
        self.main = _main_name() or name
        self._settings = settings or Settings.from_env(**overrides)
        self._tasks: dict[str, Task[Any, Any]] = {}
        self._client: Client | None = None
        _apps.add(self)
        set_default_source(self)

    def __repr__(self) -> str:
        return f"<IgniteTasks {self.name!r}: {len(self._tasks)} tasks>"

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def tasks(self) -> dict[str, Task[Any, Any]]:
        """The app's tasks by name."""
        return self._tasks

    @property
    def task_modules(self) -> Collection[str]:
        """Modules the app's tasks are defined in; exceptions of these may be rebuilt here."""
        return {task.fn.__module__ for task in self._tasks.values()}

    @property
    def client(self) -> Client:
        """The client that sends; made at the first use, shared by apps with equal settings."""
        client = self._client
        if client is None:
            client = self._client = shared_client(self._settings)
        return client

    @property
    def transport(self) -> Transport:
        """The way to the node; connects at the first call, and again in each process."""
        return self.client.transport

    def configure(self, **changes: Any) -> None:
        """Changes single settings, e.g. from a command line; what is sent from now on uses them.

        Raises:
            ConfigurationError: A setting does not exist or has a value it cannot have.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        known = {one.name for one in fields(Settings)}
        for name in given:
            if name not in known:
                raise ConfigurationError(f"unknown setting {name!r}; the settings are: {', '.join(sorted(known))}")
        self._settings = replace(self._settings, **given)
        self._client = None
        for task in self._tasks.values():
            task.reset()

    @property
    def control(self) -> Control:
        """Remote control of the workers, and what the cluster keeps of tasks: see `Control`."""
        return Control(self)

    def use_transport(self, transport: Transport) -> Client:
        """Sends through a given transport from now on, e.g. one made for a test or for a worker's own node."""
        self._client = Client(self._settings, transport)
        return self._client

    def close(self) -> None:
        """Closes the app's connections; a later send opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __enter__(self) -> IgniteTasks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @overload
    def task(self, fn: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(
        self, /, *, name: str | None = None, bind: Literal[True], **options: Any
    ) -> Callable[[Callable[Concatenate[Task[..., Any], P], R]], Task[P, R]]: ...
    @overload
    def task(
        self, /, *, name: str | None = None, bind: Literal[False] = False, **options: Any
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...
    def task(self, fn: Any = None, /, *, name: str | None = None, bind: bool = False, **options: Any) -> Any:
        """Makes a task of a function; with or without parentheses.

        Args:
            fn: The function, when used without parentheses.
            name: The task's name; None means module and function name.
            bind: True passes the task itself as the function's first argument.
            **options: See `TaskOptions`.

        Raises:
            InvalidOption: An option does not exist or has a value it cannot have.
            DuplicateTask: Another function has the name already.
        """

        def register(function: Callable[..., Any]) -> Task[Any, Any]:
            if _is_no_function(function):
                raise ConfigurationError(f"a task is made of a function, not of {function!r}")
            task_name = name or self.task_name(function)
            chosen = call_options.task_options(task_name, {**options, "bind": bind})
            return self._add(Task(function, task_name, self, chosen))

        return register if fn is None else register(fn)

    def task_name(self, fn: Callable[..., Any]) -> str:
        """Returns the name a function gets as a task.

        Module and function; for a function of ``__main__`` the script's file name stands for the module, so that
        a worker that imports the script finds it.
        """
        module = self.main if fn.__module__ == "__main__" else fn.__module__
        return f"{module}.{getattr(fn, '__name__', type(fn).__name__)}"

    def _add(self, task: Task[Any, Any]) -> Task[Any, Any]:
        with _apps_lock:
            for app in [one for one in _apps if one is self or one.name == self.name]:
                other = app._tasks.get(task.name)
                if other is not None and not _same_source(other.fn, task.fn, app is self):
                    whose = "this app" if app is self else f"another app that is also called {self.name!r}"
                    raise DuplicateTask(
                        f"task name {task.name!r} is already taken in {whose} by {_where(other.fn)}; "
                        f"rename {_where(task.fn)} or give it name=..."
                    )
            self._tasks[task.name] = task
        return task

    def plan(self, task: str, options: TaskOptions, call: Mapping[str, Any]) -> Plan:
        """Combines a task's options with those of one call; see `options.make_plan`."""
        return call_options.make_plan(task, options, self._settings, call, sending.now_ms())

    def send_task(
        self,
        name: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Sends a call by the name of its task, whose code need not be here.

        Args:
            name: Task name.
            args: Positional arguments.
            kwargs: Keyword arguments.
            **options: As for `Task.apply_async`.
        """
        plan, sent_args, sent_kwargs, body = self._encode(name, args, kwargs, options)
        return sending.send_one(self, plan, sent_args, sent_kwargs, body)

    def _encode(
        self,
        name: str,
        args: Sequence[Any] | None,
        kwargs: Mapping[str, Any] | None,
        options: Mapping[str, Any],
        plan: Plan | None = None,
    ) -> Call:
        if not _is_name(name):
            raise RequestError(f"a task name is a text that is not empty, not {name!r}")
        task = self._tasks.get(name)
        args, kwargs = as_call(args, kwargs)
        if task is not None:
            task._check(args, kwargs)
        if plan is None:
            plan = self.plan(name, task.options if task is not None else _PLAIN_OPTIONS, options)
        return plan, args, kwargs, message.encode_body(self.client.codecs, name, args, kwargs, plan.serializer)

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
                if not _is_signature(one):
                    raise RequestError(f"{one!r} is no signature; make one with task.s(...)")
                # Calls without options share their task's plan, and with it one group on the wire.
                plan = None if one.options else plans.get(one.task)
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
        return Signature(name, tuple(args), kwargs, options, app=self)

    def AsyncResult(self, task_id: str) -> AsyncResult[Any]:  # Celery's name
        """Returns the handle of a task by its id."""
        return AsyncResult(task_id, self)

    def local_worker(
        self, concurrency: int = 2, pool: str = "prefork", queues: Sequence[str] | None = None
    ) -> AbstractContextManager[Any]:
        """Runs the app's tasks in children of this process for the length of a ``with`` block.

        Args:
            concurrency: How many tasks at a time.
            pool: ``prefork``, ``threads`` or ``solo``.
            queues: Queues to listen to; None means all the app's tasks name, and the default one.

        Raises:
            ConfigurationError: A value cannot be.
        """
        if queues is None:
            named = {task.options.queue for task in self._tasks.values() if task.options.queue}
            queues = sorted(named | {self._settings.default_queue})
        worker: AbstractContextManager[Any] = deferred.load("local_worker").LocalWorker(
            self, concurrency, pool, tuple(queues)
        )
        return worker


def _main_name() -> str | None:
    """Returns what a worker would import the running script as; None in a notebook or an interpreter."""
    module = sys.modules.get("__main__")
    spec = getattr(module, "__spec__", None)
    if spec is not None and spec.name and spec.name != "__main__":
        # python -m package.module; python -m package runs package.__main__
        return str(spec.name)
    file = getattr(module, "__file__", None)
    return Path(os.fspath(file)).stem if file else None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_no_function(value: object) -> bool:
    return not callable(value) or isinstance(value, (Task, type))


def _is_signature(value: object) -> bool:
    return isinstance(value, Signature)


def _where(fn: Callable[..., Any]) -> str:
    return f"{fn.__module__}.{getattr(fn, '__qualname__', fn)}"


def _same_source(old: Callable[..., Any], new: Callable[..., Any], one_app: bool) -> bool:
    """Tells whether two functions are one definition run twice: a reloaded module, a notebook cell run again."""
    if old is new:
        return True
    named = [(fn.__module__, str(getattr(fn, "__qualname__", ""))) for fn in (old, new)]
    if not one_app:
        # Functions inside functions come and go with their app; only what a module offers can be confused.
        return named[0] == named[1] or any("<locals>" in name for _, name in named)
    codes = [getattr(fn, "__code__", None) for fn in (old, new)]
    if named[0] != named[1] or codes[0] is None or codes[1] is None:
        return False
    # In a notebook each run of a cell has a file name of its own; within one file, the line tells.
    places = [(code.co_filename, code.co_firstlineno) for code in (codes[0], codes[1])]
    return places[0][0] != places[1][0] or places[0] == places[1]
