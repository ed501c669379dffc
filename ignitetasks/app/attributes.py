"""What can be said of a task: class attributes under Celery's names, and how they come to the options of its calls.

An attribute of the class (or of a base class) is overridden by the decorator, that by ``task_annotations``; what
nobody says comes from ``app.conf``. This file must not send or run anything.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

from ignitetasks import options as call_options
from ignitetasks.app.hooks import PLAIN_REQUEST
from ignitetasks.errors import InvalidOption
from ignitetasks.message import TaskOptions

#: Attributes that are options of a call as well.
OF_A_CALL = (
    "queue",
    "routing_key",
    "priority",
    "expires",
    "serializer",
    "compression",
    "time_limit",
    "soft_time_limit",
)
#: Attributes that come from a setting where nobody gives them.
FROM_CONFIG: Mapping[str, str] = {
    "acks_late": "task_acks_late",
    "compression": "task_compression",
    "ignore_result": "task_ignore_result",
    "priority": "task_default_priority",
    "rate_limit": "task_default_rate_limit",
    "reject_on_worker_lost": "task_reject_on_worker_lost",
    "result_serializer": "result_serializer",
    "retry_on_worker_lost": "task_retry_on_worker_lost",
    "serializer": "task_serializer",
    "soft_time_limit": "task_soft_time_limit",
    "store_eager_result": "task_store_eager_result",
    "store_errors_even_if_ignored": "task_store_errors_even_if_ignored",
    "time_limit": "task_time_limit",
    "track_started": "task_track_started",
}
#: Of these, what is not sent with each call: the worker adds it, which may have been given another value.
_ADDED_BY_WORKER = frozenset({"soft_time_limit", "time_limit"})
#: Names that mean something in other task libraries, and what they are called here.
_MISLEADING = {
    "timeout": "time_limit",
    "retries": "max_retries",
    "retry_limit": "max_retries",
    "delay": "default_retry_delay",
    "ttl": "result_expires",
    "rate": "rate_limit",
    "unique_key": "idempotency_key",
}
#: Options of a decorator that say how the task is made, not how it runs.
MAKING = frozenset(
    {"base", "name", "shared", "lazy", "filter", "pydantic", "pydantic_strict", "pydantic_context",
     "pydantic_dump_kwargs", "pydantic_context_kwargs", "connect_before", "app", "fixups"}
)  # fmt: skip


class Attributes:
    """Attributes of a task; set one on a class, an instance, or in the decorator.

    Attributes:
        abstract: Of no effect: a class is only registered when you do so.
        name: The task's name; None means module and function (or class).
        typing: False sends calls without checking their arguments.
        max_retries: Repeats after the first run; None means without end.
        default_retry_delay: Seconds before a repeat without backoff.
        autoretry_for: Exception classes that repeat the task.
        dont_autoretry_for: Exception classes that never do.
        retry_kwargs: ``max_retries`` and ``countdown`` of such repeats, as a map.
        retry_backoff: True or seconds: pause before the first repeat, doubled at each further one.
        retry_backoff_max: Longest such pause in seconds.
        retry_jitter: True draws each pause evenly between 0 and its length.
        queue: Queue of its calls.
        time_limit: Seconds after which its process is killed; None means the setting ``task_time_limit``.
        soft_time_limit: Seconds after which ``SoftTimeLimitExceeded`` is raised inside it; None means the setting.
        acks_on_failure_or_timeout: Always so: a task that fails or takes too long has ended.
        expires: Seconds (or a time) after which a call must not start any more.
        throws: Expected exception classes, logged without traceback.
        max_deliveries: Starts that may be lost with their process.
        idempotency_key: Function of the arguments that gives the key of each call.
        result_expires: Seconds its record is kept after the end.
        trail: True remembers the tasks it sends as its children.
        send_events: True lets events tell of it, where events are enabled.
        resultrepr_maxsize: Longest text of a result in logs and events.
        Request: Class of what a worker tells of its runs, or its text ``module:Class``; see ``worker/request.py``.
    """

    abstract: bool = True
    name: Any = None
    typing: bool | None = None
    max_retries: int | None = 3
    default_retry_delay: float = 180.0
    autoretry_for: Any = ()
    dont_autoretry_for: Any = ()
    retry_kwargs: Mapping[str, Any] | None = None
    retry_backoff: bool | float = False
    retry_backoff_max: float = 600.0
    retry_jitter: bool = True
    queue: Any = None
    exchange: Any = None
    routing_key: Any = None
    expires: Any = None
    throws: Any = ()
    max_deliveries: int | None = None
    idempotency_key: Any = None
    result_expires: float | None = None
    trail: bool = True
    send_events: bool = True
    resultrepr_maxsize: int = 1024
    acks_on_failure_or_timeout: bool = True
    acks_on_failure: bool = True
    acks_on_timeout: bool = True
    Request: Any = PLAIN_REQUEST

    # From the app's settings where nobody gives them; see `__getattr__`.
    acks_late: Any
    compression: Any
    ignore_result: Any
    priority: Any
    rate_limit: Any
    reject_on_worker_lost: Any
    result_serializer: Any
    retry_on_worker_lost: Any
    serializer: Any
    soft_time_limit: Any
    store_eager_result: Any
    store_errors_even_if_ignored: Any
    time_limit: Any
    track_started: Any

    app: Any
    #: What an ``apply_async`` that was copied from Celery's looks at; tasks of its second version are not made here.
    __v2_compat__ = False
    _options: TaskOptions | None = None
    _bound: bool = False
    _annotated: bool = False

    def __getattr__(self, name: str) -> Any:
        setting = FROM_CONFIG.get(name)
        if setting is None:
            if hasattr(type(self), name):
                object.__getattribute__(self, name)  # a property of the class failed: its own error is the one to tell
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return self.app.conf[setting]

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in _RULED:
            self.reset()

    def reset(self) -> None:
        """Forgets what was derived from attributes and from the app's settings, after these have changed."""
        self.__dict__.pop("_options", None)

    @property
    def options(self) -> TaskOptions:
        """The options of its calls, as attributes, annotations and settings come to.

        Raises:
            InvalidOption: One has a value it cannot have.
        """
        options = self._options
        if options is None:
            self.take_annotations()
            options = self._resolve()
            object.__setattr__(self, "_options", options)
        return options

    @staticmethod
    def check_values(task: str, given: Mapping[str, Any]) -> None:
        """Checks the values of attributes that a decorator was given.

        Raises:
            InvalidOption: One cannot be.
        """
        chosen = {name: value for name, value in given.items() if name in _RULED}
        call_options.task_options(task, chosen)

    def take_annotations(self) -> None:
        """Takes what ``task_annotations`` says of it, once."""
        if self._annotated:
            return
        self.app.refuse_incomplete()
        object.__setattr__(self, "_annotated", True)
        for attributes in self.app.annotations(self):
            self.annotate(attributes)

    def annotate(self, attributes: Mapping[str, Any]) -> None:
        """Sets attributes as ``task_annotations`` does; a name with ``@`` wraps the method of that name."""
        for key, value in attributes.items():
            if key.startswith("@"):
                self.add_around(key[1:], value)
            else:
                setattr(self, key, self.as_method(key, value))

    def as_method(self, name: str, value: Any) -> Any:
        """Returns what an attribute given from outside is set to: a plain function becomes a method of the task."""
        if isinstance(value, types.FunctionType) and name not in _RULED:
            return types.MethodType(value, self)
        return value

    def add_around(self, attr: str, around: Callable[..., Any]) -> None:
        """Replaces a method by what a decorator makes of it."""
        wrapped = around(getattr(self, attr))
        wrapped.__wrapped__ = getattr(self, attr)
        setattr(self, attr, wrapped)

    def _given(self, name: str) -> Any:
        """Returns an attribute that somebody has set, or None."""
        return self.__dict__.get(name, getattr(type(self), name, None))

    def _said(self, name: str) -> Any:
        """Returns an attribute that somebody has set, on the task or as a setting for all tasks, or None."""
        given, setting = self._given(name), FROM_CONFIG.get(name)
        if given is not None or setting is None:
            return given
        conf = self.app.conf
        return conf[setting] if conf.value_set_for(setting) else None

    def _get_exec_options(self) -> dict[str, Any]:
        # By its name in classes whose apply_async was copied from Celery's.
        return {name: value for name in OF_A_CALL if (value := getattr(self, name, None)) is not None}

    def _resolve(self) -> TaskOptions:
        given = {name: getattr(self, name) for name in _RULED if name not in _ADDED_BY_WORKER}
        given.update({name: self._given(name) for name in _ADDED_BY_WORKER})
        if given["reject_on_worker_lost"] is False and given["max_deliveries"] is None:
            given["max_deliveries"] = 1  # told not to run again: the first loss is the end
        again = self.retry_kwargs or {}
        if "max_retries" in again:
            given["max_retries"] = again["max_retries"]
        if again.get("countdown") is not None:
            given["default_retry_delay"] = again["countdown"]
        if given["typing"] is None:
            given["typing"] = getattr(self.app, "strict_typing", True)
        chosen = {name: value for name, value in given.items() if value is not None or name == "max_retries"}
        return call_options.task_options(self.name, {**chosen, "bind": self._bound})


def _ruled() -> tuple[str, ...]:
    return tuple(name for name in TaskOptions.__dataclass_fields__ if name != "bind")


_RULED = _ruled()


def check_given(kind: type, task: str, given: Mapping[str, Any]) -> None:
    """Refuses options of a decorator that look like a slip; any other name becomes an attribute of the task.

    Args:
        kind: The task's class; what it has can be set.
        task: The task's name, for the message.
        given: What was written.

    Raises:
        InvalidOption: A name is close to an option, or is another library's word for one.
    """
    for name in given:
        if name in _RULED or name in MAKING or name == "bind" or hasattr(kind, name) or name in FROM_CONFIG:
            continue
        meant = _MISLEADING.get(name) or call_options.near(name, (*_RULED, "bind", "base"))
        if meant:
            raise InvalidOption(f"task {task} has no option {name!r}; did you mean {meant!r}?")
