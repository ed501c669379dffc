"""``app.control``: asks workers, tells them what to do, and changes what the cluster keeps: revokes, limits, queues.

Commands to workers travel by one operation of the node, which waits until every worker has answered. What is state of
the cluster is read and written in the cluster, and holds for workers that start later too. This file must not contain
what a command does in a worker: see ``worker/commands.py``.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ignitetasks.app.cluster import COMMANDS, ControlApp, Replies, ask, workers
from ignitetasks.app.inspect import Callback, Inspect, flatten_reply
from ignitetasks.errors import IgniteTasksError, RequestError
from ignitetasks.events.local import EVENTS_BUCKET, EVENTS_SWITCH
from ignitetasks.exceptions import DuplicateNodenameWarning
from ignitetasks.store import Store

__all__ = ["TERM_SIGNAME", "Control", "DuplicateNodenameWarning", "Inspect", "flatten_reply"]

#: The signal that ends a process where none is named.
TERM_SIGNAME = "SIGTERM"


class Control:
    """Remote control of the workers of an application's cluster.

    Args:
        app: The application.
    """

    def __init__(self, app: ControlApp) -> None:
        self.app = app

    def inspect(
        self,
        destination: Sequence[str] | str | None = None,
        timeout: float = 1.0,
        callback: Callback | None = None,
        connection: Any = None,
        app: ControlApp | None = None,
        limit: int | None = None,
        pattern: str | None = None,
        matcher: str | None = None,
    ) -> Inspect:
        """Returns what asks workers; see `Inspect` for the arguments."""
        return Inspect(destination, timeout, callback, connection, app or self.app, limit, pattern, matcher)

    # -- to the workers -------------------------------------------------------------------------------------------

    def broadcast(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        destination: Sequence[str] | str | None = None,
        connection: Any = None,
        reply: bool = False,
        timeout: float = 1.0,
        limit: int | None = None,
        callback: Callback | None = None,
        channel: Any = None,
        pattern: str | None = None,
        matcher: str | None = None,
        **extra: Any,
    ) -> Replies | None:
        """Sends a command to workers.

        Args:
            command: Its name; also that of a custom one.
            arguments: Its keyword arguments.
            destination: Names of the workers it is for; None means all.
            connection: Accepted and not needed: an application has one way to its cluster.
            reply: Wait for the answers and return them. The call ends as soon as every worker has answered.
            timeout: Longest wait in seconds.
            limit: Most answers to wait for.
            callback: Called with each answer.
            channel: As ``connection``.
            pattern: Only workers whose name fits.
            matcher: How: ``glob`` (the default) or ``pcre``.
            **extra: Further arguments of the command.

        Returns:
            With ``reply``, a list of maps of one worker's name and its answer; None otherwise.
        """
        given = {**(arguments or {}), **extra}
        names = self._destination(destination, pattern, matcher)
        ours = COMMANDS.get(command)
        if ours is not None:
            # What the cluster keeps holds for all; the workers are only asked for where somebody wants their names.
            replies = ours(self.app.client, given, names if reply else [])
        elif names == []:
            replies = []
        else:
            replies = ask(self.app.client, command, given, names, timeout if reply else 0.0, limit)
        if not reply:
            return None
        replies = replies[:limit] if limit else replies
        if callback is not None:
            for one in replies:
                callback(one)
        return replies

    def _destination(
        self, destination: Sequence[str] | str | None, pattern: str | None, matcher: str | None
    ) -> list[str] | None:
        if isinstance(destination, str):
            destination = [destination]
        if destination is not None and not isinstance(destination, (list, tuple, set, frozenset)):
            raise RequestError(f"destination must be a list of workers' names, not {destination!r}")
        names = list(destination) if destination else None
        if pattern is not None:
            fits = _matcher(pattern, matcher)
            names = [name for name in (names if names is not None else workers(self.app.client)) if fits(name)]
        return names

    def ping(self, destination: Sequence[str] | None = None, timeout: float = 1.0, **kwargs: Any) -> Replies:
        """Asks workers for a sign of life."""
        kwargs = {**kwargs, "reply": True}
        return self.broadcast("ping", arguments={}, destination=destination, timeout=timeout, **kwargs) or []

    def pool_grow(self, n: int = 1, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Adds n processes or threads to workers' pools."""
        return self.broadcast("pool_grow", arguments={"n": n}, destination=destination, **kwargs)

    def pool_shrink(self, n: int = 1, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Takes n processes or threads away from workers' pools, idle ones first."""
        return self.broadcast("pool_shrink", arguments={"n": n}, destination=destination, **kwargs)

    def pool_restart(
        self,
        modules: Sequence[str] | None = None,
        reload: bool = False,
        reloader: Any = None,
        destination: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Replies | None:
        """Replaces every child as soon as its task has ended.

        Args:
            modules: Modules to import before.
            reload: Import them anew where they are imported already.
            reloader: Accepted for None only: a function does not travel.
            destination: As for `broadcast`.
            **kwargs: As for `broadcast`.
        """
        if reloader is not None:
            raise RequestError("reloader cannot be sent to a worker; name modules= and reload=True")
        given = {"modules": modules, "reload": reload, "reloader": None}
        return self.broadcast("pool_restart", arguments=given, destination=destination, **kwargs)

    def autoscale(self, max: int, min: int, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Sets the bounds between which workers change the size of their pools."""
        return self.broadcast("autoscale", arguments={"max": max, "min": min}, destination=destination, **kwargs)

    def shutdown(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Shuts workers down warmly: running tasks end, waiting ones go elsewhere."""
        return self.broadcast("shutdown", arguments={}, destination=destination, **kwargs)

    def heartbeat(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Makes workers send a heartbeat event at once."""
        return self.broadcast("heartbeat", arguments={}, destination=destination, **kwargs)

    def time_limit(
        self,
        task_name: str,
        soft: float | None = None,
        hard: float | None = None,
        destination: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Replies | None:
        """Sets the limits of a task's executions that start from now on; those given with a call stay.

        Args:
            task_name: The task.
            soft: Soft limit in seconds, None for none.
            hard: Hard limit in seconds, None for none.
            destination: As for `broadcast`.
            **kwargs: As for `broadcast`.
        """
        given = {"task_name": task_name, "soft": soft, "hard": hard}
        return self.broadcast("time_limit", arguments=given, destination=destination, **kwargs)

    def enable_events(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Makes workers send events; without a destination also those that start later."""
        return self._switch_events("enable_events", True, destination, kwargs)

    def disable_events(self, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Makes workers send no more events; without a destination also those that start later."""
        return self._switch_events("disable_events", False, destination, kwargs)

    def _switch_events(
        self, command: str, on: bool, destination: Sequence[str] | None, kwargs: Mapping[str, Any]
    ) -> Replies | None:
        if not destination and not kwargs.get("pattern"):
            Store(self.app.client.transport, EVENTS_BUCKET).put(EVENTS_SWITCH, b"1" if on else b"0")
        return self.broadcast(command, arguments={}, destination=destination, **kwargs)

    def add_consumer(
        self,
        queue: str,
        exchange: str | None = None,
        exchange_type: str = "direct",
        routing_key: str | None = None,
        options: Mapping[str, Any] | None = None,
        destination: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Replies | None:
        """Makes workers take tasks from one more queue; exchange and routing key have no meaning here."""
        given = {"queue": queue, "exchange": exchange, "exchange_type": exchange_type, "routing_key": routing_key}
        return self.broadcast("add_consumer", arguments={**given, **(options or {})}, destination=destination, **kwargs)

    def cancel_consumer(self, queue: str, destination: Sequence[str] | None = None, **kwargs: Any) -> Replies | None:
        """Makes workers take no more tasks from a queue."""
        return self.broadcast("cancel_consumer", arguments={"queue": queue}, destination=destination, **kwargs)

    def election(self, id: str, topic: str, action: Any = None, connection: Any = None) -> NoReturn:
        """Raises an error: nothing has to be elected here."""
        raise IgniteTasksError(
            "there is no election: schedules, limits and revokes are state of the cluster; to let one of many callers "
            "win, send a task with an idempotency_key and look at `created`"
        )

    # -- to the cluster -------------------------------------------------------------------------------------------

    def revoke(
        self,
        task_id: str | Iterable[str],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: Any = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Replies | None:
        """Keeps tasks from running, for good: the cluster remembers it, whatever becomes of the workers.

        Args:
            task_id: One id or several.
            destination: Accepted; a revoke holds for the whole cluster.
            terminate: Also end the process that runs it now.
            signal: Signal to end it with.
            **kwargs: As for `broadcast`.
        """
        several = isinstance(task_id, Iterable) and not isinstance(task_id, str)
        ids = [one for one in (task_id if several else [task_id]) if one]  # a field that was never filled is no task
        if not ids:
            return None
        given = {"task_id": ids if several else task_id, "terminate": terminate, "signal": signal}
        return self.broadcast("revoke", arguments=given, destination=destination, **kwargs)

    def terminate(
        self,
        task_id: str | Iterable[str],
        destination: Sequence[str] | None = None,
        signal: Any = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Replies | None:
        """Revokes tasks and ends the processes that run them."""
        return self.revoke(task_id, destination=destination, terminate=True, signal=signal, **kwargs)

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        destination: Sequence[str] | None = None,
        terminate: bool = False,
        signal: Any = TERM_SIGNAME,
        **kwargs: Any,
    ) -> Replies | None:
        """Revokes all tasks that bear one of these stamps: those that have not ended, and for a day those to come.

        Args:
            headers: Value or values by the stamp's name.
            destination: Accepted; a revoke holds for the whole cluster.
            terminate: Also end the processes that run them now.
            signal: Signal to end them with.
            **kwargs: As for `broadcast`.
        """
        given = {"headers": dict(headers), "terminate": terminate, "signal": signal}
        return self.broadcast("revoke_by_stamped_headers", arguments=given, destination=destination, **kwargs)

    def forget_revoked_stamps(self, headers: Mapping[str, Any] | None = None, **kwargs: Any) -> Replies | None:
        """Takes revokes by stamp back, so that tasks sent from now on run; what was revoked by them stays so.

        Args:
            headers: Value or values by the stamp's name; None means all.
            **kwargs: As for `broadcast`.
        """
        return self.broadcast("forget_revoked_stamps", arguments={"headers": headers}, **kwargs)

    def rate_limit(
        self, task_name: str, rate_limit: Any, destination: Sequence[str] | None = None, **kwargs: Any
    ) -> Replies | None:
        """Sets how often a task may start, in the whole cluster and for good.

        Args:
            task_name: The task.
            rate_limit: Such as ``"10/m"``, or a number a second; None or 0 lifts the limit.
            destination: Accepted; a rate holds for the whole cluster.
            **kwargs: As for `broadcast`.
        """
        given = {"task_name": task_name, "rate_limit": rate_limit}
        return self.broadcast("rate_limit", arguments=given, destination=destination, **kwargs)

    def purge(self, connection: Any = None) -> int:
        """Removes the tasks that wait, of all queues; those that run go on.

        Returns:
            How many.
        """
        removed = 0
        # The node takes a bounded number at a time, so that one call never runs for long.
        while count := int(self.app.client.transport.call("purge", None)):
            removed += count
        return removed

    discard_all = purge


def _matcher(pattern: str, matcher: str | None) -> Callable[[str], bool]:
    if matcher in (None, "glob"):
        return lambda name: fnmatch.fnmatchcase(name, pattern)
    if matcher == "pcre":
        fits = re.compile(pattern).match
        return lambda name: fits(name) is not None
    raise RequestError(f"matcher must be 'glob' or 'pcre', not {matcher!r}")
