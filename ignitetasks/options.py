"""Checks what a user wrote: single options of tasks and calls, and turns them into wire values.

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

from ignitetasks import rates
from ignitetasks.compression import missing
from ignitetasks.config import QUEUE_NAME, queue_name
from ignitetasks.encodings import is_known, known, name_of
from ignitetasks.errors import InvalidOption
from ignitetasks.ids import Key, id_text
from ignitetasks.message import TaskOptions, Template
from ignitetasks.serializers import COMPRESSIONS

#: 9999-12-31T00:00:00Z: the last day every date library agrees on.
MAX_TIME_MS = 253_402_214_400_000
_MAX_LIMIT_SECONDS = 366 * 86400
#: How long ago a moment may be that is given in seconds from now: what lies before the epoch is a mistake.
_FAR_SECONDS = 50 * 366 * 86400
MAX_RESULT_EXPIRES_SECONDS = 10 * 366 * 86400
_MAX_TASK_ID_CHARS = 255
_MAX_SHOWN_CHARS = 100


class Plan(NamedTuple):
    """How a call is sent, apart from its arguments.

    Attributes:
        template: What goes on the wire.
        serializer: Encoding of the arguments.
        task_id: Id chosen by the caller, or None.
        key: Idempotency key, a function of the arguments that gives it, or None.
        retry: False sends once, without repeats.
        compression: How large arguments are compressed, or None.
    """

    template: Template
    serializer: str
    task_id: str | None = None
    key: Key | Callable[..., Key | None] | None = None
    retry: bool = True
    compression: str | None = None

    @property
    def checked(self) -> bool:
        """True when the id may be taken, so the node has to look before it writes."""
        return self.task_id is not None or self.key is not None


def near(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name that was probably meant, or None."""
    close = difflib.get_close_matches(name, list(known), 1, 0.85)
    return close[0] if close else None


def unknown_option(name: str, known: Iterable[str], where: str) -> InvalidOption:
    """Returns the error for an option that does not exist."""
    close = difflib.get_close_matches(name, list(known), 1)
    hint = f"did you mean {close[0]!r}?" if close else f"the options are: {', '.join(sorted(known))}"
    return InvalidOption(f"{where} has no option {name!r}; {hint}")


def shown(value: Any) -> str:
    """Returns a value as a message shows it, cut where it is long."""
    try:
        text = repr(value)
    except Exception:
        # What is refused may well be what cannot even be shown.
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}... ({len(text)} characters)"


def finite(name: str, value: Any, low: float, high: float) -> float:
    """Returns a number of seconds; raises `InvalidOption` for anything else, or one out of bounds."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise InvalidOption(f"{name} must be a number of seconds from {low:g} to {high:g}, not {shown(value)}")
    return float(value)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """Returns a whole number; raises `InvalidOption` for anything else, or one out of bounds."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidOption(f"{name} must be a whole number from {low} to {high}, not {shown(value)}")
    return value


def flag(name: str, value: Any) -> bool:
    """Returns True or False; raises `InvalidOption` for anything else."""
    if not isinstance(value, bool):
        raise InvalidOption(f"{name} must be True or False, not {shown(value)}")
    return value


def queue(value: Any) -> str:
    """Returns the name of a queue, given by name or as an object; raises `InvalidOption` for anything else."""
    value = queue_name(value)
    if not isinstance(value, str) or not QUEUE_NAME.fullmatch(value):
        raise InvalidOption(f"queue must be 1 to 128 letters, digits or _ . : @ - characters, not {shown(value)}")
    return value


def codec(name: str, value: Any) -> str:
    """Returns the name of an encoding; raises `InvalidOption` for anything else."""
    if not is_known(name_of(value)):
        raise InvalidOption(f"{name} must be one of {known()}, not {shown(value)}")
    return str(name_of(value))


def check_task_id(value: Any) -> str:
    """Returns an id a caller chose, when it can be one; a ``uuid.UUID`` counts as its text.

    Raises:
        InvalidOption: It is empty, too long, or has characters that cannot be seen.
    """
    value = id_text(value)
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TASK_ID_CHARS or not value.isprintable():
        raise InvalidOption(f"task_id must be 1 to {_MAX_TASK_ID_CHARS} printable characters, not {shown(value)}")
    return value


def moment(name: str, value: Any) -> Any:
    """Returns a datetime for its text in ISO 8601, as other systems hand it on; any other value as it is.

    Raises:
        InvalidOption: A text that is no date and time.
    """
    if not isinstance(value, str):
        return value
    try:
        # Before Python 3.11 the letter for UTC is not understood.
        return datetime.fromisoformat(value[:-1] + "+00:00" if value[-1:] in "zZ" else value)
    except ValueError:
        raise InvalidOption(f"{name} must be a datetime, or one as ISO 8601 text, not {shown(value)}") from None


def to_ms(name: str, when: datetime) -> int:
    """Returns milliseconds since the epoch; a naive datetime counts as UTC.

    Raises:
        InvalidOption: It is no datetime, or outside the years that can be used.
    """
    if not isinstance(when, datetime):
        raise InvalidOption(f"{name} must be a datetime, or one as ISO 8601 text, not {shown(when)}")
    aware = when if when.tzinfo is not None else when.replace(tzinfo=timezone.utc)
    try:
        ms = round(aware.timestamp() * 1000)
    except (OverflowError, ValueError, OSError):
        ms = -1
    if not 0 < ms <= MAX_TIME_MS:
        raise InvalidOption(f"{name} must lie between 1970 and 9999-12-31T00:00:00Z, not {shown(when)}")
    return ms


