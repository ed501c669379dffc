"""What the worker of this process has in hand, and what it has run: live views, asked of the worker at each look.

    from ignitetasks.worker import state

    busy = [request.name for request in state.active_requests]

They may be looked at in threads of the worker's own process and in tasks. The thread that answers cannot ask itself:
control commands, steps and callbacks of ``worker.timer`` use ``worker.held`` or a thread. Outside of a worker they are
empty. This file must not keep what it is told.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ignitetasks import states
from ignitetasks.context import Request as Seen
from ignitetasks.errors import IgniteTasksError
from ignitetasks.worker.request import Request
from ignitetasks.worker.workerevents import SOFTWARE_INFO

__all__ = [
    "SOFTWARE_INFO", "active_requests", "requests", "reserved_requests", "revoked", "total_count",
]  # fmt: skip

#: Whether the worker of this process was told to stop when its tasks have ended. To be read: setting it does nothing.
should_stop = False
#: Whether it was told to stop at once. To be read.
should_terminate = False

_SECONDS = 5.0


class _Worker:
    """The worker of this process.

    Attributes:
        app: Its application; None where there is no worker.
        hostname: Its name.
        serving: Process and thread that answer its commands.
    """

    def __init__(self) -> None:
        self.app: Any = None
        self.hostname = ""
        self.serving: tuple[int, int | None] = (0, None)


_worker = _Worker()


def worker_started(worker: Any) -> None:
    """Takes note of the worker of this process; called by it."""
    global should_stop, should_terminate  # Celery's names
    should_stop = should_terminate = False
    _worker.app, _worker.hostname = worker.app, worker.hostname
    own = threading.get_ident() if worker.serves_itself else None
    _worker.serving = os.getpid(), own


def worker_stopping(at_once: bool) -> None:
    """Takes note that the worker was told to stop; called by it."""
    global should_stop, should_terminate
    should_stop = True
    should_terminate = should_terminate or at_once


def worker_ended() -> None:
    """Takes note that there is no worker any more; called by it."""
    _worker.app = None


def _ask(command: str) -> Any:
    """Asks the worker; returns None where there is none."""
    if _worker.app is None:
        return None
    if _worker.serving == (os.getpid(), threading.get_ident()):
        raise IgniteTasksError(
            "the worker's own thread cannot ask the worker: use state.worker.held(function) in a command, or a thread"
        )
    inspect = _worker.app.control.inspect(destination=_worker.hostname, timeout=_SECONDS)
    return getattr(inspect, command)()


def _request(info: Mapping[str, Any]) -> Request:
    app = _worker.app
    seen = Seen(
        id=info["id"], task=info["type"], args=info["args"], kwargs=info["kwargs"], hostname=info["hostname"],
        delivery_info=info["delivery_info"], called_directly=False, owner=app.tasks.get(info["type"]),
    )  # fmt: skip
    request = Request(seen, app=app)
    request.worker_pid, request.time_start = info["worker_pid"], info["time_start"]
    request.acknowledged = info["acknowledged"]
    return request


class Requests(Collection[Request]):
    """The tasks that the worker has, looked up at each use.

    Args:
        commands: What is asked.
    """

    def __init__(self, *commands: str) -> None:
        self._commands = commands

    def __iter__(self) -> Iterator[Request]:
        for command in self._commands:
            yield from map(_request, _ask(command) or ())

    def __len__(self) -> int:
        return sum(len(_ask(command) or ()) for command in self._commands)

    def __contains__(self, request: object) -> bool:
        wanted = getattr(request, "id", request)
        return any(one.id == wanted for one in self)

    def __repr__(self) -> str:
        return f"<{' and '.join(self._commands)}: {list(self)}>"


class RequestsById(Mapping[str, Request]):
    """The same by id."""

    def __init__(self, of: Requests) -> None:
        self._of = of

    def __getitem__(self, task_id: str) -> Request:
        return {one.id: one for one in self._of}[task_id]

    def __iter__(self) -> Iterator[str]:
        return (one.id for one in self._of)

    def __len__(self) -> int:
        return len(self._of)


class Totals(Mapping[str, int]):
    """How many runs have ended, by the task's name."""

    def __getitem__(self, name: str) -> int:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __repr__(self) -> str:
        return repr(self._now())

    @staticmethod
    def _now() -> Counter[str]:
        return Counter((_ask("stats") or {}).get("total", {}))


class Revoked(Collection[str]):
    """The ids of revoked tasks: state of the cluster, which adding to it changes."""

    def __iter__(self) -> Iterator[str]:
        return iter(_ask("revoked") or ())

    def __len__(self) -> int:
        return len(_ask("revoked") or ())

    def __contains__(self, task_id: object) -> bool:
        app = _worker.app
        return app is not None and app.AsyncResult(str(task_id)).state == states.REVOKED

    def add(self, task_id: str) -> None:
        """Revokes a task."""
        self.update([task_id])

    def update(self, task_ids: Iterable[str]) -> None:
        """Revokes tasks."""
        if _worker.app is not None:
            _worker.app.control.revoke(list(task_ids))


#: Tasks that run.
active_requests = Requests("active")
#: Tasks that run, or wait in the worker.
reserved_requests = Requests("active", "reserved")
#: The same by id.
requests = RequestsById(reserved_requests)
#: Ended runs by the task's name.
total_count = Totals()
#: Ids of revoked tasks.
revoked = Revoked()
