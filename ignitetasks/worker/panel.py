"""The registry of remote control commands, and how one is run: arguments from bytes, answer to bytes.

What a command may do with the worker is written down as the port `Worker`. This file must not contain commands (see
commands.py) and must not know sockets: the supervisor hands it what came and sends what it answers.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from ignitetasks import log
from ignitetasks.errors import SerializationError
from ignitetasks.serializers import PLAIN
from ignitetasks.worker.execute import WorkerShutdown
from ignitetasks.worker.model import WorkerApp, WorkerPlan

F = TypeVar("F", bound=Callable[..., Any])
_logger = log.get_logger("worker.control")
#: So many calls are remembered, in case one of them comes again.
_REMEMBERED = 256


class CommandInfo(NamedTuple):
    """What is known of a command besides its function.

    Attributes:
        alias: Its second name, or None.
        type: ``control`` (changes something) or ``inspect``.
        visible: Whether it is listed.
        default_timeout: Seconds a caller waits who names no time.
        help: One line.
        signature: Its arguments in words, for the command line.
        args: Name and type of each positional argument of the command line.
        variadic: Name of the argument that takes all the rest, or None.
    """

    alias: str | None
    type: str
    visible: bool
    default_timeout: float
    help: str
    signature: str | None
    args: Sequence[tuple[str, Callable[[str], Any]]] | None
    variadic: str | None


class InHand(NamedTuple):
    """A task that this worker holds.

    Attributes:
        active: True while it runs, False while it waits in the worker.
        started: When it started (or came, where that is not known), in seconds since the epoch.
        pid: Process that has it; 0 for none yet.
        facts: Its record by the delivery's names: ``id``, ``task``, ``body``, ``queue``, ...
    """

    active: bool
    started: float
    pid: int
    facts: Mapping[str, Any]


class Holdings(NamedTuple):
    """Everything a worker holds, and what it has run.

    Attributes:
        tasks: Tasks in hand.
        totals: Executions that have ended since the worker's start, by task name.
    """

    tasks: Sequence[InHand]
    totals: Mapping[str, int]


class Worker(Protocol):
    """What commands may ask of a worker and do with it; called in the worker's own thread only."""

    @property
    def app(self) -> WorkerApp:
        """The application, as the supervisor has imported it."""

    @property
    def plan(self) -> WorkerPlan:
        """What the worker is now; queues and concurrency as changed at run time."""

    @property
    def started(self) -> float:
        """Monotonic seconds at its start."""

    @property
    def autoscale(self) -> tuple[int, int] | None:
        """Largest and smallest pool of the autoscaler; None where it is off."""

    @property
    def events_enabled(self) -> bool:
        """Whether task events are sent."""

    def pids(self) -> list[int]:
        """Process ids of the children that live."""

    def held(self, then: Callable[[Holdings], None]) -> None:
        """Finds out what the worker holds; the answer may come later."""

    def resize(self, by: int) -> int:
        """Grows or shrinks the pool; returns its new size. Raises ValueError where it cannot."""

    def set_autoscale(self, most: int | None, least: int | None) -> tuple[int, int]:
        """Changes the autoscaler's bounds, switching it on where it is off. Raises ValueError where it cannot."""

    def restart_pool(self) -> None:
        """Replaces every child as soon as its task has ended."""

    def listen(self, queues: Sequence[str]) -> None:
        """Takes tasks from these queues from now on, and from no other."""

    def limit(self, task: str, soft: float | None, hard: float | None) -> None:
        """Sets the limits of a task's executions that start from now on, in seconds."""

    def send_events(self, enabled: bool) -> bool:
        """Switches task events; returns whether that was a change."""

    def heartbeat(self, seconds: float, now: bool) -> None:
        """Sends heartbeat events for a time, as somebody listens, and one now, whether events are on or not."""

    def event(self, type: str, fields: Mapping[str, Any]) -> None:
        """Sends an event of the worker's own, where events are sent."""

    def shut_down(self) -> None:
        """Begins a warm shutdown, unless one is under way."""


@dataclass
class ControlState:
    """What a command gets as its first argument.

    Attributes:
        app: The application.
        hostname: The worker's name.
        worker: What can be asked of the worker and done with it.
        consumer: The same under the names that commands written for Celery use.
        tset: Makes a set of some tasks; for commands written for Celery.
    """

    app: Any
    hostname: str
    worker: Worker
    consumer: Any = None
    tset: Callable[[Iterable[Any]], set[Any]] = field(default=set, repr=False)


class Later(NamedTuple):
    """An answer that comes later: a command returns it instead of a value.

    Attributes:
        ask: Called once, with what takes the answer.
    """

    ask: Callable[[Callable[[Any], None]], None]


class _Call:
    """One call of a command: its answer, once there is one, and who waits for that."""

    __slots__ = ("_answer", "_waiting")

    def __init__(self) -> None:
        self._answer: bytes | None = None
        self._waiting: list[Callable[[bytes], None]] = []

    def tell(self, answer: Callable[[bytes], None]) -> None:
        if self._answer is None:
            self._waiting.append(answer)
        else:
            answer(self._answer)

    def answered(self, data: bytes) -> None:
        self._answer = data
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer(data)


