"""`chord`: a group, and a call that waits for all of it. This file must not send anything."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ignitetasks.canvas import launching, streaming
from ignitetasks.canvas.chains import distinct
from ignitetasks.canvas.flow import as_list, kind_of
from ignitetasks.canvas.groups import group
from ignitetasks.canvas.members import Members, listed
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import Signature, item, maybe_signature
from ignitetasks.canvas.stamping import StampingVisitor, merge_stamps
from ignitetasks.errors import RequestError


def _header(tasks: Any, app: Sender | None) -> Any:
    """Returns a header as it is kept: a group, or calls in a list or still to be generated."""
    if isinstance(tasks, Mapping):
        tasks = maybe_signature(tasks, app=app)
    if isinstance(tasks, group):
        return tasks
    if isinstance(tasks, Signature):
        return tasks.kwargs["tasks"] if kind_of(tasks) == "chain" else [tasks]
    return listed(() if tasks is None else tasks, partial(_call, app=app))


def _call(one: Any, app: Sender | None) -> Any:
    """Returns the signature of what stands in a header; a task stands for a call without arguments of its own."""
    known = isinstance(one, Mapping) or not hasattr(one, "name")
    return maybe_signature(one, app=app, clone=True) if known else Signature(one, app=app)


def _ends(sig: Any) -> int:
    """Returns how many results a member of a header gives its body: those of a group that it ends with count each."""
    sig = maybe_signature(sig)
    kind = kind_of(sig) if isinstance(sig, Signature) else None
    if kind == "chord":
        return _ends(sig.body)
    if kind == "chain":
        return next((count for count in map(_ends, reversed(sig.tasks)) if count), 0)
    if kind == "group" or not isinstance(sig, Signature):
        return sum(map(_ends, sig.tasks if kind else sig))
    return 1


@Signature.register_type()
class chord(Signature[Any]):
    """A group and its body: the body is called with the list of the group's results, once all are there.

    If a member fails, the body is not called; it ends as FAILURE with a `ChordError`.

    Args:
        header: The calls, as for a group.
        body: What waits for them: a call or any canvas.
        args: Put in front of the arguments of the header's calls.
        kwargs: Added to theirs.
        **options: Options of header and body.
    """

    @property
    def tasks(self) -> Any:
        """The calls of the header."""
        header = self.kwargs["header"]
        return header.tasks if isinstance(header, group) else header

    @tasks.setter
    def tasks(self, tasks: Any) -> None:
        self.kwargs["header"] = _header(tasks, self._app)

    body: Any = item("kwargs.body", "What waits for them.")

    def __init__(
        self,
        header: Any,
        body: Any = None,
        task: str = "ignitetasks.chord",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        app: Sender | None = None,
        **options: Any,
    ) -> None:
        whole = {"kwargs": dict(kwargs or {}), "header": _header(header, app), "body": maybe_signature(body, app=app)}
        super().__init__(task, args, whole, options, subtask_type="chord", app=app)

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Sender | None = None) -> Any:
        """Makes a chord of its map."""
        inner = d["kwargs"]
        header = inner.get("header")
        made = cls((), inner.get("body"), args=d.get("args") or (), kwargs=inner.get("kwargs"), app=app)
        if isinstance(header, Mapping):
            made.kwargs["header"] = _header(header, app)
        else:
            made.kwargs["header"] = listed(() if header is None else header, partial(maybe_signature, app=app))
        made.kwargs.update({name: value for name, value in inner.items() if name not in made.kwargs})
        made["options"], made["immutable"] = d.get("options") or {}, bool(d.get("immutable"))
        return made

    def header_group(self) -> group:
        """Returns the header as a group."""
        header = self.kwargs["header"]
        if isinstance(header, group):
            return header
        options = {"task_id": self.options["header_id"]} if self.options.get("header_id") else {}
        made = group(self.tasks, app=self._app, **options)
        if not options:
            made.options["task_id"] = self.options["header_id"] = launching.new_group_id(self.app)
        return made

    def __call__(self, body: Any = None, **options: Any) -> Any:
        """Sends it, with another body where one is given."""
        return self.apply_async((), {} if body is None else {"body": body}, **options)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Sends header and body together and returns the handle of the body's end."""
        given = dict(kwargs or {})
        body = given.pop("body", None)
        target = self
        if body is not None:
            target = self._with_body(maybe_signature(body, app=self._app))
        if target.body is None:
            raise RequestError("a chord needs a body: chord(header, body), or chord(header)(body)")
        return streaming.launch(target, target.app, args or (), given, options)

    def _with_body(self, body: Any) -> Any:
        made = Signature.from_dict({**self, "kwargs": {**self.kwargs, "body": body}}, app=self._app)
        made["options"] = dict(self.options)
        return made

    def apply(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        propagate: bool = True,
        body: Any = None,
        **options: Any,
    ) -> Any:
        """Runs the header and then the body here and now."""
        given = dict(kwargs or {})
        inner = given.pop("body", None)
        body = next(one for one in (body, inner, self.body) if one is not None).clone()
        for link in as_list(options.pop("link", None)) + as_list(self.options.get("link")):
            body.link(link)
        for errback in as_list(options.pop("link_error", None)) + as_list(self.options.get("link_error")):
            body.link_error(errback)
        header = self.header_group().apply((*(args or ()), *self.args), {**self.kwargs.get("kwargs", {}), **given})
        done = body.apply((header.get(propagate=propagate, disable_sync_subtasks=False),))
        first = done
        while first.parent is not None:
            first = first.parent
        first.parent = header
        return done

    def clone(self, *args: Any, **kwargs: Any) -> Any:
        """Returns a copy, its body copied too."""
        copy = super().clone(*args, **kwargs)
        if copy.kwargs.get("body") is not None:
            copy.kwargs["body"] = maybe_signature(copy.kwargs["body"], clone=True)
        header = self.kwargs["header"]
        if isinstance(header, group):
            copy.kwargs["header"] = header.clone()
        else:
            copy.kwargs["header"] = listed(header, partial(maybe_signature, clone=True))
        return copy

    def _make_distinct(self, seen: builtins.set[int]) -> None:
        header = self.kwargs["header"]
        if isinstance(header, group):
            header._make_distinct(seen)
        else:
            self.kwargs["header"] = distinct(header, seen)
        if self.body is not None:
            (self.body,) = distinct([self.body], seen)

    def link(self, callback: Any) -> Any:
        """Links a call to the body."""
        self.body.link(callback)
        return callback

    def link_error(self, errback: Any) -> Any:
        """Links an errback to the body, and to the header where ``task_allow_error_cb_on_chord_header`` says so."""
        sig = maybe_signature(errback)
        conf = getattr(self.app, "conf", None)
        if getattr(conf, "task_allow_error_cb_on_chord_header", False):
            for task in self.tasks:
                task.link_error(sig.clone(immutable=True))
        self.body.link_error(errback)
        return errback

    def set_immutable(self, immutable: bool) -> None:
        """Says whether the header's calls take further arguments."""
        for task in self.tasks:
            task.set_immutable(immutable)

    def __or__(self, other: Any) -> Any:
        if not isinstance(other, Signature):
            return NotImplemented
        other = group.unroll(other)
        if kind_of(other) in ("group", "chain"):
            return super().__or__(other)
        copy = self.clone()
        copy.body = copy.body | other
        return copy

    def stamp(self, visitor: StampingVisitor | None = None, append_stamps: bool = False, **headers: Any) -> Any:
        """Stamps every call of header and body."""
        seen = visitor.on_chord_header_start(self, **headers) or {} if visitor is not None else None
        headers = merge_stamps(self, seen, append_stamps, **headers)
        self.stamp_links(visitor, append_stamps, **headers)
        for task in self.tasks:
            task.stamp(visitor, append_stamps, **headers)
        if visitor is not None:
            visitor.on_chord_header_end(self, **headers)
        if self.body is not None:
            if visitor is not None:
                headers = merge_stamps(self, visitor.on_chord_body(self, **headers) or {}, append_stamps, **headers)
            self.body.stamp(visitor, append_stamps, **headers)
        return self

    def __length_hint__(self) -> int:
        return sum(_ends(one) for one in self.tasks)

    def items(self) -> Any:
        """Returns its keys and values; who asks for them, such as an encoder, gets all its calls."""
        if isinstance(self.kwargs["header"], Members):
            self.kwargs["header"] = list(self.kwargs["header"])
        return super().items()

    def _own_app(self) -> Any:
        if self._app is not None:
            return self._app
        tasks = self.tasks
        found = tasks[0]._own_app() if tasks and isinstance(tasks[0], Signature) else None
        if found is not None:
            return found
        return self.body._own_app() if self.body is not None else None

    def __repr__(self) -> str:
        if self.body is None:
            return f"<chord without body: {self.tasks!r}>"
        if kind_of(self.body) != "chain" or not self.body.tasks:
            return f"%{self.body.reprcall(self.tasks)}"
        first, *others = self.body.tasks
        return "%(" + " | ".join([first.reprcall(self.tasks), *map(repr, others)]) + ")"


_chord = chord
