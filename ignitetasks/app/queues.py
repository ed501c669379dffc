"""Queues as objects, and ``app.amqp.queues``: what is known of the queues of an application.

A queue here is a name. `Queue` and `Exchange` take the arguments that projects written for Celery give theirs, and
kombu's own objects are accepted wherever a queue is named. This file must not know tasks, or ask the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ignitetasks.config import Settings, check_queue, queue_name
from ignitetasks.errors import ConfigurationError, QueueNotFound

__all__ = ["AMQP", "Exchange", "Queue", "Queues", "binding", "queue_name"]


class Exchange:
    """Stands for an exchange: with a routing key it says which of the queues is meant.

    Args:
        name: Its name.
        type: Its kind; routing keys of queues are patterns (``media.#``, ``*.video``) whatever it is.
        **options: Anything else an exchange of a message broker can have.
    """

    def __init__(self, name: str = "", type: str = "direct", **options: Any) -> None:
        self.name = name
        self.type = type
        self.options = options

    def __repr__(self) -> str:
        return f"<Exchange {self.name!r} ({self.type})>"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class binding:  # kombu's name
    """One way to a queue.

    Attributes:
        exchange: An exchange, or its name; None for any.
        routing_key: As of a `Queue`.
        arguments: Accepted, and without a meaning here.
    """

    exchange: Any = None
    routing_key: str = ""
    arguments: Mapping[str, Any] | None = field(default=None, compare=False)


class Queue:
    """A queue by its name.

    Args:
        name: The queue's name.
        exchange: Where tasks that are sent without a queue come from; or a list of `binding`.
        routing_key: Tasks that are sent with this routing key, and without a queue, come here; may be a pattern.
        **options: Anything else a queue of a message broker can have.
    """

    def __init__(self, name: str = "", exchange: Any = None, routing_key: str = "", **options: Any) -> None:
        several = isinstance(exchange, (list, tuple, set, frozenset))
        self.name = name
        self.exchange = None if several else exchange
        self.routing_key = routing_key or name
        self.bindings = list(exchange) if several else options.get("bindings") or []
        self.options = options
        self.queue_arguments = options.get("queue_arguments")

    def __repr__(self) -> str:
        return f"<Queue {self.name}>"

    def __str__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return getattr(other, "name", None) == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Queues(dict[str, Any]):
    """The queues an application knows, by name.

    Args:
        queues: Names, objects, or a map of names to maps of options.
        default: Name of the default queue.
        create_missing: Whether any other name is a queue, too.

    Attributes:
        chosen: What a worker without ``-Q`` takes from; None for all.
    """

    def __init__(self, queues: Any = None, default: str = Settings.default_queue, create_missing: bool = True) -> None:
        super().__init__()
        self.create_missing = create_missing
        self.default = default
        self.chosen: dict[str, Any] | None = None
        for queue in _each(queues):
            self.add(queue)
        if not self:
            self.add(default)

    def __missing__(self, name: str) -> Any:
        if not self.create_missing:
            raise QueueNotFound(
                f"queue {name!r} is missing from task_queues, which has: {', '.join(sorted(self))}; add it there, "
                "or set task_create_missing_queues=True"
            )
        return self.add(name)

    def add(self, queue: Any, **options: Any) -> Any:
        """Adds a queue and returns it as an object.

        Raises:
            ConfigurationError: It is no queue, or its name cannot be one.
        """
        name = queue_name(queue)
        if type(queue).__name__ == "Broadcast":
            raise ConfigurationError(
                f"the queue {name!r} is a Broadcast, and a task is given to one worker; to tell all of them, use a "
                "control command of your own (docs/control.md)"
            )
        check_queue(name, "a queue of task_queues, or task_default_queue,")
        found = self[name] = Queue(name, **options) if isinstance(queue, str) else queue
        return found

    @property
    def consume_from(self) -> Mapping[str, Any]:
        """The queues that a worker takes from when it is told nothing else."""
        return self if self.chosen is None else self.chosen

    def select(self, include: Iterable[str] | str | None) -> None:
        """Lets workers take from these alone, adding those that are missing."""
        if include:
            self.chosen = {name: self[name] for name in _names(include)}

    def choose(self, chosen: Mapping[str, Any] | None) -> None:
        """Lets workers take from these objects alone, by name; None leaves it as it is."""
        if chosen is not None:
            self.chosen = dict(chosen)
            self.update({name: one for name, one in chosen.items() if name not in self})

    def select_add(self, queue: Any, **options: Any) -> Any:
        """Adds a queue that workers take from in any case, and returns it; see `add`."""
        found = self.add(queue, **options)
        if self.chosen is not None:
            self.chosen[found.name] = found
        return found

    def deselect(self, exclude: Iterable[str] | str | None) -> None:
        """Lets workers take from all but these."""
        if exclude:
            left_out = set(_names(exclude))
            self.chosen = {name: one for name, one in self.consume_from.items() if name not in left_out}

    def by_routing_key(self, key: str, exchange: Any = None) -> str | None:
        """Returns the name of the queue that is bound to a routing key, else the first one whose pattern fits it.

        Args:
            key: Such as ``media.video``.
            exchange: Only bindings of this one, an object or its name; None for those of any.

        Returns:
            The name; None where no queue of the application is meant.
        """
        bound = [
            (name, pattern)
            for name, one in self.items()
            for of, pattern in _bindings(one)
            if not exchange or not of or of == _name_of(exchange)
        ]
        words = key.split(".")
        exact = (name for name, pattern in bound if pattern == key)
        return next(exact, None) or next((name for name, pattern in bound if _fits(pattern.split("."), words)), None)


def _bindings(queue: Any) -> list[tuple[str, str]]:
    """Returns the exchanges and routing keys of a queue's bindings; an empty name stands for any exchange."""
    several = getattr(queue, "bindings", None) or [queue]
    return [(_name_of(getattr(one, "exchange", None)), getattr(one, "routing_key", None) or "") for one in several]


def _name_of(exchange: Any) -> str:
    return str(getattr(exchange, "name", exchange) or "")


def _fits(pattern: Sequence[str], words: Sequence[str]) -> bool:
    """Tells whether a pattern fits: ``*`` stands for one word, ``#`` for any number of them."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_fits(pattern[1:], words[start:]) for start in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _fits(pattern[1:], words[1:])


def _names(value: Iterable[str] | str) -> list[str]:
    return [one.strip() for one in value.split(",")] if isinstance(value, str) else list(value)


def _each(queues: Any) -> Iterable[Any]:
    if queues is None:
        return []
    if isinstance(queues, Mapping):
        return [
            Queue(name, **{key: one for key, one in (options or {}).items() if key != "name"})
            if isinstance(options, Mapping) or options is None
            else options
            for name, options in queues.items()
        ]
    if isinstance(queues, (str, bytes)) or not isinstance(queues, Iterable):
        raise ConfigurationError(f"task_queues must be a list of queues or a map by name, not {queues!r}")
    return queues


class AMQP:
    """What ``app.amqp`` answers: the queues and the routes.

    Args:
        app: The application.

    Attributes:
        app: The application.
        queues: The queues the application knows.
        router: What routes calls: ``route(options, task, args, kwargs)`` says how a call is sent.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.queues = self.Queues(app.conf["task_queues"], app.conf["task_create_missing_queues"])
        self.router = self.Router()

    def Queues(self, queues: Any, create_missing: bool | None = None, **_: Any) -> Queues:
        """Makes a view of queues.

        Args:
            queues: Names, objects, or a map of names to maps of options.
            create_missing: Whether any other name is a queue, too; None means as the setting says.
        """
        conf = self.app.conf
        missing = conf["task_create_missing_queues"] if create_missing is None else create_missing
        return Queues(queues, conf["task_default_queue"], missing)

    def Router(self, queues: Any = None, create_missing: bool | None = None) -> Any:
        """Makes what answers with the queue, and further options, of a call: ``app.amqp.router`` is one.

        Args:
            queues: Queues as objects by name; None means those the application knows.
            create_missing: Taken for Celery's sake: the queues know whether any other name is one.
        """
        router = self.app.router
        return type(router)(router.routes, self.queues if queues is None else queues, bool(create_missing), self.app)

    def flush_routes(self) -> None:
        """Reads ``task_routes`` again, after it was changed in place."""
        self.app._forget()
        self.router = self.Router()

    @property
    def routes(self) -> Any:
        """The routes of the setting ``task_routes``, in their order."""
        return self.router.routes

    @property
    def default_queue(self) -> Any:
        """The queue of tasks that name none, as an object."""
        return self.queues[self.queues.default]
