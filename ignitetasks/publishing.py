"""``before_task_publish``: whoever wants to hear of calls is told of one, and may change its headers and arguments.

Used where there are receivers, by what sends single calls and by what sends those of a canvas. This file must not
send anything, and tells nobody that something was sent: the application does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ignitetasks import message, origin, signals
from ignitetasks.app.queues import Exchange, Queue

#: Headers that a message has by itself; what receivers add to them are headers of the call.
_OWN = frozenset(
    {"lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
     "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "stamped_headers", "stamps",
     "replaced_task_nesting"}
)  # fmt: skip


class Published(NamedTuple):
    """A call after its receivers have been told.

    Attributes:
        task: Its task.
        template: How it goes on the wire.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        news: What receivers are told: headers, body, routing key.
    """

    task: str
    template: message.Template
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    news: dict[str, Any]


def wanted() -> bool:
    """Tells whether somebody wants to hear of calls that are sent."""
    return bool(signals.before_task_publish.receivers or signals.after_task_publish.receivers)


def announce(
    task: str,
    task_id: str,
    template: message.Template,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
    ties: Mapping[str, Any] | None = None,
) -> Published:
    """Tells that a call is about to be sent, and returns what its receivers have made of it.

    Args:
        task: Task name.
        task_id: Its id.
        template: How it goes on the wire, without what it carries of a canvas.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        more: Further headers of its own, such as its stamps.
        ties: What follows it, as the third part of the body: ``callbacks``, ``errbacks``, ``chain``, ``chord``.
    """
    own, extra = message.decode_call_options(template.options)
    shown: dict[str, Any] = {
        name: extra[name] for name in ("argsrepr", "kwargsrepr", "origin", "shadow") if name in extra
    }
    headers = {**_headers(task, task_id, template, args, kwargs), **shown, **(more or {}), **own}
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None, **(ties or {})}
    body = (list(args), dict(kwargs), embed)
    news = {"exchange": "", "routing_key": template.queue, "headers": headers, "body": body}
    properties = {
        "correlation_id": task_id,
        "priority": template.priority,
        "reply_to": "",
        **extra.get("properties", {}),
    }
    declare = [Queue(template.queue, Exchange(), template.queue)]
    signals.before_task_publish.send(sender=task, properties=properties, declare=declare, retry_policy={}, **news)
    custom = {key: value for key, value in headers.items() if key not in _OWN or key in own}
    changed = template._replace(options=message.encode_call_options(custom, extra))
    return Published(task, changed if changed != template else template, body[0], body[1], news)


def _headers(
    task: str, task_id: str, template: message.Template, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": task,
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
        "origin": origin.name(),
        "ignore_result": bool(template.flags & message.IGNORE_RESULT),
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
    }
