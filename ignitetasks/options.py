"""Checks what a user wrote: options of a task's decorator and of one call, and turns them into wire values.

Every wrong value is refused here, before anything is sent, by an error that names the option and what is allowed.
This file must not send anything; its only clock is the one it is given.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from ignitetasks import message
from ignitetasks.config import CODECS, QUEUE_NAME, Settings
from ignitetasks.errors import InvalidOption
from ignitetasks.ids import Key
from ignitetasks.message import TaskOptions, Template

#: 9999-12-31T00:00:00Z: the last day every date library agrees on.
MAX_TIME_MS = 253_402_214_400_000
_MAX_LIMIT_SECONDS = 366 * 86400
_MAX_RESULT_EXPIRES_SECONDS = 10 * 366 * 86400
_MAX_TASK_ID_CHARS = 255

CALL_OPTIONS = frozenset(
    {
        "task_id", "queue", "priority", "countdown", "eta", "expires", "idempotency_key", "headers", "ignore_result",
        "soft_time_limit", "time_limit", "max_deliveries", "acks_late", "serializer", "result_expires",
        "track_started", "retry",
    }
)  # fmt: skip


class Plan(NamedTuple):
    """How a call is sent, apart from its arguments.

    Attributes:
        template: What goes on the wire.
        serializer: Encoding of the arguments.
        task_id: Id chosen by the caller, or None.
        key: Idempotency key, a function of the arguments that gives it, or None.
        retry: False sends once, without repeats.
    """

    template: Template
    serializer: str
    task_id: str | None = None
    key: Key | Callable[..., Key | None] | None = None
    retry: bool = True

    @property
    def checked(self) -> bool:
        """True when the id may be taken, so the node has to look before it writes."""
        return self.task_id is not None or self.key is not None


def _unknown(name: str, known: Iterable[str], where: str) -> InvalidOption:
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"the options are: {', '.join(sorted(known))}"
    return InvalidOption(f"{where} has no option {name!r}; {hint}")


def _finite(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise InvalidOption(f"{name} must be a number of seconds from {low:g} to {high:g}, not {value!r}")
    return float(value)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidOption(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidOption(f"{name} must be True or False, not {value!r}")
    return value


def _queue(value: Any) -> str:
    if not isinstance(value, str) or not QUEUE_NAME.fullmatch(value):
        raise InvalidOption(f"queue must be 1 to 128 letters, digits or _ . : @ - characters, not {value!r}")
    return value


def _codec(name: str, value: Any) -> str:
    if value not in CODECS:
        raise InvalidOption(f"{name} must be one of {list(CODECS)}, not {value!r}")
    return str(value)


def check_task_id(value: Any) -> str:
    """Returns an id a caller chose, when it can be one.

    Raises:
        InvalidOption: It is empty, too long, or has characters that cannot be seen.
    """
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TASK_ID_CHARS or not value.isprintable():
        raise InvalidOption(f"task_id must be 1 to {_MAX_TASK_ID_CHARS} printable characters, not {value!r}")
    return value


def to_ms(name: str, when: datetime) -> int:
    """Returns milliseconds since the epoch; a naive datetime counts as UTC.

    Raises:
        InvalidOption: It is no datetime, or outside the years that can be used.
    """
    if not isinstance(when, datetime):
        raise InvalidOption(f"{name} must be a datetime (aware, or naive and then taken as UTC), not {when!r}")
    aware = when if when.tzinfo is not None else when.replace(tzinfo=timezone.utc)
    try:
        ms = round(aware.timestamp() * 1000)
    except (OverflowError, ValueError, OSError):
        ms = -1
    if not 0 < ms <= MAX_TIME_MS:
        raise InvalidOption(f"{name} must lie between 1970 and 9999-12-31, not {when!r}")
    return ms


def eta_ms(now_ms: int, countdown: Any, eta: Any) -> int:
    """Returns when a call is due, in milliseconds since the epoch; 0 means at once.

    Args:
        now_ms: The present.
        countdown: Seconds from now, or None.
        eta: A datetime, or None.

    Raises:
        InvalidOption: Both are given, or one has a value it cannot have.
    """
    if countdown is not None and eta is not None:
        raise InvalidOption("countdown and eta exclude each other; give one of them")
    if eta is not None:
        return to_ms("eta", eta)
    if countdown is None:
        return 0
    seconds = _finite("countdown", countdown, 0, (MAX_TIME_MS - now_ms) // 1000)
    return now_ms + math.ceil(seconds * 1000) if seconds > 0 else 0


def expires_ms(now_ms: int, expires: Any) -> int:
    """Returns when a call is no longer wanted, in milliseconds since the epoch; 0 means never.

    Args:
        now_ms: The present.
        expires: Seconds from now, a datetime, or None.

    Raises:
        InvalidOption: It has a value it cannot have.
    """
    if expires is None:
        return 0
    if isinstance(expires, datetime):
        return to_ms("expires", expires)
    return now_ms + math.ceil(_finite("expires", expires, 0, (MAX_TIME_MS - now_ms) // 1000) * 1000)


def _limit_ms(name: str, value: Any) -> int:
    if value is None:
        return 0
    # 0 would mean "no limit" on the wire; a limit below a millisecond is one millisecond.
    return math.ceil(_finite(name, value, 0.001, _MAX_LIMIT_SECONDS) * 1000)


def _exceptions(name: str, value: Any) -> tuple[type[BaseException], ...]:
    classes = (value,) if isinstance(value, type) else tuple(value)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in classes):
        raise InvalidOption(f"{name} must be exception classes, not {value!r}")
    return classes


def _backoff(name: str, value: Any) -> bool | float:
    return value if isinstance(value, bool) else _finite(name, value, 0, _MAX_LIMIT_SECONDS)


def _headers(value: Any) -> Mapping[str, Any] | None:
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise InvalidOption(f"headers must be a map with text keys, not {value!r}")
    return value


def _callable(name: str, value: Any) -> Any:
    if not callable(value):
        raise InvalidOption(f"{name} must be a function of the task's arguments, not {value!r}")
    return value


def _seconds(name: str, value: Any) -> float:
    return _finite(name, value, 0, _MAX_LIMIT_SECONDS)


def _limit(name: str, value: Any) -> float:
    return _finite(name, value, 0.001, _MAX_LIMIT_SECONDS)


# None is allowed where the default of the field is None, and for max_retries.
_TASK_RULES: Mapping[str, Callable[[str, Any], Any]] = {
    "queue": lambda _name, value: _queue(value),
    "priority": lambda name, value: _whole(name, value, 0, 255),
    "autoretry_for": _exceptions,
    "dont_autoretry_for": _exceptions,
    "throws": _exceptions,
    "max_retries": lambda name, value: _whole(name, value, 0, 1_000_000),
    "default_retry_delay": _seconds,
    "retry_backoff": _backoff,
    "retry_backoff_max": _seconds,
    "soft_time_limit": _limit,
    "time_limit": _limit,
    "serializer": _codec,
    "result_serializer": _codec,
    "max_deliveries": lambda name, value: _whole(name, value, 1, 1000),
    "idempotency_key": _callable,
    "result_expires": lambda name, value: _finite(name, value, 1, _MAX_RESULT_EXPIRES_SECONDS),
}
_TASK_FIELDS = {one.name: one.default for one in fields(TaskOptions)}


def task_options(task: str, given: Mapping[str, Any]) -> TaskOptions:
    """Makes the options of a decorator.

    Args:
        task: Task name, for messages.
        given: What was written.

    Raises:
        InvalidOption: An option does not exist or has a value it cannot have.
    """
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _TASK_FIELDS:
            raise _unknown(name, _TASK_FIELDS, f"task {task}")
        if value is None and (_TASK_FIELDS[name] is None or name == "max_retries"):
            values[name] = None
            continue
        rule: Callable[[str, Any], Any] = _TASK_RULES.get(name, _flag)
        values[name] = rule(name, value)
    options = TaskOptions(**values)
    _check_limits(options.soft_time_limit, options.time_limit)
    return options


def _check_limits(soft: float | None, hard: float | None) -> None:
    if soft and hard and soft > hard:
        raise InvalidOption(f"soft_time_limit ({soft:g} s) must not be longer than time_limit ({hard:g} s)")


def _flags(options: TaskOptions, call: Mapping[str, Any], plan_checked: bool) -> int:
    def given(name: str, default: bool) -> bool:
        value = call.get(name)
        return default if value is None else _flag(name, value)

    return (
        (message.IGNORE_RESULT if given("ignore_result", options.ignore_result) else 0)
        | (0 if given("acks_late", options.acks_late) else message.EARLY_ACK)
        | (message.TRACK_STARTED if given("track_started", options.track_started) else 0)
        | (message.CHECK_EXISTS if plan_checked else 0)
    )


def make_plan(task: str, options: TaskOptions, settings: Settings, call: Mapping[str, Any], now_ms: int) -> Plan:
    """Combines a task's options with those of one call.

    Args:
        task: Task name.
        options: What the decorator fixed.
        settings: Defaults below both.
        call: What this call was given; None means not given.
        now_ms: The present.

    Raises:
        InvalidOption: An option does not exist or has a value it cannot have.
    """
    for name in call:
        if name not in CALL_OPTIONS:
            raise _unknown(name, CALL_OPTIONS, f"a call of {task}")

    def pick(name: str, default: Any) -> Any:
        value = call.get(name)
        return default if value is None else value

    task_id, key = call.get("task_id"), pick("idempotency_key", options.idempotency_key)
    if task_id is not None:
        check_task_id(task_id)
        if call.get("idempotency_key") is not None:
            raise InvalidOption("task_id and idempotency_key exclude each other; give one of them")
        key = None
    soft, hard = pick("soft_time_limit", options.soft_time_limit), pick("time_limit", options.time_limit)
    soft_ms, hard_ms = _limit_ms("soft_time_limit", soft), _limit_ms("time_limit", hard)
    _check_limits(soft_ms / 1000, hard_ms / 1000)
    ttl = pick("result_expires", options.result_expires or settings.result_expires_seconds)
    deliveries = pick("max_deliveries", options.max_deliveries or settings.max_deliveries)
    template = Template(
        task=task,
        queue=_queue(pick("queue", options.queue or settings.default_queue)),
        priority=_whole("priority", pick("priority", options.priority), 0, 255),
        eta_ms=eta_ms(now_ms, call.get("countdown"), call.get("eta")),
        expires_ms=expires_ms(now_ms, call.get("expires")),
        flags=_flags(options, call, task_id is not None or key is not None),
        max_deliveries=_whole("max_deliveries", deliveries, 1, 1000),
        soft_ms=soft_ms,
        hard_ms=hard_ms,
        result_ttl_ms=round(_finite("result_expires", ttl, 1, _MAX_RESULT_EXPIRES_SECONDS) * 1000),
        options=message.encode_call_options(_headers(call.get("headers"))),
    )
    serializer = _codec("serializer", pick("serializer", options.serializer or settings.task_serializer))
    return Plan(template, serializer, task_id, key, _flag("retry", pick("retry", True)))
