"""How a call is sent: a task's own plan, made once, and what the options of one call change in it.

A plan that nothing changes is shared by all calls of its task. This file must not send anything; its only clock is the
one it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

from ignitetasks import log, message, origin
from ignitetasks import options as check
from ignitetasks.config import Settings
from ignitetasks.errors import InvalidOption, PayloadTooLarge
from ignitetasks.ids import id_text
from ignitetasks.message import TaskOptions, Template
from ignitetasks.options import MAX_RESULT_EXPIRES_SECONDS, Plan

_log = log.get_logger("calls")

#: Headers are in the record itself and are read with it by whoever looks at a task.
_MAX_OPTIONS_BYTES = 1 << 20
#: Options of a call that are a time.
_TIMES = ("eta", "expires")
#: Options of a call that are accepted, and why they change nothing.
EXPLAINED: Mapping[str, str] = {
    "connection": "an application has one way to its cluster",
    "delivery_mode": "every task is durable",
    "content_encoding": "arguments are bytes of their serializer",
    "content_type": "arguments are bytes of their serializer; name a serializer",
    "exchange": "there are no exchanges; name a queue",
    "exchange_type": "there are no exchanges; name a queue",
    "expiration": "a task that is not to start after a time has expires",
    "immediate": "a task that no worker takes waits",
    "mandatory": "every queue exists",
    "producer": "an application has one way to its cluster",
    "publisher": "an application has one way to its cluster",
    "retries": "a new call begins with its first attempt",
    "routing_key": "no queue of task_queues has this routing key; name a queue",
}
#: Options by which a message broker finds the queue.
_TO_QUEUES = frozenset({"exchange", "exchange_type", "routing_key"})
#: Options that only tell how a call is shown or noted; they change nothing in how it is sent.
_SILENT = frozenset({"add_to_parent", "declare", "utc", "timeout", "timeouts", "throw"})
#: Options that a message broker would have sent as properties; they are told to the task (``request.properties``).
_PROPERTIES = ("app_id", "cluster_id", "correlation_id", "message_id", "reply_to", "type", "user_id")
_explained: set[str] = set()


class _Change:
    """What the options of one call come to; kept apart until all of them are known.

    Args:
        now_ms: The present.
    """

    __slots__ = ("extra", "fields", "flags_off", "flags_on", "headers", "now_ms", "template")

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.template: dict[str, Any] = {}
        self.fields: dict[str, Any] = {}
        self.flags_on = 0
        self.flags_off = 0
        self.headers: Mapping[str, Any] | None = None
        self.extra: dict[str, Any] = {}

    def flag(self, bit: int, on: bool) -> None:
        """Sets or clears a bit of the template's flags."""
        if on:
            self.flags_on |= bit
        else:
            self.flags_off |= bit

    def applied(self, plan: Plan) -> Plan:
        """Returns a plan with these changes."""
        given, new, template = self.template, self.fields, plan.template
        if self.headers is not None or self.extra:
            given["options"] = options = message.encode_call_options(self.headers, origin.marked(self.extra))
            if options is not None and len(options) > _MAX_OPTIONS_BYTES:
                raise PayloadTooLarge(
                    f"the headers of a call take {len(options)} bytes, more than {_MAX_OPTIONS_BYTES}; "
                    "pass what is large as an argument"
                )
        if "soft_ms" in given or "hard_ms" in given:
            soft, hard = given.get("soft_ms", template.soft_ms), given.get("hard_ms", template.hard_ms)
            check.check_limits(soft / 1000, hard / 1000)
        if "task_id" in new:
            if "key" in new:
                raise InvalidOption("task_id and idempotency_key exclude each other; give one of them")
            new["key"] = None
        flags = (template.flags | self.flags_on) & ~self.flags_off
        if "task_id" in new or "key" in new:
            flags |= message.CHECK_EXISTS
        if flags != template.flags:
            given["flags"] = flags
        if given:
            new["template"] = template._replace(**given)
        return plan._replace(**new) if new else plan


