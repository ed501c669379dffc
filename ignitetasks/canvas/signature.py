"""`Signature`: a call as a value. A dict, so that every serialiser and every place that takes plain data takes it.

The other words of the canvas (chain, group, chord, ...) are kinds of it and register themselves in `Signature.TYPES`;
whoever needs another kind finds it there. This file must not send anything: `launching` does.
"""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Mapping, MutableSequence, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Generic, TypeVar

from ignitetasks import _state
from ignitetasks.canvas import launching
from ignitetasks.canvas.flow import BASES, as_list, kind_of
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.stamping import StampingVisitor, merge_stamps
from ignitetasks.errors import ConfigurationError, NotRegistered
from ignitetasks.result import AsyncResult, EagerResult, default_source, handle_class

R = TypeVar("R")
S = TypeVar("S", bound="Signature[Any]")

#: Options that name a task for good; a later call must not change them.
IMMUTABLE_OPTIONS = frozenset({"group_id", "stamped_headers"})


def item(name: str, doc: str) -> Any:
    """Makes a property that reads and writes a key; ``a.b`` means key b of the map under a."""
    outer, _, inner = name.partition(".")

    def read(self: Any) -> Any:
        return self.get(outer, {}).get(inner) if inner else self.get(outer)

    def write(self: Any, value: Any) -> None:
        (self[outer] if inner else self)[inner or outer] = value

    return property(read, write, doc=doc)


