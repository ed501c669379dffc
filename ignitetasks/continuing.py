"""What a task's end brings about: the next call of its flow, callbacks, errbacks, ends of what will never run.

Pure as far as it can be: it reads what the task carries (``envelope``), and says what the node shall write in one
transaction with the outcome (`Spawn`). Used by a worker's child for the ends it decides, and by the task
``ignitetasks.settle`` for those the node decides. This file must not import the worker.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from ignitetasks import context, envelope, frames, log, states
from ignitetasks.canvas.asking import ask, own_ways
from ignitetasks.canvas.compiling import Compiler, Line, PutBlob
from ignitetasks.canvas.flow import Builder
from ignitetasks.canvas.launching import name_links, split
from ignitetasks.canvas.naming import name_flow
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import maybe_signature
from ignitetasks.canvas.steps import Call, Fan, Flow, calls_of, close, put_in_front
from ignitetasks.context import Request
from ignitetasks.errors import ChordError, ConfigurationError
from ignitetasks.failure import Failure, safe_text
from ignitetasks.ids import locator
from ignitetasks.message import BlobRef, Completion, Group, Spawn, Template, encode_result, make_spawn
from ignitetasks.result import GroupResult, open_completion

#: How many results one question asks for.
_BATCH = 5_000
#: More than this goes to the node before the outcome, in pieces.
_MOST_BYTES = frames.MAX_FRAME * 3 // 4
#: Steps of a member's flow that are looked at for what they added.
_LONGEST_MEMBER = 100
#: From so many ends on, each carries the failure without its traceback.
_MANY_ENDS = 100

#: Ends that errbacks are told of.
_TOLD = frozenset({states.FAILURE_CODE, states.DEAD_CODE, states.REJECTED_CODE})

_log = log.get_logger("canvas")

End = tuple[str, int, bytes | None, str | None, Template]


class Ended(NamedTuple):
    """A task at its end.

    Attributes:
        id: Its id.
        root_id: First task of its workflow.
        parent_id: The task before it.
        group_id: Its group.
        canvas: What it carries.
        trail: Whether its callbacks and errbacks are noted as its children.
    """

    id: str
    root_id: str
    parent_id: str | None
    group_id: str | None
    canvas: dict[str, Any]
    trail: bool = True


class Continuing:
    """Goes on after one task.

    Args:
        app: Whose tasks and settings count.
        put_blob: Stores large values.
        task: The task at its end.
    """

    def __init__(self, app: Sender, put_blob: PutBlob, task: Ended) -> None:
        self._app = app
        self._task = task
        self._compiler = Compiler(app, put_blob, task.root_id, task.id)
        self._ends: list[End] = []
        self._grow: list[tuple[str, int]] = []
        self._kin: list[list[Any]] = []
        self._request: Request | None = None

    def header(self) -> list[Any] | None:
        """Returns the results of the tasks it waited for, or None where it waited for none.

        Raises:
            ChordError: One of them did not end well.
        """
        packed = self._task.canvas.get("j")
        if packed is None:
            return None
        return collect(self._app, self._task.id, envelope.unpack_ids(packed))

    def succeeded(self, value: Any, request: Request | None = None) -> Spawn | None:
        """Says what follows a result."""
        canvas, self._request = self._task.canvas, request
        line, place = self._rest()
        if place < len(line):
            args = self._ask([line.step(index) for index in range(place, min(place + 2, len(line)))], (value,))
            self._compiler.start(line, place, args, canvas.get("J"), self._task.id)
            self._note_group(line.step(place))
        called = [task_id for link in canvas.get("l", ()) for task_id in self._follow(link, (value,))]
        if request is not None:
            self._add_members(request.additions)
        children = _sent(request) if request is not None else []
        self._note_children(children + (called if self._task.trail else []))
        return self._spawn()

    def failed(self, state: int, payload: bytes | None, error_type: str | None, request: Request) -> Spawn | None:
        """Says what follows any other end: errbacks, and the same end for what will never run."""
        self._request = request
        called = self._call_errbacks(payload, request) if state in _TOLD and self._task.canvas.get("e") else []
        self._note_children(_sent(request) + (called if self._task.trail else []))
        line, place = self._rest()
        if place < len(line):
            self._end_rest(line, place, state, payload, error_type)
        return self._spawn()

    def noted(self, request: Request) -> Spawn | None:
        """Says what a run has sent, and nothing of what follows it."""
        self._note_children(_sent(request))
        return self._spawn()

    def replaced(self, sig: Any) -> Spawn | None:
        """Says what stands in the place of the task: a canvas whose end has the task's id, then what followed it."""
        task, canvas = self._task, self._task.canvas
        flow = replacement(sig)
        last = flow[-1]
        assert isinstance(last, Call)  # noqa: S101  # a closed flow ends with a call
        last.id, last.chosen, last.group_id, last.promised = task.id, False, task.group_id, True
        last.group_index = envelope.index_of(task.id, canvas)
        last.links = [*last.links, *canvas.get("l", ())]
        for call in calls_of(flow):
            call.errbacks = [*call.errbacks, *canvas.get("e", ())]
            call.nesting = canvas.get("n", 0) + 1
        self._name(flow)
        self._ask(flow)
        line, place = self._rest()
        whole: Flow = [*flow, *(line.step(index) for index in range(place, len(line)))]
        self._compiler.start(self._line(whole), 0, (), canvas.get("J"), task.parent_id)
        return self._spawn()

    def _line(self, flow: Flow) -> Line:
        first = flow[0]
        serializer = self._compiler.plan(first)[0].serializer if isinstance(first, Call) else "msgpack"
        return Line(self._compiler.codecs, flow, serializer=serializer)

    def _rest(self) -> tuple[Line, int]:
        """Returns the flow the task is in, and the place of what follows it."""
        return rest_of(self._app, self._task.canvas)

    def _name(self, flow: Flow) -> None:
        place = locator(self._task.id)
        name_flow(flow, place)
        name_links(flow, self._app, place)

    def _ask(self, flow: Flow, args: Sequence[Any] = ()) -> Sequence[Any]:
        """Asks tasks that are sent their own way what is sent; returns arguments that are still to be put in front."""
        if not own_ways(flow, self._app):
            return args
        put_in_front(flow, args, {})
        token = context.enter(self._request)
        try:
            ask(flow, self._app, self._task.root_id, self._task.id)
        finally:
            context.leave(token)
        name_links(flow, self._app, locator(self._task.id))
        return ()

    def _follow(self, sig: Any, args: Sequence[Any]) -> list[str]:
        """Starts a callback or an errback; returns the ids of what it ends with."""
        flow = Builder().build(sig, place="link")
        if not flow:
            return []
        self._name(flow)
        args = self._ask(flow, args)
        self._compiler.start(self._line(flow), 0, args, None, self._task.id)
        last = flow[-1]
        return [one.id for one in ([last] if isinstance(last, Call) else last.ends())]

    def _add_members(self, sigs: Sequence[Any]) -> None:
        join = self._task.canvas.get("J")
        end, left = flow_end(self._app, self._task.id, self._task.canvas) if sigs else ("", 0)
        for number, sig in enumerate(sigs):
            flow = close(Builder().build(sig))
            flow[-1].id = added_id(end, left, number)
            for call in calls_of(flow):
                call.chosen = False
            self._name(flow)
            self._ask(flow)
            self._compiler.start(self._line(flow), 0, (), join, self._task.id)
        if sigs and join is not None:
            self._grow.append((join, len(sigs)))

    def _note_group(self, step: Any) -> None:
        """Notes the group that follows: of a step that is a call, its id says that it does."""
        if isinstance(step, Fan) and step.id and self._task.trail:
            self._kin.append(envelope.pack_group(step.id, [one.id for one in step.ends()]))

    def _note_children(self, ids: Sequence[str]) -> None:
        packed = [*self._kin, *envelope.pack_ids(ids)]
        if not packed:
            return
        trail = envelope.trail_of(self._task.id)
        template = Template(task="ignitetasks.trail", queue=self._app.settings.default_queue)._replace(
            root_id=self._task.root_id, parent_id=self._task.id
        )
        serializer = self._app.settings.result_serializer
        payload = bytes(encode_result(self._compiler.codecs, trail, packed, serializer))
        self._ends.append((trail, states.SUCCESS_CODE, payload, None, template))

    def _end_rest(self, line: Line, place: int, state: int, payload: bytes | None, error_type: str | None) -> None:
        join = self._task.canvas.get("J")
        steps = [line.step(index) for index in range(place, len(line))]
        last = steps[-1]
        tails = [last] if isinstance(last, Call) else last.ends()
        ends = {one.id for one in tails}
        doomed = [(one, None) for one in calls_of(steps) if one.promised and one.id not in ends]
        targets = [*doomed, *((one, join if one is last else None) for one in tails)]
        if payload is not None and len(targets) > _MANY_ENDS:
            payload = replace(Failure.decode(payload), traceback="").encode()
        for call, waiting in targets:
            template = self._compiler.plan(call)[0].template._replace(
                root_id=self._task.root_id, parent_id=self._task.id, group_id=call.group_id, join_id=waiting, eta_ms=0,
                expires_ms=0,
            )  # fmt: skip
            self._ends.append((call.id, state, payload, error_type, template))

    def _call_errbacks(self, payload: bytes | None, request: Request) -> list[str]:
        """Starts errbacks, or calls them; returns the ids of what those that were started end with."""
        called: list[str] = []
        failure = Failure.decode(payload) if payload is not None else None
        ended = self._task.canvas.get("o", self._task.id)
        if ended != request.id:
            # It stands for another task, and ends as that one has ended.
            request = copy.copy(request)
            request.id = ended
        for errback in self._task.canvas["e"]:
            sig = maybe_signature(errback, app=self._app)
            if failure is None or not takes_the_error(self._app, sig):
                called += self._follow(sig, (ended,))
                continue
            try:
                sig(request, failure.rebuild(self._app.task_modules), failure.traceback)
            except Exception as error:
                _log.error(f"errback {sig.task} of task {self._task.id} failed: {safe_text(error)}")
        return called

    def _spawn(self) -> Spawn | None:
        groups: Sequence[Group] = self._compiler.groups
        size = sum(len(item[1]) + 48 for group in groups for item in group.items)
        if size > _MOST_BYTES:
            # All ids are fixed, so whoever does this again does nothing more.
            client = self._app.client
            for chunk in split(groups, client.settings.inline_limit):
                client.transport.submit(chunk, 1)
            groups = ()
        self._app.published(self._compiler.published)
        return make_spawn(groups, self._ends, self._grow)


