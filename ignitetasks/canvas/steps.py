"""What a canvas comes to: a flat list of calls, one after the other, with fans of such lists between them.

A flow is a list of `Call` and `Fan`. A call's result goes to what follows it. A fan is a group: its members run side
by side, and what follows a fan is always a call, which waits for all of them. This file must not know how a canvas
comes to be one (``flow``), must not send anything, and makes no ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

#: Returns what it is given: where a value is needed and no task of the user's gives it.
GATHER = "ignitetasks.gather"
#: Ends as another task has ended: stands for a call that is a task already.
OUTCOME = "ignitetasks.outcome"
MAP = "ignitetasks.map"
STARMAP = "ignitetasks.starmap"
#: What a map is called in the ledger starts with one of these and goes on with the task it calls, so that only workers
#: that have that task are given it.
_MAPS = (MAP, STARMAP)
#: Puts a canvas in its own place: what a tick of a schedule calls.
LAUNCH = "ignitetasks.launch"


def name_of_map(kind: str, inner: Mapping[str, Any]) -> str:
    """Returns what a call is named that calls another task for each of many values.

    Args:
        kind: `MAP` or `STARMAP`.
        inner: The map of the other task's signature.
    """
    return kind if inner.get("subtask_type") else f"{kind}:{inner['task']}"


def mapped_task(name: str) -> str:
    """Returns the task that a map calls, by the map's name; any other name as it is."""
    kind, _, inner = name.partition(":")
    return inner if inner and kind in _MAPS else name


def task_of(tasks: Mapping[str, Any], name: str) -> Any:
    """Returns the task that runs calls of a name, or None where it is not here, or what it calls is not.

    Args:
        tasks: Tasks by name.
        name: Name of a call.
    """
    task = tasks.get(name)
    if task is None and mapped_task(name) in tasks:
        task = tasks.get(name.partition(":")[0])
    return task


def names_run_by(tasks: Iterable[str]) -> list[str]:
    """Returns the names of all calls that run where some tasks are, in order."""
    names = list(tasks)
    return sorted([*names, *(f"{kind}:{name}" for kind in _MAPS for name in names)])


class Call:
    """One call of a flow.

    Attributes:
        task: Task name.
        args: Positional arguments; what the call before gives is put in front.
        kwargs: Keyword arguments.
        options: Options as for ``apply_async``, without ties.
        immutable: True takes nothing from the call before.
        id: Its task id; empty until it is chosen.
        chosen: True when the id was there before: somebody may have sent it already.
        links: Signatures that follow its success.
        errbacks: Signatures that follow its failure.
        group_id: Its group, or None.
        group_index: Its place in the group, or None.
        nesting: How many replacements led to it.
        promised: True when its id is known to the node already, which waits for its call.
        withheld: True when its task was asked and has not sent it.
        source: The map it was made of, where `Builder` made it.
    """

    __slots__ = (
        "args", "chosen", "errbacks", "group_id", "group_index", "id", "immutable", "kwargs", "links", "nesting",
        "options", "promised", "source", "task", "withheld",
    )  # fmt: skip

    def __init__(
        self,
        task: str,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        immutable: bool = False,
        id: str = "",
        source: MutableMapping[str, Any] | None = None,
    ) -> None:
        self.task = task
        self.args = args
        self.kwargs = kwargs or {}
        self.options = options or {}
        self.immutable = immutable
        self.id = id
        self.chosen = bool(id)
        self.links: list[Any] = []
        self.errbacks: list[Any] = []
        self.group_id: str | None = None
        self.group_index: int | None = None
        self.nesting = 0
        self.promised = False
        self.withheld = False
        self.source = source

    def pack(self) -> list[Any]:
        """Returns it as plain data."""
        bits = (1 if self.immutable else 0) | (2 if self.chosen else 0) | (4 if self.promised else 0)
        return [
            self.task, list(self.args), self.kwargs, self.options, bits, self.id, self.links, self.errbacks,
            self.group_id, self.nesting, self.group_index,
        ]  # fmt: skip

    @classmethod
    def unpack(cls, data: list[Any]) -> Call:
        """Reads what `pack` made."""
        task, args, kwargs, options, bits, task_id, links, errbacks, group_id, nesting, group_index = data
        call = cls(task, args, kwargs, options, bool(bits & 1), task_id)
        call.chosen, call.promised = bool(bits & 2), bool(bits & 4)
        call.links, call.errbacks, call.group_id, call.nesting = links, errbacks, group_id, nesting
        call.group_index = group_index
        return call


