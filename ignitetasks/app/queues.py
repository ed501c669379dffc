"""Queues as objects, and ``app.amqp.queues``: what is known of the queues of an application.

A queue here is a name. `Queue` and `Exchange` take the arguments that projects written for Celery give theirs, and
kombu's own objects are accepted wherever a queue is named. This file must not know tasks, or ask the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ignitetasks.config import Settings, check_queue, queue_name
from ignitetasks.errors import ConfigurationError, QueueNotFound

__all__ = ["AMQP", "Exchange", "Queue", "Queues", "queue_name"]


class Exchange:
    """Stands for an exchange, which has no meaning here: tasks go to queues by name.

    Args:
        name: Its name.
        type: Its kind.
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


class Queue:
    """A queue by its name.

    Args:
        name: The queue's name.
        exchange: Accepted, and without a meaning here.
        routing_key: Tasks that are sent with this routing key, and without a queue, come here.
        **options: Anything else a queue of a message broker can have.
    """

    def __init__(self, name: str = "", exchange: Any = None, routing_key: str = "", **options: Any) -> None:
        self.name = name
        self.exchange = exchange
        self.routing_key = routing_key or name
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

    def by_routing_key(self, key: str) -> str | None:
        """Returns the name of the queue that has a routing key, or None."""
        return next((name for name, one in self.items() if getattr(one, "routing_key", None) == key), None)


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
        router: What routes calls.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.router = app.router
        self.queues = self.Queues(app.conf["task_queues"], app.conf["task_create_missing_queues"])

    def Queues(self, queues: Any, create_missing: bool | None = None, **_: Any) -> Queues:
        """Makes a view of queues.

        Args:
            queues: Names, objects, or a map of names to maps of options.
            create_missing: Whether any other name is a queue, too; None means as the setting says.
        """
        conf = self.app.conf
        missing = conf["task_create_missing_queues"] if create_missing is None else create_missing
        return Queues(queues, conf["task_default_queue"], missing)

    def flush_routes(self) -> None:
        """Reads ``task_routes`` again, after it was changed in place."""
        self.app._forget()
        self.router = self.app.router

    @property
    def routes(self) -> Any:
        """The routes of the setting ``task_routes``, in their order."""
        return self.router.routes

    @property
    def default_queue(self) -> Any:
        """The queue of tasks that name none, as an object."""
        return self.queues[self.queues.default]