class Signature(dict[str, Any], Generic[R]):
    """A call as a value: task name, arguments and options; a dict with some methods.

    Args:
        task: Task name, a task, or a map with the keys of a signature.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: Options of the call, as for ``apply_async``.
        type: The task itself where it is at hand.
        subtask_type: Which kind of canvas; None is a single call.
        immutable: True refuses further arguments (``si``).
        app: Who sends it; not part of its value.
        **more: Further options.
    """

    TYPES: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        task: Any = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        type: Any = None,
        subtask_type: str | None = None,
        immutable: bool = False,
        app: Sender | None = None,
        **more: Any,
    ) -> None:
        self._app = app
        self._type = type
        if isinstance(task, Mapping):
            super().__init__(task)
            return
        name = task
        if task is not None and not isinstance(task, str):
            name = task.name
            self._type = task
        super().__init__(
            task=name,
            args=tuple(args or ()),
            kwargs=dict(kwargs) if kwargs else {},
            options={**options, **more} if options else more,
            subtask_type=subtask_type,
            immutable=immutable,
        )

    @classmethod
    def register_type(cls, name: str | None = None) -> Callable[[Any], Any]:
        """Makes a kind of canvas known under a name (that of the class by default); for use as a decorator."""

        def register(kind: Any) -> Any:
            own, names = name or kind.__name__, {known: one for one, known in cls.TYPES.items()}
            for base in (names[parent] for parent in reversed(kind.__mro__[1:]) if parent in names):
                BASES[own] = BASES.get(base, base)
            cls.TYPES[own] = kind
            return kind

        return register

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Sender | None = None) -> Signature[Any]:
        """Makes a signature of the right kind of a map, such as JSON gives back.

        Raises:
            ConfigurationError: The map is no signature.
        """
        kind = d.get("subtask_type")
        if kind and kind in cls.TYPES:
            target = cls.TYPES[kind]
            if target is not cls:
                made: Signature[Any] = target.from_dict(d, app=app)
                return made
        if "task" not in d:
            raise ConfigurationError(f"a map without the key 'task' is no signature; its keys are {sorted(d)}")
        whole = {"args": (), "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False, **d}
        return Signature(whole, app=app)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the task here and now, with further arguments."""
        merged_args, merged_kwargs, _ = self._merge(args, kwargs, None)
        return self.type(*merged_args, **merged_kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[R]:
        """Sends it, with further arguments."""
        return self.apply_async(args, kwargs)

    def apply(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> EagerResult[R]:
        """Runs it here and now, in this process, and returns how it ended."""
        merged_args, merged_kwargs, merged = self._merge(args, kwargs, options)
        done: EagerResult[R] = self.type.apply(merged_args, merged_kwargs, **merged)
        return done

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Sends it, with further arguments and options.

        Raises:
            RequestError: The call is wrong; nothing was sent.
        """
        given = {name: value for name, value in options.items() if value is not None}
        merged_args, merged_kwargs, merged = self._merge(args, kwargs, given)
        task = self._type or self.app.tasks.get(self.task)
        send = task.apply_async if task is not None else self._send_by_name
        sent: AsyncResult[R] = send(tuple(merged_args), merged_kwargs, **merged)
        return sent

    def _send_by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any], **options: Any) -> AsyncResult[Any]:
        return self.app.send_task(self.task, args, kwargs, **options)

    def _merge(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        force: bool = False,
    ) -> tuple[Sequence[Any], Mapping[str, Any], dict[str, Any]]:
        """Puts further arguments in front and options over its own; an immutable one takes options only."""
        own: dict[str, Any] = self.options
        if options:
            fixed = IMMUTABLE_OPTIONS.union(own.get("stamped_headers", ()))
            merged = {**own, **{k: v for k, v in options.items() if k not in fixed or k not in own}}
        else:
            merged = own
        if self.immutable and not force:
            return self.args, self.kwargs, merged
        return (
            (*args, *self.args) if args else self.args,
            {**self.kwargs, **kwargs} if kwargs else self.kwargs,
            merged,
        )

    def clone(self: S, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> S:
        """Returns a copy with further arguments in front, keyword arguments and options added."""
        merged_args, merged_kwargs, merged = self._merge(args, kwargs, options)
        copy = Signature.from_dict(
            {
                "task": self.task,
                "args": tuple(merged_args),
                "kwargs": dict(merged_kwargs),
                "options": deepcopy(merged) if merged else {},
                "subtask_type": self.subtask_type,
                "immutable": self.immutable,
            },
            app=self._app,
        )
        copy._type = self._type
        return copy  # type: ignore[return-value]

    partial = clone

    def freeze(
        self,
        _id: str | None = None,
        group_id: str | None = None,
        chord: Any = None,
        root_id: str | None = None,
        parent_id: str | None = None,
        group_index: int | None = None,
    ) -> Any:
        """Gives it, and everything inside it, task ids, and returns the handle of what it will be.

        Sent twice afterwards, it is the same tasks, which run once.

        Args:
            _id: The id to use where it has none yet.
            group_id: Its group.
            chord: Kept as an option for those who look; a chord's members find their body without it.
            root_id: First task of the workflow.
            parent_id: The task that sends it.
            group_index: Its place in the group.
        """
        given = {
            "group_id": group_id, "chord": chord, "root_id": root_id, "parent_id": parent_id,
            "group_index": group_index,
        }  # fmt: skip
        for name, value in given.items():
            if value is not None and (name != "group_id" or "group_id" not in self.options):
                self.options[name] = value
        self._make_distinct(set())
        handle = launching.freeze(self, self.app, _id)
        if handle is not None and kind_of(self) == "chain":
            self.options["task_id"] = handle.id
        return handle

    def _make_distinct(self, seen: builtins.set[int]) -> None:
        """Makes sure that no object stands for two calls, before each call gets an id."""

    _freeze = freeze

    def replace(
        self: S,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> S:
        """Returns a copy with other arguments or options; what is None stays."""
        copy = self.clone()
        if args is not None:
            copy.args = args
        if kwargs is not None:
            copy.kwargs = kwargs
        if options is not None:
            copy.options = options
        return copy

    def set(self: S, immutable: bool | None = None, **options: Any) -> S:
        """Adds options to it, and returns itself."""
        if immutable is not None:
            self.set_immutable(immutable)
        self.options.update(options)
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Says whether it takes further arguments."""
        self.immutable = immutable

    def link(self, callback: Any) -> Any:
        """Adds a call that follows when it succeeds; the result is put in front of its arguments.

        Returns:
            The callback.
        """
        return self.append_to_list_option("link", callback)

    def link_error(self, errback: Any) -> Any:
        """Adds a call that follows when it fails; see the guide for the two styles.

        Returns:
            The errback.
        """
        return self.append_to_list_option("link_error", errback)

    def on_error(self: S, errback: Any) -> S:
        """Adds an errback as `link_error` does, and returns itself."""
        self.link_error(errback)
        return self

    def append_to_list_option(self, key: str, value: Any) -> Any:
        """Adds a value to an option that is a list, once; returns the value."""
        found = self.options.get(key)
        if not isinstance(found, MutableSequence):
            found = self.options[key] = as_list(found)
        if value not in found:
            found.append(value)
        return value

    def extend_list_option(self, key: str, value: Any) -> None:
        """Adds one or several values to an option that is a list."""
        found = self.options.get(key)
        if not isinstance(found, MutableSequence):
            found = self.options[key] = as_list(found)
        found.extend(as_list(value))

    def flatten_links(self) -> list[Any]:
        """Returns it and everything linked to it, and to that, and so on."""
        further = (maybe_signature(one).flatten_links() for one in as_list(self.options.get("link")))
        return [self, *itertools.chain.from_iterable(further)]

    def stamp(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Marks it, and everything linked to it, with headers of your own; see `StampingVisitor`."""
        self.stamp_links(visitor, append_stamps, **headers)
        seen = visitor.on_signature(self, **headers) or {} if visitor is not None else None
        return self.set(**merge_stamps(self, seen, append_stamps, **headers))

    def stamp_links(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> None:
        """Marks what is linked to it."""
        for option, hook in (("link", "on_callback"), ("link_error", "on_errback")):
            stamps = deepcopy(headers)
            linked = as_list(self.options.get(option))
            for index, one in enumerate(linked):
                link = linked[index] = maybe_signature(one, app=self._app)
                seen = getattr(visitor, hook)(link, **stamps) or {} if visitor is not None else None
                stamps = merge_stamps(link, seen, append_stamps, self_headers=False, **stamps)
                link.stamp(visitor, append_stamps, **stamps)
            if linked:
                self.options[option] = linked

    def __or__(self, other: Any) -> Any:
        """Chains: the result of this one becomes the first argument of the other."""
        if not isinstance(other, Signature):
            return NotImplemented
        kinds = Signature.TYPES
        if isinstance(other, kinds["chain"]):
            return kinds["chain"].of([self, *other.unchain_tasks()], app=self._app)
        return kinds["chain"].of([self, kinds["group"].unroll(other)], app=self._app)

    # Typed as any: a type checker would take that of maps, which gives a map.
    def __ior__(self, other: Any) -> Any:
        return self.__or__(other)

    def __invert__(self) -> Any:
        """Sends it and waits for its result."""
        return self.apply_async().get()

    def __deepcopy__(self, memo: dict[int, Any]) -> Signature[Any]:
        copy = Signature.from_dict({**self, "options": deepcopy(self.options, memo)}, app=self._app)
        copy._type = self._type
        return copy

    def __reduce__(self) -> tuple[Any, ...]:
        return signature, (dict(self),)

    def __json__(self) -> dict[str, Any]:
        return dict(self)

    def reprcall(self, *args: Any, **kwargs: Any) -> str:
        """Returns the call as it would be written, with further arguments in front."""
        shown_args, shown_kwargs, _ = self._merge(args, kwargs, None, force=True)
        parts = [repr(one) for one in shown_args] + [f"{name}={value!r}" for name, value in shown_kwargs.items()]
        return f"{self.task}({', '.join(parts)})"

    def __repr__(self) -> str:
        return self.reprcall()

    @staticmethod
    def _texts(tasks: Sequence[Any]) -> list[str]:
        """Returns several calls as they would be written; the first one alone names the module they share."""
        first, *others = map(repr, tasks)
        module, dot, _ = str(getattr(tasks[0], "task", "")).rpartition(".")
        return [first, *(one.removeprefix(module + dot) for one in others)]

    @property
    def name(self) -> str:
        """The task's name."""
        return str(self.task)

    @property
    def type(self) -> Any:
        """The task itself.

        Raises:
            NotRegistered: The app has no such task.
        """
        if self._type is not None:
            return self._type
        task = self.app.tasks.get(self.task)
        if task is None:
            raise NotRegistered(f"the app has no task {self.task!r}; import the module that defines it")
        return task

    @type.setter
    def type(self, task: Any) -> None:
        self._type = task

    @property
    def app(self) -> Sender:
        """Who sends it: the app it was made by, or the current one."""
        app: Any = self._own_app() or default_source()
        found: Sender = app if hasattr(app, "send_task") else _state.get_current_app()
        return found

    def _own_app(self) -> Any:
        return self._app or getattr(self._type, "app", None)

    def AsyncResult(self, task_id: str) -> AsyncResult[Any]:  # Celery's name
        """Returns the handle of a task by its id."""
        return handle_class(self.app)(task_id, app=self.app)

    id: Any = item("options.task_id", "Task id, once it is frozen.")
    parent_id: Any = item("options.parent_id", "Id of the task that sent it.")
    root_id: Any = item("options.root_id", "Id of the first task of the workflow.")
    task: Any = item("task", "Name of the task.")
    args: Any = item("args", "Positional arguments.")
    kwargs: Any = item("kwargs", "Keyword arguments.")
    options: Any = item("options", "Options of the call.")
    subtask_type: Any = item("subtask_type", "Which kind of canvas.")
    immutable: Any = item("immutable", "True when it takes no further arguments.")


def signature(varies: Any, *args: Any, **kwargs: Any) -> Any:
    """Makes a signature of a task name, a task, a map or another signature (which is then copied)."""
    if isinstance(varies, Signature):
        return varies.clone()
    if isinstance(varies, Mapping):
        return Signature.from_dict(varies, app=kwargs.get("app"))
    return Signature(varies, *args, **kwargs)


subtask = signature


def maybe_signature(d: Any, app: Sender | None = None, clone: bool = False) -> Any:
    """Returns a signature for a map or a signature, and None for None.

    Args:
        d: A signature, its map, or None.
        app: Who shall send it where it has no app.
        clone: True copies what is a signature already.
    """
    if d is None:
        return None
    if isinstance(d, Signature):
        made: Signature[Any] = d.clone() if clone else d
    elif isinstance(d, Mapping):
        made = Signature.from_dict(d, app=app)
    else:
        return d
    if app is not None and made._app is None:
        made._app = app
    return made