def ties_of(app: Any, task_id: str, canvas: dict[str, Any]) -> dict[str, Any]:
    """Returns what a running task is told of what it is tied to, by the names of its request.

    Args:
        app: Whose task it is.
        task_id: Its id.
        canvas: What it carries.
    """
    if not canvas:
        return {}
    join, stamps = canvas.get("J"), canvas.get("S") or {}
    return {
        "canvas": canvas,
        "rest": functools.partial(chain_of, app, canvas),
        "group_index": envelope.index_of(task_id, canvas),
        "callbacks": canvas.get("l"),
        "errbacks": canvas.get("e"),
        "chord": {"task": None, "options": {"task_id": join}} if join else None,
        "replaced_task_nesting": canvas.get("n", 0),
        "stamped_headers": list(stamps) or None,
        "stamps": stamps or None,
    }


def replacement(sig: Any) -> Flow:
    """Returns the flow that stands in the place of a task.

    Raises:
        ConfigurationError: It is empty.
    """
    flow = Builder().build(sig)
    if not flow:
        raise ConfigurationError("Cannot replace with an empty chain")
    return close(flow)


def chain_of(app: Sender, canvas: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Returns the steps that follow a task as signatures, the last one first; None where none follow."""
    line, place = rest_of(app, canvas)
    return line.rest(place) or None


def rest_of(app: Sender, canvas: dict[str, Any]) -> tuple[Line, int]:
    """Returns the flow a task is in, and the place of what follows the task."""
    codecs = app.client.codecs
    if "t" in canvas:
        ref, place = canvas["t"]
        return Line(codecs, packed=_tails.get(app, ref), blob=ref), place
    return Line(codecs, packed=list(canvas.get("r", ()))), 0


def flow_end(app: Sender, task_id: str, canvas: dict[str, Any]) -> tuple[str, int]:
    """Returns the id of the end of the flow a task is in, and how many steps there are until then."""
    line, place = rest_of(app, canvas)
    left = len(line) - place
    return (line.step(len(line) - 1).id, left) if left > 0 else (task_id, 0)


def added_id(end: str, left: int, number: int) -> str:
    """Returns the id of what a task adds to its chord.

    The chord's body knows of each member only the end of its flow, so that is what the id is made of.

    Args:
        end: The end of the flow the task is in.
        left: How many steps there are until then.
        number: How many it has added before.
    """
    return envelope.derived(end, f"added {left} {number}")


def takes_the_error(app: Sender, sig: Any) -> bool:
    """Tells whether an errback is of the style that is called with request, exception and traceback."""
    if sig.subtask_type:
        return False
    task = app.tasks.get(sig.task)
    if task is None:
        return False
    try:
        parameters = list(inspect.signature(task.fn).parameters.values())
    except (TypeError, ValueError):
        return False
    places = sum(1 for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD))
    if any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return False
    return places - (1 if task.options.bind else 0) > 1


def collect(app: Sender, task_id: str, ids: list[str]) -> list[Any]:
    """Returns the results of the header of a chord, in order.

    Args:
        app: Whose client asks.
        task_id: The body.
        ids: The header's tasks.

    Raises:
        ChordError: One of them did not end well; the message names it.
    """
    if not ids:
        return []
    transport = app.client.transport
    record = transport.call("info", [task_id])[0]
    missing = (record.get("join_size") or 0) - len(ids) if isinstance(record, dict) else 0
    ends = ends_of(app, ids)
    new = ids
    while missing > 0 and new:
        found = _added(app, new, missing)
        ends.update(found)
        new = list(found)
        ids, missing = ids + new, missing - len(new)
    return [_value(app, one, ends.get(one)) for one in ids]


def _added(app: Sender, ids: Sequence[str], missing: int) -> dict[str, Completion]:
    """Returns the ends of what members added to their chord while it ran; the ids follow from theirs."""
    found: dict[str, Completion] = {}
    for left in range(_LONGEST_MEMBER):
        asked, number = list(ids), 0
        while asked:
            probe = {added_id(one, left, number): one for one in asked}
            known = ends_of(app, list(probe))
            found.update(known)
            asked = [probe[one] for one in known]
            number += 1
        if len(found) >= missing:
            break
    return found


def ends_of(app: Sender, ids: Sequence[str]) -> dict[str, Completion]:
    """Returns by id how tasks have ended; those that have not are not there."""
    transport = app.client.transport
    found: dict[str, Completion] = {}
    for start in range(0, len(ids), _BATCH):
        session = transport.session()
        answer = transport.watch(session.number, ids[start : start + _BATCH])
        found.update((one.id, one) for one in answer.completions)
    return found


def _value(app: Sender, task_id: str, end: Completion | None) -> Any:
    if end is None:
        raise ChordError(f"Dependency {task_id} is not known any more: its record was forgotten or has expired")
    good, value = open_completion(app.client, end, app.task_modules)
    if not good:
        raise ChordError(f"Dependency {task_id} raised {value!r}")
    return value


def _sent(request: Request) -> list[str]:
    """Returns the ids of the tasks that a run has sent; a group counts by its members."""
    return list(chain.from_iterable(map(_ids_of, request.children)))


def _ids_of(sent: Any) -> Sequence[str]:
    return sent.as_list() if isinstance(sent, GroupResult) else (sent.id,)


class _Tails:
    """The long flows this process has read lately: each of its steps needs the same one."""

    def __init__(self, most: int = 16) -> None:
        self._kept: dict[bytes, list[bytes]] = {}
        self._most = most

    def get(self, app: Sender, ref: bytes) -> list[bytes]:
        """Returns the packed steps of a flow that is stored beside the ledger."""
        steps = self._kept.get(ref)
        if steps is None:
            steps = envelope.unpack_tail(app.client.transport.get_blob(BlobRef.unpack(ref)))
            if len(self._kept) >= self._most:
                self._kept.pop(next(iter(self._kept)))
            self._kept[ref] = steps
        return steps


_tails = _Tails()
