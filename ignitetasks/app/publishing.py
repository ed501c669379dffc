"""Sends a call whose sending somebody wants to hear of: ``before_task_publish`` and ``after_task_publish``.

Receivers may change the headers and the arguments of a call before it is sent. This file is only used where there are
receivers; it must not check anything.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import log, message, sending, signals
from ignitetasks.errors import OperationalError
from ignitetasks.options import Plan
from ignitetasks.result import AsyncResult

_log = log.get_logger("publishing")

#: Headers that a message has by itself; what receivers add to them are headers of the call.
_OWN = frozenset(
    {"lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
     "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "stamped_headers", "stamps"}
)  # fmt: skip


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
    template = sending.with_ancestry(plan.template)
    own_headers, extra = message.decode_call_options(template.options)
    headers = {**_headers(name, chosen[0], template, args, kwargs), **own_headers}
    body = (list(args), dict(kwargs), {"callbacks": None, "errbacks": None, "chain": None, "chord": None})
    news = {"exchange": "", "routing_key": template.queue, "headers": headers, "body": body}
    known = {"correlation_id": chosen[0], "priority": template.priority, "reply_to": ""}
    properties = {**known, **extra.get("properties", {})}
    signals.before_task_publish.send(sender=name, properties=properties, declare=[], retry_policy={}, **news)
    custom = {key: value for key, value in headers.items() if key not in _OWN or key in own_headers}
    template = template._replace(options=message.encode_call_options(custom, extra))
    data = sending.encode(client.codecs, name, plan, body[0], body[1])
    plan = plan._replace(template=template)
    handle = sending.send_one(app, plan, body[0], body[1], data, chosen)
    signals.after_task_publish.send(sender=name, **news)
    if app.conf.task_send_sent_event:
        _tell_sent(app, name, template, headers)
    return handle


def wanted(**_: Any) -> None:
    """Receives ``after_task_publish`` for the event ``task-sent``: where it is wanted, calls have to come this way."""


def _tell_sent(app: Any, name: str, template: message.Template, headers: Mapping[str, Any]) -> None:
    fields = {key: headers[key] for key in ("root_id", "parent_id", "eta", "expires", "retries")}
    try:
        with app.events.default_dispatcher() as sender:
            sender.send(
                "task-sent",
                uuid=headers["id"],
                name=name,
                args=headers["argsrepr"],
                kwargs=headers["kwargsrepr"],
                queue=template.queue,
                exchange="",
                routing_key=template.queue,
                **fields,
            )
    except OperationalError as error:
        # The task is sent all the same.
        _log.warning("event not sent", type="task-sent", task_id=headers["id"], error=str(error))


def _headers(
    name: str, task_id: str, template: message.Template, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": name,
        "id": task_id,
        "shadow": None,
        "eta": template.eta_ms or None,
        "expires": template.expires_ms or None,
        "group": template.group_id,
        "group_index": None,
        "retries": 0,
        "timelimit": [template.hard_ms / 1000 or None, template.soft_ms / 1000 or None],
        "root_id": template.root_id or task_id,
        "parent_id": template.parent_id,
        "argsrepr": repr(args)[:1024],
        "kwargsrepr": repr(kwargs)[:1024],
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        "ignore_result": bool(template.flags & message.IGNORE_RESULT),
    }
