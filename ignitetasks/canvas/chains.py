"""`chain`: calls one after the other, each given the result of the one before. This file must not send anything."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from ignitetasks import states
from ignitetasks.canvas import launching
from ignitetasks.canvas.flow import as_list, kind_of
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import Signature, item, maybe_signature
from ignitetasks.canvas.stamping import StampingVisitor, merge_stamps
from ignitetasks.result import EagerResult


def _is_group(value: Any) -> bool:
    return isinstance(value, Signature) and kind_of(value) == "group"


def _is_chord(value: Any) -> bool:
    return isinstance(value, Signature) and kind_of(value) == "chord"


def _is_empty(value: Any) -> bool:
    return _is_group(value) and isinstance(value.tasks, (list, tuple)) and not value.tasks


@Signature.register_type()
class chain(Signature[Any]):
    """Calls one after the other; ``a | b`` is one too.

    A group followed by something becomes a chord; a chain inside a chain is flattened; a group of one is its member.

    Args:
        *tasks: The calls, or one iterable of them.
        **options: Options of the first call; ``link`` belongs to the last one, ``link_error`` to each.
    """

    tasks: Any = item("kwargs.tasks", "The calls.")

    def __new__(cls, *tasks: Any, **options: Any) -> Any:
        """Combines the calls by the rules of ``|``, so that what comes out may be another kind of canvas."""
        if tasks and not options:
            if len(tasks) == 1 and isinstance(tasks[0], Signature):
                return super().__new__(cls)
            given = list(tasks[0]) if len(tasks) == 1 and not isinstance(tasks[0], Mapping) else list(tasks)
            return _fold(cls, given)
        return super().__new__(cls)

    def __init__(self, *tasks: Any, app: Sender | None = None, **options: Any) -> None:
        if "task" in self:
            return  # made by __new__ of what it was given
        given = tasks[0] if len(tasks) == 1 and not isinstance(tasks[0], Mapping) else tasks
        super().__init__("ignitetasks.chain", (), {"tasks": list(given)}, options, subtask_type="chain", app=app)

    @classmethod
    def of(cls, tasks: Iterable[Any], app: Sender | None = None) -> chain:
        """Makes a chain of exactly these calls."""
        made = Signature.__new__(cls)
        Signature.__init__(
            made, "ignitetasks.chain", (), {"tasks": list(tasks)}, subtask_type="chain", app=app
        )  # fmt: skip
        return made

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Sender | None = None) -> Any:
        """Makes a chain of its map."""
        made = cls.of((maybe_signature(one, app=app) for one in d["kwargs"]["tasks"] or ()), app=app)
        made["options"] = d.get("options") or {}
        made["args"], made["immutable"] = tuple(d.get("args") or ()), bool(d.get("immutable"))
        return made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Sends it; the arguments are those of the first call."""
        return self.apply_async(args, kwargs) if self.tasks else None

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Sends it and returns the handle of its last call."""
        if not self.tasks:
            return None
        return launching.launch(self, self.app, args or (), kwargs or {}, options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Runs it here and now; returns how the last call ended, with the ones before as parents."""
        own = {**self.options, **options}
        links, errbacks = as_list(own.pop("link", None)), as_list(own.pop("link_error", None))
        steps = [one for one in map(maybe_signature, self.tasks) if not _is_empty(one)] or list(self.tasks)
        last: Any = None
        given_args: Any = (*(args or ()), *self.args)
        given_kwargs: Any = kwargs or {}
        for index, step in enumerate(steps):
            copy = step.clone()
            for errback in errbacks:
                copy.link_error(errback)
            if links and index + 1 == len(steps):
                for link in links:
                    copy.link(link)
            done = copy.apply(given_args, given_kwargs, **(own if index == 0 else {}))
            done.parent, last = last, done
            if isinstance(done, EagerResult) and done.state in (states.IGNORED, states.REJECTED):
                break
            if isinstance(done, EagerResult) and done.state in states.PROPAGATE_STATES:
                break
            given_args, given_kwargs = (done.get(disable_sync_subtasks=False),), {}
        return last

    def unchain_tasks(self) -> list[Any]:
        """Returns copies of its calls, with its callbacks on the last and its errbacks on each."""
        tasks = [maybe_signature(one).clone() for one in self.tasks]
        for link in as_list(self.options.get("link")):
            tasks[-1].link(link)
        for errback in as_list(self.options.get("link_error")):
            for task in tasks:
                task.link_error(errback)
        return tasks

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """Returns a copy, its calls copied too."""
        copy = super().clone(*args, **kwargs)
        copy.kwargs["tasks"] = [maybe_signature(one, clone=True) for one in copy.kwargs["tasks"]]
        return copy

    def _make_distinct(self, seen: builtins.set[int]) -> None:
        self.kwargs["tasks"] = distinct(self.tasks, seen)

    def __or__(self, other: Any) -> Any:
        if not isinstance(other, Signature):
            return NotImplemented
        return _merge(type(self), self.unchain_tasks(), other, self)

    def stamp(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Stamps every call of it."""
        seen = visitor.on_chain_start(self, **headers) or {} if visitor is not None else None
        headers = merge_stamps(self, seen, append_stamps, **headers)
        self.stamp_links(visitor, append_stamps, **headers)
        for task in self.tasks:
            task.stamp(visitor, append_stamps, **headers)
        if visitor is not None:
            visitor.on_chain_end(self, **headers)
        return self

    def _own_app(self) -> Any:
        if self._app is not None or not self.tasks:
            return self._app
        first = self.tasks[0]
        return first._own_app() if isinstance(first, Signature) else None

    def __repr__(self) -> str:
        if not self.tasks:
            return f"<{type(self).__name__}@{id(self):#x}: empty>"
        return " | ".join(self._texts(self.tasks))


_chain = chain


def distinct(tasks: Iterable[Any], seen: set[int]) -> list[Any]:
    """Returns signatures of maps, and copies where one object stands in several places: each gets an id of its own.

    Args:
        tasks: Members of one canvas.
        seen: The objects seen in all of it so far; those inside are added.
    """
    made: list[Any] = []
    for one in tasks:
        task = maybe_signature(one)
        if id(task) in seen:
            task = task.clone()
        seen.add(id(task))
        task._make_distinct(seen)
        made.append(task)
    return made


def _fold(cls: Any, tasks: Sequence[Any]) -> Any:
    """Combines calls as ``a | b | c`` does, in one pass."""
    made: Any = cls.of([])
    # Only the last step counts for what the next one comes to, so a list is enough until another kind comes out.
    steps: list[Any] = made.kwargs["tasks"]
    for index, one in enumerate(tasks):
        if not isinstance(one, (Signature, MutableMapping)):
            raise TypeError(f"chain() takes signatures; number {index} is {one!r:.100}; make one with task.s(...)")
        task = maybe_signature(one)
        made = _merge(cls, steps, task if index + 1 == len(tasks) else task.clone(), made)
        if not isinstance(made, chain):
            rest = tasks[index + 1 :]
            for following in rest:
                made = made | maybe_signature(following)
            return made
        steps = made.kwargs["tasks"]
    return made


def _merge(cls: Any, steps: list[Any], other: Any, before: Any) -> Any:
    """Appends a canvas to the steps of a chain; returns what that comes to."""
    if _is_empty(other):
        return cls.of(steps, app=before._app)
    other = Signature.TYPES["group"].unroll(other)
    if isinstance(other, chain):
        made: Any = cls.of(steps, app=before._app)
        for task in other.unchain_tasks():
            made = _merge(cls, made.tasks, task, made) if isinstance(made, chain) else made | task
        return made
    if not steps and _is_group(other):
        return other
    _append(steps, other, before._app)
    return cls.of(steps, app=before._app)


def _append(steps: list[Any], other: Any, app: Any) -> None:
    """Appends a call, a group or a chord: after a group it becomes the body of a chord, after a chord part of its."""
    last: Any = steps[-1] if steps else None
    if _is_group(last) and not _is_group(other):
        made = Signature.TYPES["chord"](steps.pop(), other, app=app)
        if steps and _is_chord(steps[-1]):
            steps[-1] = steps[-1].clone()
            steps[-1].body = steps[-1].body | made
        else:
            steps.append(made)
    elif _is_chord(last) and not _is_chord(other):
        steps[-1] = last.clone()
        steps[-1].body = steps[-1].body | other
    else:
        steps.append(other)
