"""Makes the flow of a canvas: chains, groups and chords of any nesting come to calls and fans (see ``steps``).

Works on plain maps, so that what came over the wire needs no signatures; nothing of the canvas is changed. This file
must not send anything, and makes no ids.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from ignitetasks.canvas.steps import (
    MAP,
    STARMAP,
    Call,
    Fan,
    Flow,
    calls_of,
    close,
    first_calls,
    gatherer,
    name_of_map,
    put_in_front,
)
from ignitetasks.errors import RequestError
from ignitetasks.ids import id_text

#: Deepest nesting of groups inside chains inside groups that is taken.
MAX_NESTING = 100

#: Options that say how a call is tied to others; the rest are those of ``apply_async``.
TIES = frozenset(
    {
        "task_id", "link", "link_error", "chord", "chain", "group_id", "group_index", "root_id", "parent_id",
        "reply_to", "replaced_task_nesting", "gather_id", "header_id", "add_to_parent",
        "producer", "publisher", "route_name",
    }
)  # fmt: skip


#: Kinds of a canvas that projects have made of those here: the name of each, and that of what it is made of.
BASES: dict[str, str] = {}


def kind_of(sig: Mapping[str, Any]) -> str | None:
    """Returns which kind of canvas a signature's map is, or None for a single call."""
    kind = sig.get("subtask_type") or None
    return BASES.get(kind, kind) if kind else None


def as_list(value: Any) -> list[Any]:
    """Returns an option that may be absent, one value, or several, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _with(own: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns options of a call with those that win over them; headers of both count."""
    whole = {**own, **options}
    if own.get("headers") and options.get("headers"):
        whole["headers"] = {**own["headers"], **options["headers"]}
    return whole


def _members(tasks: Any) -> Any:
    """Returns the members of a header, which may be a group itself."""
    if isinstance(tasks, Mapping):
        inner = tasks.get("kwargs", {}).get("tasks")
        return [tasks] if inner is None else inner
    return tasks if tasks is not None else ()