_Setter = Callable[[_Change, Any], None]


def with_moments(call: Mapping[str, Any], zone: tzinfo) -> Mapping[str, Any]:
    """Returns the options of a call with its times as datetimes that have a zone.

    Args:
        call: The options.
        zone: The time zone of what has none.

    Raises:
        InvalidOption: A text that is no date and time.
    """
    for name in _TIMES:
        value = call.get(name)
        when = check.moment(name, value)
        if isinstance(when, datetime) and when.tzinfo is None:
            when = when.replace(tzinfo=zone)
        if when is not value:
            call = {**call, name: when}
    return call


def _template(field: str, rule: Callable[[Any], Any]) -> _Setter:
    def put(change: _Change, value: Any) -> None:
        change.template[field] = rule(value)

    return put


def _plan_field(field: str, rule: Callable[[Any], Any]) -> _Setter:
    def put(change: _Change, value: Any) -> None:
        change.fields[field] = rule(value)

    return put


def _flag(name: str, bit: int, inverted: bool = False) -> _Setter:
    def put(change: _Change, value: Any) -> None:
        change.flag(bit, check.flag(name, value) is not inverted)

    return put


def _put_countdown(change: _Change, value: Any) -> None:
    if "eta_ms" in change.template:
        raise InvalidOption("countdown and eta exclude each other; give one of them")
    change.template["eta_ms"] = check.eta_ms(change.now_ms, value, None)


def _put_eta(change: _Change, value: Any) -> None:
    if "eta_ms" in change.template:
        raise InvalidOption("countdown and eta exclude each other; give one of them")
    change.template["eta_ms"] = check.eta_ms(change.now_ms, None, value)


def _put_expires(change: _Change, value: Any) -> None:
    change.template["expires_ms"] = check.expires_ms(change.now_ms, value)


def _extra(name: str) -> _Setter:
    rule = _text(name)

    def put(change: _Change, value: Any) -> None:
        change.extra[name] = rule(value)

    return put


def _property(name: str) -> _Setter:
    rule = _text(name)

    def put(change: _Change, value: Any) -> None:
        change.extra.setdefault("properties", {})[name] = rule(value)

    return put


