"""``app.control.inspect()``: asks workers and returns one map from worker to answer.

This file must not change anything, and must not know how a command travels: see control.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ignitetasks.app.cluster import ControlApp
from ignitetasks.errors import RequestError
from ignitetasks.exceptions import DuplicateNodenameWarning

Callback = Callable[[dict[str, Any]], Any]


def flatten_reply(reply: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Makes one map of a list of answers.

    Args:
        reply: Maps of one worker's name and its answer.
    """
    nodes: dict[str, Any] = {}
    twice = set()
    for one in reply:
        twice |= nodes.keys() & one.keys()
        nodes.update(one)
    if twice:
        names = ", ".join(sorted(twice))
        warnings.warn(
            f"several workers answered as {names}: give each a name of its own with -n",
            DuplicateNodenameWarning,
            stacklevel=2,
        )
    return nodes


class Inspect:
    """Asks workers; every method returns a map from worker to answer, or None when nobody answered.

    Args:
        destination: Names of the workers to ask; None means all. A single name returns that worker's answer alone.
        timeout: Longest wait in seconds; the call ends as soon as all have answered.
        callback: Called with each answer.
        connection: Accepted and not needed.
        app: The application.
        limit: Most answers.
        pattern: Only workers whose name fits.
        matcher: How: ``glob`` (the default) or ``pcre``.
    """

    def __init__(
        self,
        destination: Sequence[str] | str | None = None,
        timeout: float = 1.0,
        callback: Callback | None = None,
        connection: Any = None,
        app: ControlApp | None = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ) -> None:
        if app is None:
            raise RequestError("Inspect needs an application: use app.control.inspect(...)")
        self.app = app
        self.destination = destination
        self.timeout = timeout
        self.callback = callback
        self.connection = connection
        self.limit = limit
        self.pattern = pattern
        self.matcher = matcher

    def _request(self, command: str, **arguments: Any) -> Any:
        replies = self.app.control.broadcast(
            command,
            arguments=arguments,
            destination=self.destination,
            callback=self.callback,
            connection=self.connection,
            limit=self.limit,
            timeout=self.timeout,
            reply=True,
            pattern=self.pattern,
            matcher=self.matcher,
        )
        if not replies:
            return None
        answers = flatten_reply(replies)
        return answers.get(self.destination) if isinstance(self.destination, str) else answers

    def ping(self, destination: Sequence[str] | None = None) -> Any:
        """Asks for a sign of life: ``{worker: {"ok": "pong"}}``."""
        if destination:
            self.destination = destination
        return self._request("ping")

    def active(self, safe: bool | None = None) -> Any:
        """Lists the tasks that run now: ``{worker: [task, ...]}``."""
        return self._request("active", safe=safe)

    def reserved(self, safe: bool | None = None) -> Any:
        """Lists the tasks that wait in workers, usually none: ``{worker: [task, ...]}``."""
        return self._request("reserved")

    def scheduled(self, safe: bool | None = None) -> Any:
        """Lists the tasks whose time has not come, at the workers that listen to their queue; the soonest thousand."""
        return self._request("scheduled")

    def revoked(self) -> Any:
        """Lists revoked tasks whose records are kept; the same at every worker: ``{worker: [id, ...]}``."""
        return self._request("revoked")

    def registered(self, *taskinfoitems: str) -> Any:
        """Lists the tasks that workers have code for: ``{worker: ["name [item=value ...]", ...]}``.

        Args:
            *taskinfoitems: Options of tasks to show.
        """
        return self._request("registered", taskinfoitems=taskinfoitems)

    registered_tasks = registered

    def stats(self) -> Any:
        """Returns numbers about workers: pool, processes, executions by task, resources used."""
        return self._request("stats")

    def report(self) -> Any:
        """Returns versions and settings of workers, as text for bug reports."""
        return self._request("report")

    def active_queues(self) -> Any:
        """Lists the queues that workers take tasks from."""
        return self._request("active_queues")

    def conf(self, with_defaults: bool = False) -> Any:
        """Returns the settings of workers, secrets hidden.

        Args:
            with_defaults: Also those that nobody has set.
        """
        return self._request("conf", with_defaults=with_defaults)

    def query_task(self, *ids: Any) -> Any:
        """Tells where tasks are: ``{worker: {id: [state, task]}}``.

        Args:
            *ids: Their ids, also as one list.
        """
        one = len(ids) == 1 and isinstance(ids[0], (list, tuple))
        return self._request("query_task", ids=ids[0] if one else ids)

    def clock(self) -> Any:
        """Returns a number of each worker that only grows: ``{worker: {"clock": n}}``."""
        return self._request("clock")

    def hello(self, from_node: str, revoked: Any = None) -> Any:
        """Asks as a worker of Celery's does when it starts: ``{worker: {"revoked": {}, "clock": n}}``."""
        return self._request("hello", from_node=from_node, revoked=revoked)

    def memsample(self) -> Any:
        """Returns the memory of workers' supervisors."""
        return self._request("memsample")

    def memdump(self, samples: int = 10) -> Any:
        """Is answered with what to use instead."""
        return self._request("memdump", samples=samples)

    def objgraph(self, type: str = "Request", n: int = 200, max_depth: int = 10) -> Any:
        """Is answered with what to use instead."""
        return self._request("objgraph", num=n, max_depth=max_depth, type=type)
