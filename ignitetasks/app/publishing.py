"""Sends a call whose sending somebody wants to hear of, and tells that it was sent.

``before_task_publish`` is told by ``ignitetasks.publishing``, ``after_task_publish`` and the event ``task-sent`` here.
This file is only used where there are receivers; it must not check anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import log, message, publishing, sending, signals
from ignitetasks.errors import OperationalError
from ignitetasks.events.event import text
from ignitetasks.options import Plan
from ignitetasks.publishing import Published
from ignitetasks.result import AsyncResult

_log = log.get_logger("publishing")
#: So many events go to the feed at a time.
_MOST_EVENTS = 500


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
    tell_sent(app, [call])
    return handle


def tell_sent(app: Any, calls: Sequence[Published]) -> None:
    """Tells who wants to hear of it that calls were sent.

    Args:
        app: Who has sent them.
        calls: The calls.
    """
    for call in calls:
        signals.after_task_publish.send(sender=call.task, **call.news)
    if calls and app.conf.task_send_sent_event:
        _send_events(app, [_facts_told(call) for call in calls])


def hear(**_: Any) -> None:
    """Receives ``after_task_publish`` for the event ``task-sent``: where it is wanted, calls have to come this way."""


def tell_bulk(app: Any, groups: Sequence[message.Group]) -> None:
    """Sends ``task-sent`` for calls that were sent in bulk, where the application wants it.

    Args:
        app: Who has sent them.
        groups: What was sent.
    """
    if app.conf.task_send_sent_event:
        _send_events(app, [_facts_of(app, one.template, item) for one in groups for item in one.items])


def _facts_of(app: Any, template: message.Template, item: message.Item) -> dict[str, Any]:
    task_id, body = item[0], item[1]
    args: Any = "<kept beside the record>"
    kwargs: Any = args
    if not template.flags & message.BODY_REF:
        decoded = message.decode_body(app.client.codecs, template.task, body)
        args, kwargs = text(tuple(decoded[0])), text(decoded[1])
    moments = {"eta": template.eta_ms or None, "expires": template.expires_ms or None}
    ancestry = {"root_id": template.root_id or task_id, "parent_id": template.parent_id}
    return _facts(task_id, template, args, kwargs, {**ancestry, **moments, "retries": 0})


def _facts_told(call: Published) -> dict[str, Any]:
    headers = call.news["headers"]
    more = {key: headers[key] for key in ("root_id", "parent_id", "eta", "expires", "retries")}
    return _facts(headers["id"], call.template, headers["argsrepr"], headers["kwargsrepr"], more)


def _facts(task_id: str, template: message.Template, args: Any, kwargs: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    queue = template.queue
    return {
        "uuid": task_id,
        "name": template.task,
        "args": args,
        "kwargs": kwargs,
        "queue": queue,
        "exchange": "",
        "routing_key": queue,
        **more,
    }


def _send_events(app: Any, sent: Sequence[Mapping[str, Any]]) -> None:
    try:
        with app.events.Dispatcher(
            buffer_while_offline=False, buffer_group=("task",), buffer_limit=_MOST_EVENTS
        ) as sender:
            for facts in sent:
                sender.send("task-sent", **facts)
    except OperationalError as error:
        # The tasks are sent all the same.
        _log.warning("events not sent", type="task-sent", count=len(sent), error=str(error))
