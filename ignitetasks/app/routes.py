"""``task_routes``: which queue (and which other options) a call gets by the name of its task.

A route is a map of names, patterns or regular expressions, a list of pairs, a function, an object with
``route_for_task``, or the dotted name of one; the first that answers wins. This file must not send anything.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ignitetasks import loaders
from ignitetasks.errors import ConfigurationError

__all__ = ["MapRoute", "Router", "prepare"]

Route = Callable[..., Any]


class MapRoute:
    """Routes by name: exact names first, then patterns in their order.

    Args:
        routes: A map, or pairs, of a name, a glob pattern or a compiled expression, and a queue or a map of options.
    """

    def __init__(self, routes: Any) -> None:
        self.map: dict[str, Any] = {}
        self.patterns: list[tuple[re.Pattern[str], Any]] = []
        for key, target in routes.items() if isinstance(routes, Mapping) else routes:
            if isinstance(key, re.Pattern):
                self.patterns.append((key, target))
            elif not isinstance(key, str):
                raise ConfigurationError(f"task_routes: a route is for a name or a pattern, not for {key!r}")
            elif any(sign in key for sign in "*?["):
                self.patterns.append((re.compile(fnmatch.translate(key)), target))
            else:
                self.map[key] = target

    def __call__(self, name: str, *_: Any, **__: Any) -> Any:
        """Returns the options that the route of a task gives, or None."""
        found = self.map.get(name)
        if found is None:
            found = next((target for pattern, target in self.patterns if pattern.match(name)), None)
        return {"queue": found} if isinstance(found, str) else found


class Router:
    """Answers with the options that routes give a call.

    Args:
        routes: As `prepare` returns them.
        queues: The queues there are, as objects by name.
        create_missing: Taken for Celery's sake: the queues know whether any other name is one.
        app: The application, whose default queue a call gets that has no route.
    """

    def __init__(
        self,
        routes: Sequence[Route] | None = None,
        queues: Mapping[str, Any] | None = None,
        create_missing: bool = False,
        app: Any = None,
    ) -> None:
        self.routes = routes or []
        self.queues = {} if queues is None else queues
        self.app = app
        #: Whether routes look at names alone, so that what they say can be kept.
        self.by_name = all(isinstance(route, MapRoute) for route in self.routes)

    def lookup_route(
        self,
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        task_type: Any = None,
    ) -> dict[str, Any]:
        """Returns the options of a route; empty when no route knows the task.

        Raises:
            ConfigurationError: A route answers with something else.
        """
        for route in self.routes:
            found = route(name, args, kwargs or {}, options or {}, task=task_type)
            if found is None:
                continue
            if isinstance(found, Mapping):
                return dict(found)
            if isinstance(found, str) or hasattr(found, "name"):
                return {"queue": found}
            raise ConfigurationError(
                f"task_routes: the route of {name} must be a queue or a map of options, not {found!r}"
            )
        return {}

    def route(
        self,
        options: Mapping[str, Any],
        name: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        task_type: Any = None,
    ) -> dict[str, Any]:
        """Returns the options of a call with those of its route, and its queue as an object.

        Args:
            options: Options of the call; they win over the route.
            name: Name of the task.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            task_type: The task.

        Raises:
            QueueNotFound: There is no such queue.
        """
        given = {key: value for key, value in options.items() if value is not None}
        found = {**self.lookup_route(name, args, kwargs, options, task_type), **given}
        if "queue" not in found and "routing_key" in found and hasattr(self.queues, "by_routing_key"):
            found["queue"] = self.queues.by_routing_key(str(found["routing_key"]), found.get("exchange"))
        if found.get("queue") is None:
            found["queue"] = self.app.conf["task_default_queue"]
        return self.expand_destination(found)

    def expand_destination(self, route: str | Mapping[str, Any]) -> dict[str, Any]:
        """Returns a queue's name, or options, as options whose queue is an object.

        Raises:
            QueueNotFound: There is no such queue.
        """
        found = {"queue": route} if isinstance(route, str) else dict(route)
        if isinstance(found.get("queue"), str):
            found["queue"] = self.queues[found["queue"]]
        return found


def prepare(routes: Any) -> list[Route]:
    """Reads the setting ``task_routes``.

    Raises:
        ConfigurationError: A part of it is no route.
    """
    if routes is None:
        return []
    if isinstance(routes, Mapping) or not isinstance(routes, (list, tuple)):
        routes = [routes]
    elif routes and all(_is_pair(one) for one in routes):
        routes = [routes]  # a list of pairs is one map with an order
    return [_prepared(one) for one in routes]


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], (str, re.Pattern))


def _prepared(route: Any) -> Route:
    if isinstance(route, (Mapping, list, tuple)):
        return MapRoute(route)
    found = loaders.symbol_by_name(route)
    if isinstance(found, Mapping):
        return MapRoute(found)
    if isinstance(found, type):
        found = found()
    method = getattr(found, "route_for_task", None)
    if method is not None:
        return _old_style(method)
    if not callable(found):
        raise ConfigurationError(f"task_routes: {route!r} is neither a map nor a function")
    return found  # type: ignore[no-any-return]


def _old_style(method: Callable[..., Any]) -> Route:
    def route(name: str, args: Any, kwargs: Any, options: Any, task: Any = None) -> Any:
        return method(name, args, kwargs)

    return route