class Builder:
    """Makes the flow of one canvas; nothing of the canvas is changed.

    Args:
        sent: Whether it is to be sent; a canvas that is only to have ids may leave out the names of its tasks.
    """

    def __init__(self, sent: bool = True) -> None:
        self._sent = sent
        #: What is being looked at, outermost first: the place of an error, and how a circle is noticed.
        self._path: list[tuple[int, str]] = []

    def build(self, sig: Any, options: Mapping[str, Any] | None = None, place: str = "") -> Flow:
        """Returns the flow of a signature or its map.

        Args:
            sig: What is to be sent.
            options: Options that win over those of its first calls.
            place: Where it was found, for messages.

        Raises:
            RequestError: It contains itself, is nested too deeply, or something inside it is no signature; the
                message names the place.
        """
        if not isinstance(sig, MutableMapping) or "task" not in sig:
            raise RequestError(f"{self._where(place)} is no signature but {sig!r:.100}; make one with task.s(...)")
        kind = kind_of(sig)
        if not kind:
            return [self._call(sig, options, place)]
        if len(self._path) >= MAX_NESTING:
            raise RequestError(
                f"the canvas is nested deeper than {MAX_NESTING} levels at {self._where(place)[:200]}; "
                "send the inner part from a task of its own"
            )
        mark = id(sig)
        if any(mark == seen for seen, _ in self._path):
            raise RequestError(f"the canvas contains itself at {self._where(place or kind)[:200]}")
        self._path.append((mark, place or str(kind)))
        try:
            flow = self._kind(kind, sig, options)
        finally:
            self._path.pop()
        # chunks and maps have all their arguments inside.
        if kind in ("chain", "group", "chord"):
            kwargs = sig["kwargs"].get("kwargs") if kind == "chord" else None
            if sig.get("args") or kwargs:
                put_in_front(flow, sig.get("args") or (), kwargs or {})
            if sig.get("immutable"):
                for call in first_calls(flow):
                    call.immutable = True
        return flow

    def _kind(self, kind: str, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None) -> Flow:
        if kind == "chain":
            return self._chain(sig, options)
        if kind == "group":
            return [self._group(sig, options)]
        if kind == "chord":
            return self._chord(sig, options)
        if kind == "chunks":
            return [self._chunks(sig, options)]
        if kind in ("xmap", "xstarmap"):
            return [self._mapping(sig, options)]
        return [self._call(sig, options, kind)]

    def _where(self, place: str) -> str:
        return ".".join([*(name for _, name in self._path), *([place] if place else [])]) or "the canvas"

    def _call(self, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None, place: str) -> Call:
        own = sig.get("options") or {}
        if self._sent and (not isinstance(sig["task"], str) or not sig["task"]):
            raise RequestError(f"{self._where(place)} has no task name but {sig['task']!r}")
        if not own and not options:
            return Call(
                sig["task"], sig.get("args") or (), sig.get("kwargs"), None, bool(sig.get("immutable")), source=sig
            )
        whole = _with(own, options) if options else own
        call = Call(
            sig["task"],
            sig.get("args") or (),
            sig.get("kwargs"),
            {name: value for name, value in whole.items() if name not in TIES and value is not None},
            bool(sig.get("immutable")),
            id_text(own.get("task_id")) or "",
            source=sig,
        )
        call.links, call.errbacks = as_list(whole.get("link")), as_list(whole.get("link_error"))
        call.group_id = id_text(whole.get("group_id"))
        call.nesting = whole.get("replaced_task_nesting") or 0
        return call

    def _mapping(self, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None) -> Call:
        call = self._call(sig, options, str(sig.get("subtask_type")))
        inner = sig["kwargs"]
        task = _plain(inner["task"])
        call.task = name_of_map(MAP if kind_of(sig) == "xmap" else STARMAP, task)
        call.kwargs = {"task": task, "it": list(inner["it"])}
        call.immutable = True
        return call

    def _chunks(self, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None) -> Fan:
        inner, merged = sig["kwargs"], {**(sig.get("options") or {}), **(options or {})}
        size = inner["n"]
        if not isinstance(size, int) or size < 1:
            raise RequestError(f"{self._where('chunks')}: n must be a whole number from 1, not {size!r}")
        plain = {name: value for name, value in merged.items() if name not in TIES}
        values, task = list(inner["it"]), _plain(inner["task"])
        members: list[Flow] = []
        for start in range(0, len(values), size):
            part = {"task": task, "it": values[start : start + size]}
            members.append([Call(name_of_map(STARMAP, task), (), part, plain, immutable=True)])
        return Fan(members, id_text(merged.get("task_id")) or "", sig)

    def _chain(self, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None) -> Flow:
        own = {**(sig.get("options") or {}), **(options or {})}
        plain = {name: value for name, value in own.items() if name not in TIES}
        tasks = list(sig["kwargs"].get("tasks") or ())
        flow: Flow = []
        first = True
        for index, task in enumerate(tasks):
            task = _unrolled(task)
            if _is_empty(task) and (flow or index + 1 < len(tasks)):
                continue
            part = self.build(task, plain if first and plain else None, f"[{index}]")
            if part:
                first = False
                join_flows(flow, part)
        self._tie(flow, own)
        return flow

    def _tie(self, flow: Flow, own: Mapping[str, Any]) -> None:
        """Gives a flow the callbacks of the canvas it was made of."""
        links, errbacks = as_list(own.get("link")), as_list(own.get("link_error"))
        if links and flow:
            last = flow[-1]
            for target in [last] if isinstance(last, Call) else calls_of(last.members[0] if last.members else ()):
                target.links = [*target.links, *links]
        if errbacks:
            for step in flow:
                for target in [step] if isinstance(step, Call) else calls_of([step]):
                    target.errbacks = [*target.errbacks, *(one for one in errbacks if one not in target.errbacks)]
        if own.get("task_id") and flow and not flow[-1].id:
            flow[-1].id = id_text(own["task_id"])
            if isinstance(flow[-1], Call):
                flow[-1].chosen = True
        if own.get("group_id") and flow and isinstance(flow[-1], Call):
            flow[-1].group_id = id_text(own["group_id"])

    def _group(self, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None) -> Fan:
        own = {**(sig.get("options") or {}), **(options or {})}
        plain = {name: value for name, value in own.items() if name not in TIES} or None
        fan = Fan([], id_text(own.get("task_id")) or "", sig)
        errbacks = as_list(own.get("link_error"))
        for index, task in enumerate(_members(sig["kwargs"].get("tasks"))):
            # Most members are single calls: no place, no path.
            if isinstance(task, MutableMapping) and not task.get("subtask_type") and "task" in task:
                fan.members.append([self._call(task, plain, "")])
                continue
            flow = self.build(task, plain, f"[{index}]")
            if len(flow) == 1 and isinstance(flow[0], Fan) and kind_of(task) == "group":
                fan.members += flow[0].members
            elif flow:
                fan.members.append(flow)
        if errbacks:
            for call in calls_of([fan]):
                call.errbacks = [*call.errbacks, *errbacks]
        return fan

    def _chord(self, sig: MutableMapping[str, Any], options: Mapping[str, Any] | None) -> Flow:
        own, inner = {**(sig.get("options") or {}), **(options or {})}, sig["kwargs"]
        if not isinstance(inner.get("body"), MutableMapping):
            raise RequestError(f"{self._where('body')}: a chord needs a body; it is {inner.get('body')!r:.100}")
        # Time options delay the header; the body follows it anyway.
        ties = {"link", "link_error", "task_id", "countdown", "eta"}
        plain = {name: value for name, value in own.items() if name not in TIES}
        late = {name: value for name, value in plain.items() if name not in ties}
        header = inner.get("header")
        source = header if isinstance(header, MutableMapping) and kind_of(header) == "group" else sig
        group = {"task": "group", "kwargs": {"tasks": _members(header)}, "options": plain, "subtask_type": "group"}
        fan = self._group(group, header.get("options") if source is header else None)
        fan.source = source
        fan.id = fan.id or id_text(own.get("header_id")) or ""
        for member in fan.members:
            close(member)
        body = self.build(inner["body"], late or None, "body")
        self._tie(body, {name: own.get(name) for name in ("link", "link_error", "task_id")})
        return join_flows([fan], body)