class Panel:
    """Runs commands of one worker; the registry itself is one for all.

    Attributes:
        data: Functions by name and alias.
        meta: What else is known of each, by name.
    """

    data: ClassVar[dict[str, Callable[..., Any]]] = {}
    meta: ClassVar[dict[str, CommandInfo]] = {}

    def __init__(self, state: ControlState) -> None:
        """Prepare.

        Args:
            state: What commands get.
        """
        self.state = state
        self._calls: OrderedDict[bytes, _Call] = OrderedDict()

    @classmethod
    def register(cls, *args: Any, **options: Any) -> Any:
        """Adds a command; to be used as a decorator, with or without options.

        Args:
            *args: The function, when used without parentheses.
            **options: See `control_command`.
        """
        decorate = _decorator(**options)
        return decorate(*args) if args else decorate

    def handle(self, command: str, body: bytes, answer: Callable[[bytes], None]) -> None:
        """Run one command and give its answer, now or later; no exception leaves this method.

        A command that changes something is run once, however often the same call comes: its caller repeats a call
        that was cut.

        Args:
            command: Its name.
            body: The call's number and the encoded keyword arguments.
            answer: Takes the encoded answer, once.
        """
        try:
            number, given = decode(body)
        except Exception as error:
            answer(encode(_failed(command, error)))
            return
        call = self._calls.get(number)
        if call is not None:
            call.tell(answer)
            return
        call = _Call()
        call.tell(answer)
        if number and self._changes(command):
            self._calls[number] = call
            if len(self._calls) > _REMEMBERED:
                self._calls.popitem(last=False)
        result = self._run(command, given)
        if not isinstance(result, Later):
            call.answered(encode(result))
            return
        try:
            result.ask(lambda value: call.answered(encode(value)))
        except Exception as error:
            call.answered(encode(_failed(command, error)))

    def _changes(self, command: str) -> bool:
        return any(info.type == "control" for name, info in self.meta.items() if command in (name, info.alias))

    def _run(self, command: str, given: Mapping[str, Any]) -> Any:
        function = self.data.get(command)
        if function is None:
            return {"error": f"no such command: {command!r}; `ignitetasks inspect --list` shows what there is"}
        started = time.monotonic()
        try:
            return function(self.state, **given)
        except (SystemExit, WorkerShutdown):
            # How commands written for Celery ask for the worker's end.
            self.state.worker.shut_down()
            return {"ok": "shutting down"}
        except Exception as error:
            return _failed(command, error)
        finally:
            _logger.debug("command run", command=command, seconds=round(time.monotonic() - started, 4))


def _failed(command: str, error: Exception) -> dict[str, str]:
    _logger.warning("command failed", command=command, error=repr(error))
    return {"error": str(error) if isinstance(error, ValueError) else repr(error)}


def _decorator(
    name: str | None = None,
    alias: str | None = None,
    type: str = "control",
    visible: bool = True,
    default_timeout: float = 1.0,
    help: str | None = None,
    signature: str | None = None,
    args: Sequence[tuple[str, Callable[[str], Any]]] | None = None,
    variadic: str | None = None,
) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        chosen = str(name or getattr(function, "__name__", ""))
        words = help or (function.__doc__ or "").strip().split("\n")[0]
        Panel.data[chosen] = function
        Panel.meta[chosen] = CommandInfo(alias, type, visible, default_timeout, words, signature, args, variadic)
        if alias:
            Panel.data[alias] = function
        return function

    return decorate


def control_command(**options: Any) -> Callable[[F], F]:
    """Registers a function as a command that changes something: ``ignitetasks control NAME``.

    It gets a `ControlState` and the caller's keyword arguments, and returns what the caller is told: by custom
    ``{"ok": ...}`` or ``{"error": ...}``.

    Args:
        **options: ``name``, ``alias``, ``visible``, ``default_timeout``, ``help``, ``signature``, and for the
            command line ``args`` (pairs of name and type) and ``variadic``; see `CommandInfo`.
    """
    return _decorator(type="control", **options)


def inspect_command(**options: Any) -> Callable[[F], F]:
    """Registers a function as a command that only looks: ``ignitetasks inspect NAME``.

    Args:
        **options: As for `control_command`.
    """
    return _decorator(type="inspect", **options)


def encode(value: Any) -> bytes:
    """Returns an answer or arguments as bytes; what no encoding knows travels as its ``repr``."""
    try:
        return PLAIN.encode(value)
    except SerializationError:
        return PLAIN.encode(_plain(value))


def decode(body: bytes) -> tuple[bytes, dict[str, Any]]:
    """Returns the number of a call and the keyword arguments that its caller has sent."""
    if not len(body):
        return b"", {}
    number, value = PLAIN.decode(body, what="the command's arguments")
    return bytes(number), {str(key): item for key, item in value.items()}


def _plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, (bool, float, str, bytes)):
        return value
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else str(value)
    if depth > 20:
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, depth + 1) for item in value]
    return repr(value)