class Fan:
    """The members of a group.

    Attributes:
        members: A flow each.
        id: Id of the group; empty until it is chosen.
        source: The map it was made of.
    """

    __slots__ = ("id", "members", "source")

    def __init__(self, members: list[Flow], id: str = "", source: MutableMapping[str, Any] | None = None) -> None:
        self.members = members
        self.id = id
        self.source = source

    def ends(self) -> list[Call]:
        """Returns the calls that its members end with, those of groups inside it too."""
        found: list[Call] = []
        for member in self.members:
            last = member[-1]
            found += [last] if isinstance(last, Call) else last.ends()
        return found

    def pack(self) -> list[Any]:
        """Returns it as plain data."""
        return [self.id, [[step.pack() for step in member] for member in self.members]]

    @classmethod
    def unpack(cls, data: list[Any]) -> Fan:
        """Reads what `pack` made."""
        return cls([[unpack_step(step) for step in member] for member in data[1]], data[0])


Step = Call | Fan
Flow = list[Step]


def unpack_step(data: list[Any]) -> Step:
    """Reads a call or a fan."""
    return Fan.unpack(data) if len(data) == 2 else Call.unpack(data)


def signature_of(step: Step) -> dict[str, Any]:
    """Returns a call or a fan as the map of a signature."""
    if isinstance(step, Fan):
        tasks = [signature_of(member[0]) if len(member) == 1 else _chain_of(member) for member in step.members]
        return _map("ignitetasks.group", (), {"tasks": tasks}, {"task_id": step.id}, "group")
    ties = {"task_id": step.id, "group_id": step.group_id, "link": step.links, "link_error": step.errbacks}
    options = {**step.options, **{name: value for name, value in ties.items() if value}}
    return _map(step.task, step.args, step.kwargs, options, None, step.immutable)


def _chain_of(flow: Flow) -> dict[str, Any]:
    tasks = [signature_of(step) for step in flow]
    return _map("ignitetasks.chain", (), {"tasks": tasks}, {}, "chain")


def _map(
    task: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: dict[str, Any], kind: str | None,
    immutable: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "task": task, "args": tuple(args), "kwargs": dict(kwargs), "options": options, "subtask_type": kind,
        "immutable": immutable,
    }  # fmt: skip


def calls_of(flow: Iterable[Step]) -> Iterator[Call]:
    """Yields every call of a flow, those inside fans too."""
    for step in flow:
        if isinstance(step, Call):
            yield step
        else:
            for member in step.members:
                yield from calls_of(member)


def first_call(flow: Iterable[Step]) -> Call | None:
    """Returns the call a flow starts with, or one of those; None for a flow of empty groups."""
    return next(calls_of(flow), None)


def first_calls(flow: Flow) -> Iterator[Call]:
    """Yields the calls that a flow starts with: one, or those of a fan."""
    if flow and isinstance(flow[0], Call):
        yield flow[0]
    elif flow:
        for member in flow[0].members:  # type: ignore[union-attr]
            yield from first_calls(member)


def starting(flow: Flow) -> Iterator[Call]:
    """Yields the calls that are put on record when a flow is started: its first ones, and what waits for them."""
    if not flow:
        return
    first = flow[0]
    if isinstance(first, Call):
        yield first
        return
    for member in first.members:
        yield from starting(member)
    if len(flow) > 1:
        yield flow[1]  # type: ignore[misc]  # what follows a fan is a call


def put_in_front(flow: Flow, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Gives the calls a flow starts with further arguments; immutable ones take none."""
    for call in first_calls(flow):
        if not call.immutable:
            call.args = (*args, *call.args)
            if kwargs:
                call.kwargs = {**call.kwargs, **kwargs}


def close(flow: Flow) -> Flow:
    """Makes a flow end with a call, so that it has one result; returns it."""
    if not flow or isinstance(flow[-1], Fan):
        flow.append(gatherer(flow[-1] if flow else None))
    return flow


def gatherer(after: Step | None) -> Call:
    """Returns the call that collects the results of a fan where nothing of the user's does."""
    source = after.source if isinstance(after, Fan) else None
    known = source["options"].get("gather_id", "") if source is not None else ""
    return Call(GATHER, id=known, source=source)
