"""A call with an id is one task, however many workflows it stands in: those that come later go on with its end.

A task runs once, and what follows it was written when it was sent. So where a workflow has a call that is a task
already, a small task takes its place, which ends as that one has ended, or runs the call where its arguments turn out
to be others. This file sends nothing but the question whether they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ignitetasks.canvas.compiling import Compiler, Line
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.steps import OUTCOME, Call, Fan, Flow, calls_of, first_call, starting
from ignitetasks.ids import locator, new_ids_near
from ignitetasks.message import CONFLICT

#: How many ids one question names.
_ASKED = 500


def stand_ins(flow: Flow, compiler: Compiler, joined: bool = False) -> None:
    """Puts small tasks in the place of calls that are tasks already.

    A flow whose end is there is left alone: it is the same one, sent again.

    Args:
        flow: A flow with ids, of which some were chosen before.
        compiler: Says how a call is sent.
        joined: True where a task waits for the flow's end, which must then be one that ends from now on.
    """
    chosen = [call.id for call in calls_of(flow) if call.chosen]
    known = _known(compiler.app, chosen) if chosen else ()
    if known:
        _replace(flow, compiler, known, joined)


def _known(app: Sender, ids: list[str]) -> set[str]:
    """Returns those of some ids that the cluster has heard of."""
    transport, found = app.client.transport, set[str]()
    for start in range(0, len(ids), _ASKED):
        part = ids[start : start + _ASKED]
        records: Iterable[object] = transport.call("info", part)
        found |= {one for one, record in zip(part, records, strict=True) if record is not None}
    return found


def _replace(flow: Flow, compiler: Compiler, known: set[str], joined: bool) -> None:
    if not joined and _is_sent_again(flow, known):
        return
    place = locator(flow[-1].id)
    for step in flow:
        if isinstance(step, Fan):
            for member in step.members:
                # The members of a group that nothing leads to and nothing waits for are sent each by itself.
                _replace(member, compiler, known, joined or len(flow) > 1)
        elif step.id in known:
            _stand_in(step, compiler, place)


def _is_sent_again(flow: Flow, known: set[str]) -> bool:
    """Tells whether a flow whose end is known is the same one again, and not another one that ends with that call."""
    end, head = flow[-1], first_call(flow)
    begun = head is not None and head.id in known
    if isinstance(end, Fan):
        return len(flow) > 1 and begun and all(member[-1].id in known for member in end.members)
    by_the_call = end.source is not None and (end.source.get("options") or {}).get("task_id") is not None
    return end.id in known and (begun or not by_the_call)


def _stand_in(call: Call, compiler: Compiler, place: int) -> None:
    own = {
        "task": call.task, "args": tuple(call.args), "kwargs": dict(call.kwargs), "options": call.options,
        "subtask_type": None, "immutable": call.immutable,
    }  # fmt: skip
    # To the same queue: that one has workers.
    call.options = {"queue": compiler.plan(call)[0].template.queue}
    call.task, call.args, call.kwargs = OUTCOME, (), {"of": call.id, "call": own}
    call.id, call.chosen = new_ids_near(1, place)[0], False


def whole_call(own: Mapping[str, Any], before: Sequence[Any]) -> dict[str, Any]:
    """Returns the call that a small task stands for, as a signature's map that takes no further arguments.

    Args:
        own: The call.
        before: What the small task was given by those before it.
    """
    args = own["args"] if own["immutable"] else (*before, *own["args"])
    return {**own, "args": tuple(args), "immutable": True}


def is_that_task(compiler: Compiler, task_id: str, own: Mapping[str, Any]) -> bool:
    """Tells whether a task that has ended was sent with the same arguments.

    Args:
        compiler: Asks.
        task_id: Its id.
        own: The call it is compared to.
    """
    call = Call(own["task"], own["args"], own["kwargs"], own["options"], True, task_id)
    compiler.call(call, Line(compiler.codecs, [call]), 1, (), None, None)
    answer = compiler.app.client.transport.submit(compiler.groups, 0, None)
    return all(code != CONFLICT for _, code, _ in answer.exceptions)


def promise_later(flow: Flow, compiler: Compiler, join: str | None = None, but: Collection[Call] = ()) -> None:
    """Promises those calls with chosen ids that come later, so that other workflows hear of them from now on.

    Args:
        flow: A flow with ids that is about to be started.
        compiler: Takes the promises.
        join: The task that waits for the flow's end.
        but: Calls that are promised already.
    """
    if not any(call.chosen for call in calls_of(flow)):
        return
    now = {id(call) for call in (*starting(flow), *but)}
    for call, waiting in _with_joins(flow, join):
        if call.chosen and id(call) not in now:
            call.promised = True
            compiler.promise(call, waiting)


def _with_joins(flow: Flow, join: str | None) -> Iterator[tuple[Call, str | None]]:
    for index, step in enumerate(flow):
        if isinstance(step, Call):
            yield step, join if index + 1 == len(flow) else None
            continue
        body = flow[index + 1].id if index + 1 < len(flow) else None
        for member in step.members:
            yield from _with_joins(member, body)
