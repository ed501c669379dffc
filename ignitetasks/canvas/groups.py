"""`group`: calls side by side. This file must not send anything."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ignitetasks.canvas import streaming
from ignitetasks.canvas.chains import distinct
from ignitetasks.canvas.flow import kind_of
from ignitetasks.canvas.members import Members, is_one, listed
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import Signature, item, maybe_signature
from ignitetasks.canvas.stamping import StampingVisitor, merge_stamps
from ignitetasks.ids import new_id
from ignitetasks.result import GroupResult, group_class
from ignitetasks.serializers import is_packing

_ENCODERS = frozenset({"json", "msgpack"})


@Signature.register_type()
class group(Signature[Any]):
    """Calls side by side; its handle is a `GroupResult`, its result the list of theirs.

    Args:
        *tasks: The calls, or one iterable of them. An iterator is read when the group is looked at or sent; calls
            that take their time to be generated are sent meanwhile.
        **options: Options of every call.
    """

    tasks: Any = item("kwargs.tasks", "The calls.")

    def __init__(self, *tasks: Any, app: Sender | None = None, **options: Any) -> None:
        given: Any = tasks
        if len(tasks) == 1:
            given = tasks[0]
            if isinstance(given, group):
                given = given.tasks
            elif isinstance(given, Mapping):
                given = [maybe_signature(given, clone=True)]
        members = listed(given, maybe_signature)
        super().__init__("ignitetasks.group", (), {"tasks": members}, options, subtask_type="group", app=app)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Sender | None = None) -> Any:
        """Makes a group of its map."""
        made = cls(listed(d["kwargs"]["tasks"], partial(maybe_signature, app=app)), app=app)
        made["options"] = d.get("options") or {}
        made["args"], made["immutable"] = tuple(d.get("args") or ()), bool(d.get("immutable"))
        return made

    @staticmethod
    def unroll(sig: Any) -> Any:
        """Returns the only member of a group of one, else what it is given."""
        if isinstance(sig, group) and is_one(sig.tasks):
            return maybe_signature(sig.tasks[0])
        return sig

    def __call__(self, *partial_args: Any, **options: Any) -> Any:
        """Sends it; the arguments go in front of those of every call."""
        return self.apply_async(partial_args, **options)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Sends it in as few submits as there can be and returns its `GroupResult`.

        Raises:
            TypeError: ``link`` or ``link_error`` was given: one call has them, or a chord.
        """
        for name in ("link", "link_error"):
            if options.get(name) is not None:
                raise TypeError(f"Cannot add {name} to a group: use a chord, or add it to the calls")
        sent = streaming.launch(self, self.app, args or (), kwargs or {}, options)
        # A group whose only member ends in a group is that group.
        return sent[0] if len(sent) == 1 and isinstance(sent[0], GroupResult) else sent

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Runs its calls here and now, one after the other."""
        own = {**self.options, **options}
        group_id = own.pop("task_id", None) or new_id("group")
        done = []
        for index, one in enumerate(self._flat()):
            place = {} if one.subtask_type else {"group_id": group_id, "group_index": index}
            done.append(one.apply((*(args or ()), *self.args), kwargs or {}, **{**own, **place}))
        return group_class(self.app)(group_id, done, app=self.app)

    def _flat(self) -> Iterator[Any]:
        for one in map(maybe_signature, self.tasks):
            if isinstance(one, group):
                yield from one._flat()
            elif not (kind_of(one) == "chain" and not one.tasks):
                yield one.clone()

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """Returns a copy, its calls copied too."""
        copy = super().clone(*args, **kwargs)
        copy.kwargs["tasks"] = listed(self.tasks, partial(maybe_signature, clone=True))
        return copy

    def _make_distinct(self, seen: builtins.set[int]) -> None:
        self.kwargs["tasks"] = distinct(self._flat(), seen)

    def skew(self, start: float = 1.0, stop: float | None = None, step: float = 1.0) -> group:
        """Gives its calls countdowns that grow by a step, so that they do not start at once."""
        countdown = start
        for task in self.tasks:
            task.set(countdown=countdown)
            if stop is None or countdown + step <= stop:
                countdown += step
        return self

    def set_immutable(self, immutable: bool) -> None:
        """Says whether its calls take further arguments."""
        for task in self.tasks:
            task.set_immutable(immutable)

    def link(self, callback: Any) -> Any:
        """Links a call to its first one; to wait for all of them, use a chord."""
        return self.tasks[0].link(maybe_signature(callback).clone().set(immutable=True))

    def link_error(self, errback: Any) -> Any:
        """Links an errback to every call of it."""
        sig = maybe_signature(errback)
        return tuple(task.link_error(sig.clone()) for task in self.tasks)

    def __or__(self, other: Any) -> Any:
        if not isinstance(other, Signature):
            return NotImplemented
        if isinstance(other, group) and isinstance(other.tasks, (list, tuple)) and not other.tasks:
            return self
        return Signature.TYPES["chord"](self, other, app=self._app)

    def stamp(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Stamps every call of it."""
        seen = visitor.on_group_start(self, **headers) or {} if visitor is not None else None
        headers = merge_stamps(self, seen, append_stamps, **headers)
        self.stamp_links(visitor, append_stamps, **headers)

        for task in self.tasks:
            task.stamp(visitor, append_stamps, **headers)
        if visitor is not None:
            visitor.on_group_end(self, **headers)
        return self

    def items(self) -> Any:
        """Returns its keys and values; who asks for them, such as an encoder, gets all its calls."""
        if isinstance(self.tasks, Members):
            self.tasks = list(self.tasks)
        return super().items()

    def _own_app(self) -> Any:
        tasks = self.tasks
        if self._app is not None or not tasks:
            return self._app
        return tasks[0]._own_app() if isinstance(tasks[0], Signature) else None

    def __len__(self) -> int:
        asks = sys._getframe(1).f_globals.get("__name__", "")
        # An encoder writes how many keys there are before it writes them.
        encodes = is_packing() or asks.partition(".")[0] in _ENCODERS
        return super().__len__() if encodes else len(self.tasks)

    def __repr__(self) -> str:
        tasks = self.tasks
        unread = isinstance(tasks, Members) and not tasks.complete
        if unread:
            return f"group({tasks!r})"
        return f"group([{', '.join(self._texts(tasks))}])" if tasks else "group(<empty>)"
