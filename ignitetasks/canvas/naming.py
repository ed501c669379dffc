"""Ids and handles of a flow: every task of a workflow has its id before the first one is sent.

All fresh ids of a flow have one locator, that of its first task's queue, so that one home sees the whole workflow;
the members of a group that something waits for have the locator of what waits. This file must not send anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ignitetasks.canvas.flow import kind_of
from ignitetasks.canvas.steps import GATHER, Call, Fan, Flow, calls_of
from ignitetasks.client import ResultSource
from ignitetasks.ids import locator, new_ids_near
from ignitetasks.result import AsyncResult, group_class, handle_class


def name_flow(flow: Flow, place: int) -> None:
    """Gives ids to whatever has none.

    Args:
        flow: Changed in place.
        place: Locator of the ids.
    """
    for index, step in enumerate(flow):
        if not step.id:
            step.id = new_ids_near(1, place)[0]
        if isinstance(step, Fan):
            name_fan(step, flow[index + 1] if index + 1 < len(flow) else None, place)


def name_fan(fan: Fan, after: Any, place: int, start: int = 0) -> None:
    """Gives ids to the members of a group.

    Args:
        fan: Changed in place.
        after: What follows it, or None.
        place: Locator of the ids.
        start: The place of its first member in the whole group.
    """
    if isinstance(after, Call):
        after.id = after.id or new_ids_near(1, place)[0]
        _name_joined(fan, locator(after.id), start)
    else:
        _name_members(fan, place, start)


def _name_members(fan: Fan, place: int, start: int) -> None:
    single = [
        member[0] for member in fan.members if len(member) == 1 and isinstance(member[0], Call) and not member[0].id
    ]
    # One stretch of counted ids: the node keeps such a stretch in one row, and a list of them is short.
    for call, task_id in zip(single, new_ids_near(len(single), place) if single else (), strict=True):
        call.id = task_id
    for index, member in enumerate(fan.members, start):
        if len(member) == 1 and isinstance(member[0], Call):
            call = member[0]
            call.group_id, call.group_index = call.group_id or fan.id, index
            continue
        name_flow(member, place)
        last = member[-1]
        for call in calls_of((last,)):
            call.group_id = call.group_id or fan.id
        if isinstance(last, Call):
            last.group_index = index


def _name_joined(fan: Fan, place: int, start: int) -> None:
    """Names the members of a group that a task waits for; who has an id of another home gets a relay here."""
    _name_members(fan, place, start)
    for member in fan.members:
        if locator(member[-1].id) != place:
            member.append(Call(GATHER, id=new_ids_near(1, place)[0]))
            member[-1].chosen = False  # type: ignore[union-attr]


def keep_ids(flow: Flow) -> None:
    """Writes the ids of a flow back into the signatures it was made of."""
    for step in flow:
        source = step.source
        if isinstance(step, Fan):
            for member in step.members:
                keep_ids(member)
            if source is not None:
                key = "header_id" if kind_of(source) == "chord" else "task_id"
                source["options"][key] = step.id
        elif source is not None:
            key = "gather_id" if step.task == GATHER and source.get("subtask_type") else "task_id"
            source["options"][key] = step.id
            if step.group_index is not None and key == "task_id":
                source["options"]["group_index"] = step.group_index


def handle_of(flow: Sequence[Any], source: ResultSource, parent: Any = None) -> Any:
    """Returns the handle of what a flow ends with; the handles of what comes before are its parents.

    Args:
        flow: Steps with ids.
        source: Whose client the handles ask.
        parent: The handle of what comes before the flow.
    """
    made = parent
    one, many = handle_class(source), group_class(source)
    for index, step in enumerate(flow):
        if isinstance(step, Fan):
            members = [
                one(member[0].id, None, member[0].task, source)
                if len(member) == 1 and isinstance(member[0], Call)
                else handle_of(member, source)
                for member in step.members
            ]
            made = many(step.id, members, parent=made, app=source)
        elif step.task != GATHER or index + 1 == len(flow):
            # What only gathers between two groups is no step of the user's.
            made = one(step.id, None, step.task, source, made)
        else:
            continue
        if isinstance(made.parent, AsyncResult):
            made.parent.led_to += (made,)
    return made
