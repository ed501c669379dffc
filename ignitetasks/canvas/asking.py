"""Asks where a class, or a test, has put something else in the place of a task's `apply_async` or an app's `send_task`.

Such a method is called for each call of a canvas too, before the call is put on record: what it hands on to the real
one is what the canvas sends, under the id the canvas has given. What it does not hand on is not sent.
This file must not send anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from ignitetasks.canvas.flow import TIES, as_list
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.steps import Call, Flow, starting
from ignitetasks.result import AsyncResult, handle_class

#: Tasks of the package's own, which are sent for the sake of a canvas, start with this.
_OWN = "ignitetasks."


class _Question:
    """A call that somebody is asked about.

    Attributes:
        app: Who is to send it.
        task: Name of its task.
        id: Its id.
        answer: Arguments, keyword arguments and options it is to be sent with; None until they are known.
    """

    def __init__(self, app: Sender, task: str, task_id: str) -> None:
        self.app = app
        self.task = task
        self.id = task_id
        self.answer: tuple[Sequence[Any], Mapping[str, Any], Mapping[str, Any]] | None = None


_question: ContextVar[_Question | None] = ContextVar("ignitetasks_question", default=None)


def answered(
    app: Any, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
) -> AsyncResult[Any] | None:
    """Takes a call as the answer to a question about it; returns its handle, or None where nobody has asked.

    Args:
        app: Who is to send it.
        task: Name of its task.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: Options.
    """
    question = _question.get()
    if question is None or question.answer is not None or question.app is not app or question.task != task:
        return None
    question.answer = (args, kwargs, options)
    return handle_class(app)(question.id, None, task, app)


def ask(flow: Flow, app: Sender, root: str | None, parent: str | None) -> None:
    """Asks about the calls that are put on record when a flow is started.

    Args:
        flow: A flow with ids; its calls are changed by the answers.
        app: Who is asked, or whose tasks are.
        root: First task of the workflow.
        parent: The task that sends it.
    """
    own = own_ways(flow, app)
    if own:
        for call in starting(flow):
            if call.task in own:
                _ask(call, app, own[call.task], {"root_id": root, "parent_id": parent})


def own_ways(flow: Flow, app: Sender) -> dict[str, Callable[..., Any]]:
    """Returns by the names of tasks who is to be asked about what a flow starts with."""
    every, tasks = app.sends_its_own_way, app.tasks
    asked: dict[str, Callable[..., Any]] = {}
    for name in {call.task for call in starting(flow)}:
        task = tasks.get(name)
        if (every and not name.startswith(_OWN)) or (task is not None and task._sends_its_own_way):
            asked[name] = functools.partial(app.send_task, name) if task is None else task.apply_async
    return asked


def _ask(call: Call, app: Sender, send: Callable[..., Any], workflow: Mapping[str, Any]) -> None:
    ties = {
        "task_id": call.id, "group_id": call.group_id, "link": call.links, "link_error": call.errbacks, **workflow,
    }  # fmt: skip
    options = {**call.options, **{name: value for name, value in ties.items() if value}}
    question = _Question(app, call.task, call.id)
    token = _question.set(question)
    try:
        send(tuple(call.args), dict(call.kwargs), **options)
    finally:
        _question.reset(token)
    if question.answer is None:
        call.withheld = True
        return
    call.args, call.kwargs, chosen = question.answer
    call.options = {name: value for name, value in chosen.items() if name not in TIES}
    call.links, call.errbacks = as_list(chosen.get("link")), as_list(chosen.get("link_error"))
