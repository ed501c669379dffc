"""Asks tasks whose class, or a test, has put something else in the place of `apply_async`.

Such a method is called for each call of a canvas too, before the call is put on record: what it hands on to the real
`apply_async` is what the canvas sends, under the id the canvas has given. What it does not hand on is not sent.
This file must not send anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from ignitetasks.canvas.flow import TIES, as_list
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.steps import Call, Flow, starting
from ignitetasks.result import AsyncResult, handle_class


class _Question:
    """A call that a task is asked about.

    Attributes:
        task: The task.
        id: Id of the call.
        answer: Arguments, keyword arguments and options it is to be sent with; None until they are known.
    """

    def __init__(self, task: Any, task_id: str) -> None:
        self.task = task
        self.id = task_id
        self.answer: tuple[Sequence[Any], Mapping[str, Any], Mapping[str, Any]] | None = None


_question: ContextVar[_Question | None] = ContextVar("ignitetasks_question", default=None)


def answered(
    task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> AsyncResult[Any] | None:
    """Takes a call as the answer to what its task was asked; returns its handle, or None where nobody has asked.

    Args:
        task: The task that is to be sent.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: Options.
    """
    question = _question.get()
    if question is None or question.task is not task or question.answer is not None:
        return None
    question.answer = (args, kwargs, options)
    return handle_class(task.app)(question.id, None, task.name, task.app)


def ask(flow: Flow, app: Sender, root: str | None, parent: str | None) -> None:
    """Asks about the calls that are put on record when a flow is started.

    Args:
        flow: A flow with ids; its calls are changed by the answers.
        app: Whose tasks are asked.
        root: First task of the workflow.
        parent: The task that sends it.
    """
    own = own_ways(flow, app)
    if own:
        for call in starting(flow):
            if call.task in own:
                _ask(call, own[call.task], {"root_id": root, "parent_id": parent})


def own_ways(flow: Flow, app: Sender) -> dict[str, Any]:
    """Returns by name the tasks that are to be asked about what a flow starts with."""
    tasks = app.tasks
    found = ((name, tasks.get(name)) for name in {call.task for call in starting(flow)})
    return {name: task for name, task in found if task is not None and task._sends_its_own_way}


def _ask(call: Call, task: Any, workflow: Mapping[str, Any]) -> None:
    ties = {
        "task_id": call.id, "group_id": call.group_id, "link": call.links, "link_error": call.errbacks, **workflow,
    }  # fmt: skip
    options = {**call.options, **{name: value for name, value in ties.items() if value}}
    question = _Question(task, call.id)
    token = _question.set(question)
    try:
        task.apply_async(tuple(call.args), dict(call.kwargs), **options)
    finally:
        _question.reset(token)
    if question.answer is None:
        call.withheld = True
        return
    call.args, call.kwargs, chosen = question.answer
    call.options = {name: value for name, value in chosen.items() if name not in TIES}
    call.links, call.errbacks = as_list(chosen.get("link")), as_list(chosen.get("link_error"))
