"""The half of an application that has to do with its tasks: the decorator, the registry, when it is complete.

This file must not send anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from ignitetasks import _state, deferred, loaders
from ignitetasks.app import annotations as annotating
from ignitetasks.app import naming
from ignitetasks.app.attributes import MAKING, check_given
from ignitetasks.app.builtins import builtin_tasks
from ignitetasks.app.configured import Configured
from ignitetasks.app.registry import TaskRegistry
from ignitetasks.app.task import Task as TaskClass
from ignitetasks.config import Settings
from ignitetasks.errors import ArgumentError, ConfigurationError, DuplicateTask, NotRegistered
from ignitetasks.ids import id_text

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=TaskClass[Any, Any])

_lock = threading.Lock()


class Registering(Configured):
    """Tasks of an application.

    Attributes:
        name: The application's name.
        main: The name too. Where it is changed, names of tasks of functions in ``__main__`` start with it, else with
            the script's file name without its end.
        autofinalize: False refuses its tasks until somebody calls `finalize`.
        strict_typing: False sends calls of tasks that say nothing about it without checking their arguments.
        task_cls: Class of tasks whose decorator names no ``base``; also as text.
    """

    #: Class of the app's tasks where no other is named; a class, or its dotted name.
    task_cls: Any = TaskClass
    #: Class of the map of the app's tasks; a class, or its dotted name.
    registry_cls: Any = TaskRegistry
    #: False where nobody chose the name: then it says nothing about another app of the same name.
    _is_named = True

    def __init__(self, name: str, base: Settings) -> None:
        super().__init__(base)
        self.name = name
        self.main = name
        self.strict_typing = self.autofinalize = True
        self._tasks: TaskRegistry = self._registry(builtin_tasks(self, TaskClass))
        self._annotations: list[Any] | None = None

    @property
    def tasks(self) -> TaskRegistry:
        """The app's tasks by name; the first look makes the app complete."""
        if not self.finalized:
            self.finalize(auto=True)
        return self._tasks

    @property
    def task_modules(self) -> Collection[str]:
        """Modules the app's tasks are defined in; exceptions of these may be rebuilt here."""
        return {task.fn.__module__ for task in self._tasks.values()}

    def refuse_incomplete(self) -> None:
        """Refuses the use of a task where the app was made with ``autofinalize=False`` and is not complete.

        Raises:
            RuntimeError: So it is.
        """
        if not self.autofinalize:
            _ = self.tasks

    def finalize(self, auto: bool = False) -> None:
        """Makes the app complete: shared tasks are its own from now on, and settings are read.

        Args:
            auto: True where nobody asked for it, but tasks are needed.

        Raises:
            RuntimeError: Tasks are needed, and the app was made with ``autofinalize=False``.
        """
        with self._lock:
            if self.finalized:
                return
            if auto and not self.autofinalize:
                raise RuntimeError(
                    f"app {self.name!r} was made with autofinalize=False: call finalize() once its tasks are defined"
                )
            self.finalized = True
            _state.announce_finalized(self)
        self._configure_once()
        self.on_after_finalize.send(sender=self)
        if self._conf.task_annotations:
            for task in list(self._tasks.values()):
                task.take_annotations()  # whoever reads an attribute finds what holds

    def prepare(self) -> None:
        """Makes ready for running tasks: imports what settings and `autodiscover_tasks` name, and finalizes."""
        if not self._prepared:
            self._configure_once()
            self._prepared = True
            self.import_tasks()
        self.finalize()

    def annotations(self, task: Any) -> Iterator[Mapping[str, Any]]:
        """Yields the attributes that ``task_annotations`` gives to a task."""
        prepared = self._annotations
        if prepared is None:
            prepared = self._annotations = annotating.prepare(self._conf.task_annotations)
        return annotating.annotations_for(prepared, task)

    def _forget(self) -> None:
        super()._forget()
        self._annotations = None
        for task in self._tasks.values():
            task.reset()

    @property
    def Task(self) -> Any:  # Celery's name
        """The class of this app's tasks, and the base for task classes of its own."""
        kind = self._base_class(self.task_cls)
        made = self.__dict__.get("_task_class")
        if made is None or made.__base__ is not kind:
            made = type(kind.__name__, (kind,), {"_app": self, "__module__": kind.__module__, "__doc__": kind.__doc__})
            self.__dict__["_task_class"] = made
        return made

    @Task.setter
    def Task(self, kind: Any) -> None:
        self.task_cls = kind

    def _registry(self, tasks: Mapping[str, Any]) -> TaskRegistry:
        made: TaskRegistry = loaders.symbol_by_name(self.registry_cls)(tasks)
        return made

    def _take(self, tasks: Any) -> None:
        """Takes the tasks that the app is made with: a map, or a registry, which is then the app's own."""
        if not isinstance(tasks, Mapping):
            raise ConfigurationError(f"tasks= is a map of names to tasks, or a TaskRegistry, not {tasks!r}")
        mine: TaskRegistry = tasks if isinstance(tasks, TaskRegistry) else self._registry(tasks)
        for name, task in list(mine.items()):
            if not isinstance(task, TaskClass):
                raise ConfigurationError(f"tasks= has {task!r} under {name!r}, which is no task")
            if task._app is None:
                object.__setattr__(task, "name", task.name or name)
                task.adopt(self)
        mine.update({name: task for name, task in self._tasks.items() if name not in mine})
        self._tasks = mine

    def _base_class(self, base: Any) -> Any:
        kind = loaders.symbol_by_name(base) if base else self.Task
        if not (isinstance(kind, type) and issubclass(kind, TaskClass)):
            raise ConfigurationError(f"a task's base is a class based on ignitetasks.Task, not {kind!r}")
        return kind

    @overload
    def task(self, fn: Callable[P, R], /) -> TaskClass[P, R]: ...
    @overload
    def task(
        self, /, *, name: str | None = None, bind: Literal[True], **options: Any
    ) -> Callable[[Callable[Concatenate[Any, P], R]], TaskClass[P, R]]: ...
    @overload
    def task(
        self, /, *, name: str | None = None, bind: Literal[False] = False, **options: Any
    ) -> Callable[[Callable[P, R]], TaskClass[P, R]]: ...
    def task(self, fn: Any = None, /, *, name: str | None = None, bind: bool = False, **options: Any) -> Any:
        """Makes a task of a function; with or without parentheses.

        Args:
            fn: The function, when used without parentheses.
            name: The task's name; None means module and function name.
            bind: True passes the task itself as the function's first argument.
            **options: Attributes of the task (see `Attributes`); ``base``, its class; ``pydantic=True``, arguments
                become the models their annotations name.

        Raises:
            ArgumentError: What was given is no function.
            InvalidOption: An option does not exist or has a value it cannot have.
            DuplicateTask: Another function has the name already.
        """

        def register(function: Callable[..., Any]) -> TaskClass[Any, Any]:
            if not callable(function) or isinstance(function, (TaskClass, type)):
                raise ArgumentError(f"a task is made of a function, not of {function!r}")
            return self._make(function, id_text(name) or self.task_name(function), {**options, "bind": bind})

        return register if fn is None else register(fn)

    def _make(self, fn: Callable[..., Any], name: str, options: dict[str, Any]) -> TaskClass[Any, Any]:
        kind = self._base_class(options.get("base"))
        check_given(kind, name, options)
        body = fn
        as_sent = None
        if options.get("pydantic"):
            models = deferred.load("pydantic")
            how = (
                bool(options.get("pydantic_strict")),
                {"celery_app": self, "celery_task_name": name, **(options.get("pydantic_context") or {})},
                options.get("pydantic_dump_kwargs"),
            )
            body, as_sent = models.wrap(fn, *how), models.sender(fn, bool(options["bind"]), *how)
        if not kind.__module__.startswith("ignitetasks."):
            kind = _class_of_its_own(kind, fn, body, name, options)
        task: TaskClass[Any, Any] = kind.__new__(kind)
        given = {key: value for key, value in options.items() if key not in MAKING}
        task.define(body, name, self, given)
        if as_sent is not None:
            object.__setattr__(task, "_as_sent", as_sent)
        kind.__init__(task)  # last: a class of a project's own may look there at the name and at what will be run
        self._add(task)
        made: TaskClass[Any, Any] = options["filter"](task) if options.get("filter") is not None else task
        return made

    @overload
    def register_task(self, task: type[T], **options: Any) -> T: ...
    @overload
    def register_task(self, task: T, **options: Any) -> T: ...
    def register_task(self, task: Any, **options: Any) -> Any:
        """Adds a class based task.

        Args:
            task: An instance, or a class, which is then instantiated.
            **options: Attributes to set on it.

        Returns:
            The instance.

        Raises:
            DuplicateTask: Another task has its name already.
        """
        if isinstance(task, type):
            task = task()
        for key, value in options.items():
            object.__setattr__(task, key, value)
        if not task.name:
            kind = type(task)
            object.__setattr__(task, "name", self.gen_task_name(kind.__name__, kind.__module__))
        task.adopt(self)
        return self._add(task)

    def task_name(self, fn: Callable[..., Any]) -> str:
        """Returns the name a function gets as a task.

        Module and function; for a function of ``__main__`` the script's file name stands for the module, so that
        a worker that imports the script finds it.
        """
        return self.gen_task_name(getattr(fn, "__name__", type(fn).__name__), fn.__module__)

    def gen_task_name(self, name: str, module: str) -> str:
        """Returns the name of a task by the names of its function and module; to be overridden."""
        if module == "__main__":
            module = self.main if self.main != self.name else naming.main_name() or self.name
        return f"{module}.{name}"

    def _add(self, task: TaskClass[Any, Any]) -> TaskClass[Any, Any]:
        naming.check_task_name(task.name)
        with _lock:
            twins = [one for one in _state.all_apps() if one.name == self.name and one._is_named and one is not self]
            for app in [self, *twins] if self._is_named else [self]:
                other = app._tasks.get(task.name)
                if other is not None and not naming.same_source(other.fn, task.fn, app is self):
                    whose = "this app" if app is self else f"another app that is also called {self.name!r}"
                    raise DuplicateTask(
                        f"task name {task.name!r} is already taken in {whose} by {naming.where(other.fn)}; "
                        f"rename {naming.where(task.fn)} or give it name=..."
                    )
            self._tasks[task.name] = task
        return task

    def task_named(self, name: str) -> Any:
        """Returns a task by name.

        Raises:
            NotRegistered: There is none.
        """
        task = self.tasks.get(name)
        if task is None:
            raise NotRegistered(f"app {self.name!r} has no task {name!r}")
        return task


def _class_of_its_own(
    kind: type[TaskClass[Any, Any]],
    fn: Callable[..., Any],
    body: Callable[..., Any],
    name: str,
    options: Mapping[str, Any],
) -> type[TaskClass[Any, Any]]:
    """Returns a class for one task of a project's own base: its class methods see name, function and attributes."""
    plain = {
        key: value
        for key, value in options.items()
        if key not in MAKING and not callable(value) and not hasattr(getattr(kind, key, None), "__set__")
    }
    run = body if options.get("bind") else staticmethod(body)
    own = {"name": name, "run": run, "__module__": fn.__module__, "__doc__": fn.__doc__}
    return type(getattr(fn, "__name__", kind.__name__), (kind,), {**plain, **own})
