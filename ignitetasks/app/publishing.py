"""Sends a call whose sending somebody wants to hear of, and tells that it was sent.

``before_task_publish`` is told by ``ignitetasks.publishing``, ``after_task_publish`` and the event ``task-sent`` here.
This file is only used where there are receivers; it must not check anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import log, publishing, sending, signals
from ignitetasks.errors import OperationalError
from ignitetasks.options import Plan
from ignitetasks.publishing import Published
from ignitetasks.result import AsyncResult

_log = log.get_logger("publishing")


def send(app: Any, name: str, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any]) -> AsyncResult[Any]:
    """Sends a call and tells who wants to hear of it.

    Args:
        app: Who sends.
        name: Task name.
        plan: How.
        args: Positional arguments.
        kwargs: Keyword arguments.
    """
    client = app.client
    chosen = sending.choose_id(client, plan, args, kwargs)
    call = publishing.announce(name, chosen[0], sending.with_ancestry(plan.template), args, kwargs)
    data = sending.encode(client.codecs, name, plan, call.args, call.kwargs)
    handle = sending.send_one(app, plan._replace(template=call.template), call.args, call.kwargs, data, chosen)
    tell_sent(app, call)
    return handle


def tell_sent(app: Any, call: Published) -> None:
    """Tells who wants to hear of it that a call was sent.

    Args:
        app: Who has sent it.
        call: The call.
    """
    signals.after_task_publish.send(sender=call.task, **call.news)
    if app.conf.task_send_sent_event:
        _send_event(app, call)


def hear(**_: Any) -> None:
    """Receives ``after_task_publish`` for the event ``task-sent``: where it is wanted, calls have to come this way."""


def _send_event(app: Any, call: Published) -> None:
    headers = call.news["headers"]
    fields = {key: headers[key] for key in ("root_id", "parent_id", "eta", "expires", "retries")}
    try:
        with app.events.default_dispatcher() as sender:
            sender.send(
                "task-sent",
                uuid=headers["id"],
                name=call.task,
                args=headers["argsrepr"],
                kwargs=headers["kwargsrepr"],
                queue=call.template.queue,
                exchange="",
                routing_key=call.template.queue,
                **fields,
            )
    except OperationalError as error:
        # The task is sent all the same.
        _log.warning("event not sent", type="task-sent", task_id=headers["id"], error=str(error))
