"""What a running task may know of itself: the current request.

The worker (or eager execution) sets the current request around a call; `current_request()` and `self.request`
read it. The worker sets only the parts it has and how to make a request of them, since most tasks never look:
building happens at the first look. This file must not import anything of the application, the transport or the
worker, and holds no state besides one context variable.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: Longest text of arguments.
_MOST_CHARS = 1024


@dataclass(repr=False)
class Request:
    """One execution of a task, as the task itself sees it; unknown names are looked up among the headers.

    Attributes:
        id: Id of the task; None when its function was called directly.
        task: Name of the task.
        args: Positional arguments of this execution, without a bound ``self``: a list in a worker, else as given.
        kwargs: Keyword arguments of this execution.
        retries: How many times the task has been retried so far.
        deliveries: How many executions of this attempt were lost with their process.
        fence: Number of this delivery; larger for every later one of the same task.
        eta: Earliest time the task was asked to run at, as ISO 8601 text in UTC, or None.
        expires: Time after which it must not start any more, as ISO 8601 text in UTC, or None.
        created: When the task was submitted (UTC), or None.
        headers: The caller's own headers.
        queue: Queue it was taken from.
        priority: Its priority, 0-255.
        root_id: Id of the first task of the workflow.
        parent_id: Id of the task that sent this one, or None.
        group: Id of the group it belongs to, or None.
        group_index: Its place in the group, or None.
        hostname: Name of the worker that runs it.
        timelimit: Hard and soft limit in seconds, in this order; None where there is none.
        delivery_info: Queue (as ``routing_key``), priority and whether it was delivered before.
        properties: What a message broker would have been told.
        called_directly: True when no worker runs it.
        is_eager: True when it runs in the caller's process by request.
        ignore_result: Whether its result is kept.
        callbacks: What runs after its success.
        errbacks: What runs after its failure.
        chord: What waits for it, when it is a member of a chord.
        replaced_task_nesting: How many tasks it stands for by `replace`.
        shadow: Name to show instead of its own, or None.
        origin: Who sent it, as ``gen<process>@<host>``; None in eager runs.
        reply_to: What its sender has called so; nothing here is sent there.
        stamped_headers: Names of the headers that are stamps.
        stamps: The stamps by name.
        utc: Always True.
        logfile: Always None: a worker's log goes where its process writes.
        loglevel: Level of the worker's log, where known.
        lang: Language of who sent it: always ``py``.
        compression: Always None: how arguments were compressed is over when the task runs.
        options: Everything else the caller sent along.
        canvas: What it carries of its canvas (see ``envelope``).
        additions: What it adds to its chord when it succeeds.
        spawn: What its outcome shall bring besides.
        owner: The task itself.
        rest: Returns what follows it in its chain; None where nothing does.
        report: Tells the cluster how far the execution is (state, value); None where no worker runs it.
        given_up: The error that a `retry` without a repeat left has raised; nothing repeats it.
        handler: What is told of this run, where the task has a request class of its own.
        told: State and value it has told of itself last; they hold on if it raises ``Ignore``.
    """

    id: str | None = None
    task: str | None = None
    args: Sequence[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    retries: int = 0
    deliveries: int = 0
    fence: int = 0
    eta: str | None = None
    expires: str | None = None
    created: datetime | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    queue: str | None = None
    priority: int = 0
    root_id: str | None = None
    parent_id: str | None = None
    group: str | None = None
    group_index: int | None = None
    hostname: str | None = None
    timelimit: Sequence[float | None] | None = None
    delivery_info: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    called_directly: bool = True
    is_eager: bool = False
    ignore_result: bool = False
    callbacks: Any = None
    errbacks: Any = None
    chord: Any = None
    replaced_task_nesting: int = 0
    shadow: str | None = None
    origin: str | None = None
    reply_to: str | None = None
    stamped_headers: Any = None
    stamps: Any = None
    utc: bool = True
    logfile: str | None = None
    loglevel: int | None = None
    lang: str = "py"
    compression: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    canvas: dict[str, Any] = field(default_factory=dict)
    additions: list[Any] = field(default_factory=list)
    spawn: Any = None
    rest: Any = field(default=None, compare=False)
    owner: Any = field(default=None, compare=False)
    report: Any = field(default=None, compare=False)
    given_up: BaseException | None = field(default=None, compare=False)
    handler: Any = field(default=None, compare=False)
    told: tuple[str, Any] | None = field(default=None, compare=False)
    #: Set by tasks whose ``__call__`` pushes a request of its own unless this one is marked.
    _protected = 0

    def __getattr__(self, name: str) -> Any:
        headers = self.__dict__.get("headers")
        if headers and name in headers:
            return headers[name]
        raise AttributeError(f"the request has no {name!r}, nor is there a header of that name")

    def __repr__(self) -> str:
        return f"<Request {self.task}[{self.id}]>"

    @property
    def correlation_id(self) -> str | None:
        """What its sender has called so; otherwise the task's id."""
        return self.properties.get("correlation_id") or self.id

    @property
    def argsrepr(self) -> str:
        """Its positional arguments as text, cut where that is long."""
        return str(self.options.get("argsrepr") or repr(tuple(self.args or ()))[:_MOST_CHARS])

    @property
    def kwargsrepr(self) -> str:
        """Its keyword arguments as text, cut where that is long."""
        return str(self.options.get("kwargsrepr") or repr(dict(self.kwargs or {}))[:_MOST_CHARS])

    @property
    def chain(self) -> Any:
        """What follows it in its chain: signatures, the last one first; None where nothing does."""
        if "_chain" not in self.__dict__:
            self.__dict__["_chain"] = self.rest() if self.rest is not None else None
        return self.__dict__["_chain"]

    @chain.setter
    def chain(self, chain: Any) -> None:
        self.__dict__["_chain"] = chain

    @property
    def task_id(self) -> str | None:
        """The task's id, as receivers of ``task_received`` know it."""
        return self.id

    @property
    def name(self) -> str | None:
        """The task's name, as receivers of ``task_received`` know it."""
        return self.task

    task_name = name

    @property
    def redelivered(self) -> bool:
        """Whether an earlier execution of this attempt was lost with its process."""
        return self.deliveries > 0

    @property
    def soft_time_limit(self) -> float | None:
        """Seconds after which ``SoftTimeLimitExceeded`` is raised inside the task, or None."""
        return self.timelimit[1] if self.timelimit else None

    @property
    def time_limit(self) -> float | None:
        """Seconds after which its process is killed, or None."""
        return self.timelimit[0] if self.timelimit else None

    @property
    def taskset(self) -> str | None:
        """The group's id under its oldest name."""
        return self.group

    @property
    def children(self) -> list[Any]:
        """Handles of the tasks this execution has sent."""
        children: list[Any] = self.__dict__.setdefault("_children", [])
        return children

    @property
    def asks(self) -> bool:
        """Whether its outcome has to bring something with it."""
        return bool(self.additions or self.spawn is not None or self.__dict__.get("_children"))

    def get(self, key: str, default: Any = None) -> Any:
        """Returns an attribute or a header, or a default."""
        return getattr(self, key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Sets attributes, given as a map or by name."""
        self.__dict__.update(*args, **kwargs)

    def clear(self) -> None:
        """Makes it the request of a direct call."""
        self.__dict__.clear()
        self.__dict__.update(Request().__dict__)

    def as_execution_options(self) -> dict[str, Any]:
        """Returns the options with which the same call could be made again."""
        options = {
            "task_id": self.id,
            "root_id": self.root_id,
            "parent_id": self.parent_id,
            "group_id": self.group,
            "group_index": self.group_index,
            "shadow": self.shadow,
            "chord": self.chord,
            "chain": self.chain,
            "link": self.callbacks,
            "link_error": self.errbacks,
            "expires": self.expires,
            "soft_time_limit": self.soft_time_limit,
            "time_limit": self.time_limit,
            "headers": self.headers,
            "retries": self.retries,
            "reply_to": self.reply_to,
            "replaced_task_nesting": self.replaced_task_nesting,
            "origin": self.origin,
        }
        if self.stamps and self.stamped_headers:
            options["stamped_headers"] = self.stamped_headers
            options.update({key: value for key, value in self.stamps.items() if key in self.stamped_headers})
        return options


class Context(Request):
    """A request made by hand, e.g. in a test: ``Context({"id": "1", "args": [2]}, retries=3)``.

    Args:
        *args: Its fields as a map; names that are no fields become headers, unless ``headers`` is given.
        **kwargs: Fields by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        given = dict(*args, **kwargs)
        fields = Request.__dataclass_fields__
        self.chain = given.pop("chain", None)
        self.options = {name: given.pop(name) for name in ("argsrepr", "kwargsrepr") if name in given}
        self.update({name: value for name, value in given.items() if name in fields})
        if "headers" not in given:
            self.headers = {name: value for name, value in given.items() if name not in fields}


#: A request still to be made: the function that makes it, and its argument.
Pending = tuple[Callable[[Any], Request], Any]

# Not a plain global: threads of one child, and later coroutines of one thread, each run their own task.
_current: contextvars.ContextVar[Request | Pending | None] = contextvars.ContextVar("ignitetasks_request", default=None)

#: Makes a request (or the parts of one) current; returns the token for `leave`.
enter = _current.set
#: Makes the request current that was so before the matching `enter`.
leave = _current.reset


def inside_worker() -> bool:
    """Tell whether a worker runs a task here."""
    current = current_request()
    return current is not None and not current.called_directly and not current.is_eager


def made_request() -> Request | None:
    """Return the request of the task that runs here if somebody has looked at it, without making it."""
    current = _current.get()
    return None if type(current) is tuple else current  # type: ignore[return-value]


def current_request() -> Request | None:
    """Return the request of the task that runs here.

    Returns:
        The request, or None outside of a task. The same object for the whole execution.
    """
    current = _current.get()
    if type(current) is tuple:
        make, parts = current
        current = make(parts)
        # No token is kept: the `leave` of the execution restores what was before it in any case.
        _current.set(current)
    return current  # type: ignore[return-value]


def current_task() -> Any:
    """Return the task that runs here.

    Returns:
        The task, or None outside of one.
    """
    request = current_request()
    return None if request is None else request.owner