def eta_ms(now_ms: int, countdown: Any, eta: Any) -> int:
    """Returns when a call is due, in milliseconds since the epoch; 0 means at once.

    Args:
        now_ms: The present.
        countdown: Seconds from now, or None; less than 0 is a time that has passed, as with ``eta``.
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
    seconds = finite("countdown", countdown, -_FAR_SECONDS, (MAX_TIME_MS - now_ms) // 1000)
    return now_ms + math.ceil(seconds * 1000) if seconds > 0 else 0


def expires_ms(now_ms: int, expires: Any) -> int:
    """Returns when a call is no longer wanted, in milliseconds since the epoch; 0 means never.

    Args:
        now_ms: The present.
        expires: Seconds from now, a datetime, or None; one that has passed lets the call expire at once.

    Raises:
        InvalidOption: It has a value it cannot have.
    """
    if expires is None:
        return 0
    if isinstance(expires, datetime):
        return to_ms("expires", expires)
    if isinstance(expires, bool) or not isinstance(expires, (int, float, timedelta)):
        raise InvalidOption(
            f"expires must be a number of seconds, a datetime, or one as ISO 8601 text, not {shown(expires)}"
        )
    seconds = finite("expires", expires, -_FAR_SECONDS, (MAX_TIME_MS - now_ms) // 1000)
    return max(now_ms + math.ceil(seconds * 1000), 1)


def limit_ms(name: str, value: Any) -> int:
    """Returns a time limit in milliseconds, 0 for None; raises `InvalidOption` for what is none."""
    if value is None:
        return 0
    # 0 would mean "no limit" on the wire; a limit below a millisecond is one millisecond.
    return math.ceil(finite(name, value, 0.001, _MAX_LIMIT_SECONDS) * 1000)


def _exceptions(name: str, value: Any) -> tuple[type[BaseException], ...]:
    classes = tuple(value) if isinstance(value, (tuple, list, set, frozenset)) else (value,)
    if not all(isinstance(one, type) and issubclass(one, BaseException) for one in classes):
        raise InvalidOption(f"{name} must be exception classes, not {shown(value)}")
    return classes


def _backoff(name: str, value: Any) -> bool | float:
    return value if isinstance(value, bool) else finite(name, value, 0, _MAX_LIMIT_SECONDS)


def headers(value: Any) -> Mapping[str, Any] | None:
    """Returns headers; raises `InvalidOption` unless they are a map with text keys, or None."""
    if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
        raise InvalidOption(f"headers must be a map with text keys, not {shown(value)}")
    return value


def _callable(name: str, value: Any) -> Any:
    if not callable(value):
        raise InvalidOption(f"{name} must be a function of the task's arguments, not {shown(value)}")
    return value


def _seconds(name: str, value: Any) -> float:
    return finite(name, value, 0, _MAX_LIMIT_SECONDS)


def _limit(name: str, value: Any) -> float:
    return finite(name, value, 0.001, _MAX_LIMIT_SECONDS)


def compression(name: str, value: Any) -> str:
    """Returns the name of a compression that exists.

    Raises:
        InvalidOption: There is none of this name.
    """
    if value not in COMPRESSIONS:
        raise InvalidOption(f"{name} must be one of {sorted(COMPRESSIONS)}, not {shown(value)}")
    if missing(value):
        raise InvalidOption(f"{name} {value!r} needs the library {missing(value)!r}, which is not installed")
    return str(value)


def _rate(name: str, value: Any) -> float | str:
    rates.rate_text(value, name)
    return value  # type: ignore[no-any-return]


# None is allowed where the default of the field is None, and for max_retries.
_TASK_RULES: Mapping[str, Callable[[str, Any], Any]] = {
    "queue": lambda _name, value: queue(value),
    "priority": lambda name, value: whole(name, value, 0, 255),
    "autoretry_for": _exceptions,
    "dont_autoretry_for": _exceptions,
    "throws": _exceptions,
    "max_retries": lambda name, value: whole(name, value, 0, 1_000_000),
    "default_retry_delay": _seconds,
    "retry_backoff": _backoff,
    "retry_backoff_max": _seconds,
    "soft_time_limit": _limit,
    "time_limit": _limit,
    "serializer": codec,
    "result_serializer": codec,
    "max_deliveries": lambda name, value: whole(name, value, 1, 1000),
    "idempotency_key": _callable,
    "result_expires": lambda name, value: finite(name, value, 1, MAX_RESULT_EXPIRES_SECONDS),
    "expires": lambda _name, value: value if expires_ms(0, value) >= 0 else None,
    "compression": lambda name, value: compression(name, value),
    "rate_limit": lambda name, value: _rate(name, value),
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
            raise unknown_option(name, _TASK_FIELDS, f"task {task}")
        if value is None and (_TASK_FIELDS[name] is None or name == "max_retries"):
            values[name] = None
            continue
        rule: Callable[[str, Any], Any] = _TASK_RULES.get(name, flag)
        values[name] = rule(name, value)
    return TaskOptions(**values)


def check_limits(soft: float | None, hard: float | None) -> None:
    """Raises `InvalidOption` for a soft limit that the hard one would never let happen."""
    if soft and hard and soft > hard:
        raise InvalidOption(
            f"soft_time_limit must be less than or equal to time_limit: {soft:g} s is more than {hard:g} s"
        )