def _put_retry_policy(change: _Change, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise InvalidOption(f"retry_policy must be a map, not {value!r}")
    if value.get("max_retries") == 0:
        change.fields["retry"] = False


def _put_headers(change: _Change, value: Any) -> None:
    change.headers = check.headers(value)


def _text(name: str) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if name.endswith("_id"):
            value = id_text(value)
        if not isinstance(value, str) or not value:
            raise InvalidOption(f"{name} must be a text that is not empty, not {value!r}")
        return value

    return rule


_SETTERS: Mapping[str, _Setter] = {
    "argsrepr": _extra("argsrepr"),
    "acks_late": _flag("acks_late", message.EARLY_ACK, inverted=True),
    "compression": _plan_field("compression", lambda value: check.compression("compression", value)),
    "countdown": _put_countdown,
    "eta": _put_eta,
    "expires": _put_expires,
    "group_id": _template("group_id", _text("group_id")),
    "headers": _put_headers,
    "idempotency_key": _plan_field("key", lambda value: value),
    "ignore_result": _flag("ignore_result", message.IGNORE_RESULT),
    "kwargsrepr": _extra("kwargsrepr"),
    "origin": _extra("origin"),
    "max_deliveries": _template("max_deliveries", lambda value: check.whole("max_deliveries", value, 1, 1000)),
    "parent_id": _template("parent_id", _text("parent_id")),
    "priority": _template("priority", lambda value: check.whole("priority", value, 0, 255)),
    "queue": _template("queue", check.queue),
    "result_expires": _template(
        "result_ttl_ms",
        lambda value: round(check.finite("result_expires", value, 1, MAX_RESULT_EXPIRES_SECONDS) * 1000),
    ),
    "retry": _plan_field("retry", lambda value: check.flag("retry", value)),
    "retry_policy": _put_retry_policy,
    "root_id": _template("root_id", _text("root_id")),
    "serializer": _plan_field("serializer", lambda value: check.codec("serializer", value)),
    "shadow": _extra("shadow"),
    "soft_time_limit": _template("soft_ms", lambda value: check.limit_ms("soft_time_limit", value)),
    "task_id": _plan_field("task_id", check.check_task_id),
    "time_limit": _template("hard_ms", lambda value: check.limit_ms("time_limit", value)),
    "track_started": _flag("track_started", message.TRACK_STARTED),
    **{name: _property(name) for name in _PROPERTIES},
}
#: All options of a call.
CALL_OPTIONS = frozenset(_SETTERS) | frozenset(EXPLAINED) | _SILENT


def base_plan(task: str, options: TaskOptions, settings: Settings) -> Plan:
    """Makes the plan of a task's calls that have no options of their own.

    Args:
        task: Task name.
        options: What the task fixes.
        settings: Defaults below.

    Raises:
        InvalidOption: An option has a value it cannot have.
    """
    check.check_limits(options.soft_time_limit, options.time_limit)
    ttl = options.result_expires or settings.result_expires_seconds
    key = options.idempotency_key
    template = Template(
        task=task,
        queue=check.queue(options.queue or settings.default_queue),
        priority=options.priority,
        flags=(message.IGNORE_RESULT if options.ignore_result else 0)
        | (0 if options.acks_late else message.EARLY_ACK)
        | (message.TRACK_STARTED if options.track_started else 0)
        | (message.CHECK_EXISTS if key is not None else 0),
        max_deliveries=options.max_deliveries or settings.max_deliveries,
        soft_ms=check.limit_ms("soft_time_limit", options.soft_time_limit),
        hard_ms=check.limit_ms("time_limit", options.time_limit),
        result_ttl_ms=round(ttl * 1000),
        options=origin.options(),
    )
    return Plan(template, options.serializer or settings.task_serializer, None, key, True, options.compression)


def change_plan(plan: Plan, call: Mapping[str, Any], now_ms: int) -> Plan:
    """Applies the options of one call to a plan.

    Args:
        plan: The task's own plan.
        call: What this call was given; None means not given.
        now_ms: The present.

    Raises:
        InvalidOption: An option is misspelled or has a value it cannot have.
    """
    change = _Change(now_ms)
    for name, value in call.items():
        setter = _SETTERS.get(name)
        if setter is not None:
            if value is not None:
                setter(change, value)
        elif name not in _SILENT:
            if name not in EXPLAINED:
                change.extra.setdefault("properties", {})[name] = value
            if name not in _TO_QUEUES or call.get("queue") is None:  # beside a queue they say the same in other words
                _explain(name, value, plan.template.task)
    return change.applied(plan)


def _explain(name: str, value: Any, task: str) -> None:
    """Says once what becomes of an option that is none of ours.

    Raises:
        InvalidOption: It is spelled almost like one of ours.
    """
    if name not in EXPLAINED and check.near(name, CALL_OPTIONS):
        raise check.unknown_option(name, CALL_OPTIONS, f"a call of {task}")
    if value is not None and name not in _explained:
        _explained.add(name)
        reason = EXPLAINED.get(name, "it is only handed on: the task finds it in request.properties")
        _log.warning("an option of a call has no effect here", option=name, task=task, reason=reason)


def make_plan(task: str, options: TaskOptions, settings: Settings, call: Mapping[str, Any], now_ms: int) -> Plan:
    """Combines a task's options with those of one call; see `base_plan` and `change_plan`.

    Args:
        task: Task name.
        options: What the task fixes.
        settings: Defaults below both.
        call: What this call was given; None means not given.
        now_ms: The present.

    Raises:
        InvalidOption: An option does not exist or has a value it cannot have.
    """
    plan = base_plan(task, options, settings)
    if options.expires is not None and call.get("expires") is None:
        call = {**call, "expires": options.expires}
    return change_plan(plan, call, now_ms) if call else plan