def join_flows(flow: Flow, part: Flow) -> Flow:
    """Appends what follows to a flow; between two fans comes a call that gathers."""
    if flow and isinstance(flow[-1], Fan):
        for member in flow[-1].members:
            close(member)
        if part and isinstance(part[0], Fan):
            flow.append(gatherer(flow[-1]))
    flow += part
    return flow


def _plain(task: Any) -> dict[str, Any]:
    """Returns the map of a task, a signature or a task name."""
    if isinstance(task, Mapping):
        return dict(task)
    return {"task": getattr(task, "name", task), "args": (), "kwargs": {}, "options": {}, "subtask_type": None,
            "immutable": False}  # fmt: skip


def _unrolled(task: Any) -> Any:
    """Returns the only member of a group of one, else what it is given."""
    if isinstance(task, Mapping) and kind_of(task) == "group":
        tasks = task["kwargs"].get("tasks")
        if hasattr(tasks, "__len__") and len(tasks) == 1:
            return next(iter(tasks))
    return task


def _is_empty(task: Any) -> bool:
    """Tells whether it is a group without members or a chain without tasks."""
    if not isinstance(task, Mapping) or kind_of(task) not in ("group", "chain"):
        return False
    tasks = task["kwargs"].get("tasks")
    return hasattr(tasks, "__len__") and not len(tasks)
