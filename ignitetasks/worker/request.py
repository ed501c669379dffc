"""`Request`: what a worker tells of one run of a task; a class of tasks names one of its own.

    class Loud(Request):
        def on_timeout(self, soft, timeout):
            super().on_timeout(soft, timeout)
            if not soft:
                alarm(self.task.name)

    class LoudTask(Task):
        Request = Loud  # or "shop.requests:Loud"

It is told in the process that runs the task; of a run whose process died, in the worker that is told of its end (see
``app/telling.py``). A task without a class of its own pays nothing. This file must not decide how a task ends.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ignitetasks import context, states
from ignitetasks.errors import IgniteTasksError, Retry, TimeLimitExceeded
from ignitetasks.events.event import text
from ignitetasks.failure import ExceptionInfo
from ignitetasks.utils.iso8601 import parse_iso8601

__all__ = ["Context", "Request"]

Context = context.Context

#: Where the end of a run that was killed says how long it was allowed to take.
_LIMIT_SAID = re.compile(r"hard time limit of ([0-9.]+) s")
_NO_BROKER = "nothing is acknowledged to a broker here: a task is over when its end is committed"


class Request:
    """One run of a task, as its worker sees it; to be derived from.

    Args:
        request: What the task itself sees as ``self.request``.
        task: The task; None means the request's.
        app: The application; None means the task's.
        hostname: The worker's name; None means the request's.
        **opts: Taken for Celery's sake.

    Attributes:
        id: Id of the task.
        name: Name of the task, or the one it is shown under.
        time_start: When the run started, in seconds since the epoch; None before.
        worker_pid: Process that runs it; None before.
        time_limits: Hard and soft limit in seconds, in this order.
        acknowledged: Whether it will not be run again: it has ended, or its task has ``acks_late=False``.
    """

    time_start: float | None = None
    worker_pid: int | None = None

    def __init__(
        self, request: context.Request, task: Any = None, app: Any = None, hostname: str | None = None, **opts: Any
    ) -> None:
        self._request = request
        self._task = request.owner if task is None else task
        self._app = self._task.app if app is None else app
        self._hostname = hostname or request.hostname or socket.gethostname()
        self.id = str(request.id)
        self.name = request.shadow or str(request.task)
        self.time_limits = tuple(request.timelimit or (None, None))
        self.acknowledged = not getattr(self._task, "acks_late", True)

    # -- to be overridden -----------------------------------------------------------------------------------------

    def execute_using_pool(self, pool: Any, **kwargs: Any) -> None:
        """Called before a run; what it raises is raised by the task.

        Args:
            pool: None: it is called where the task runs.
            **kwargs: Taken for Celery's sake.
        """
        self.on_accepted(os.getpid(), time.monotonic())

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Called when a run starts.

        Args:
            pid: The process.
            time_accepted: When, on the monotonic clock.
        """
        self.worker_pid = pid
        self.time_start = time.time() - (time.monotonic() - time_accepted)

    def on_timeout(self, soft: bool, timeout: float | None) -> None:
        """Called when a run was longer than a limit: of the soft one once the run is over, of the hard one at its end.

        Args:
            soft: Whether it is the soft limit.
            timeout: The limit in seconds.
        """

    def on_success(self, failed__retval__runtime: tuple[bool, Any, float | None], **kwargs: Any) -> Any:
        """Called after each run in a process that lives; goes on to `on_failure` where it did not return.

        Args:
            failed__retval__runtime: Whether it raised; what it returned as text, or the `ExceptionInfo`; its seconds.
            **kwargs: Taken for Celery's sake.
        """
        failed, value, _ = failed__retval__runtime
        return self.on_failure(value, return_ok=True) if failed else None

    def on_retry(self, exc_info: ExceptionInfo) -> None:
        """Called after a run that is to be repeated."""

    def on_failure(self, exc_info: ExceptionInfo, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Called after a run that raised, or whose process died; goes on to `on_retry` where it is to be repeated.

        Args:
            exc_info: What it raised.
            send_failed_event: Taken for Celery's sake.
            return_ok: Whether the run itself could tell.
        """
        return self.on_retry(exc_info) if isinstance(exc_info.exception, Retry) else None

    # -- called by the worker -------------------------------------------------------------------------------------

    def ended(self, failed: bool, value: Any, runtime: float | None) -> None:
        """Tells that a run is over.

        Args:
            failed: Whether it raised.
            value: What it returned, or the `ExceptionInfo`.
            runtime: Its seconds.
        """
        self.acknowledged = True
        soft = self.time_limits[1]
        if soft and self.time_start is not None and time.time() - self.time_start >= soft:
            self.on_timeout(True, soft)
        if failed:
            self.on_success((True, value, runtime))
            self._say_hard(value)
        else:
            self.on_success((False, text(value, self._task.resultrepr_maxsize), runtime))

    def lost(self, exc_info: ExceptionInfo) -> None:
        """Tells that a run ended with its process.

        Args:
            exc_info: What the cluster says of it.
        """
        self.acknowledged = True
        self.on_failure(exc_info)
        self._say_hard(exc_info)

    def _say_hard(self, exc_info: ExceptionInfo) -> None:
        if isinstance(exc_info.exception, TimeLimitExceeded):
            said = _LIMIT_SAID.search(str(exc_info.exception))
            limit = float(said[1]) if said else self.time_limits[0] or self._task.time_limit
            self.on_timeout(False, limit)

    # -- what may be asked of it ----------------------------------------------------------------------------------

    @property
    def task(self) -> Any:
        """The task."""
        return self._task

    @property
    def app(self) -> Any:
        """The application."""
        return self._app

    @property
    def hostname(self) -> str:
        """The worker's name."""
        return self._hostname

    @property
    def task_id(self) -> str:
        """Id of the task."""
        return self.id

    @property
    def task_name(self) -> str:
        """Name of the task, or the one it is shown under."""
        return self.name

    @property
    def type(self) -> str:
        """Name of the task."""
        return str(self._request.task)

    @property
    def args(self) -> Sequence[Any]:
        """Positional arguments."""
        return self._request.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Keyword arguments."""
        return self._request.kwargs

    @property
    def eta(self) -> datetime | None:
        """Earliest time it was asked to run at."""
        return _time(self._request.eta)

    @property
    def expires(self) -> datetime | None:
        """Time after which it must not start any more."""
        return _time(self._request.expires)

    @property
    def tzlocal(self) -> Any:
        """The application's time zone."""
        return self._app.timezone

    @property
    def request_dict(self) -> dict[str, Any]:
        """Everything the running task sees, by name."""
        return {name: value for name, value in vars(self._request).items() if not name.startswith("_")}

    @property
    def store_errors(self) -> bool:
        """Always true: an error is kept, only results can be ignored."""
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._request, name)

    def maybe_expire(self) -> bool:
        """Tells whether it is past its expiry."""
        return self.expires is not None and datetime.now(timezone.utc) > self.expires

    def revoked(self) -> bool:
        """Asks the cluster whether it is past its expiry, or revoked."""
        return self.maybe_expire() or self._app.AsyncResult(self.id).state == states.REVOKED

    def terminate(self, pool: Any = None, signal: Any = None) -> None:
        """Revokes the task and ends its process.

        Args:
            pool: Not needed.
            signal: What its process is sent; None means SIGTERM.
        """
        self._app.control.revoke(self.id, terminate=True, signal=signal or "SIGTERM")

    def send_event(self, type: str, **fields: Any) -> None:
        """Sends an event about the task."""
        with self._app.events.default_dispatcher(hostname=self._hostname) as sender:
            sender.send(type, uuid=self.id, **fields)

    def acknowledge(self) -> None:
        """Does nothing once the task has ended, or with ``acks_late=False``.

        Raises:
            IgniteTasksError: It may still be run again.
        """
        if not self.acknowledged:
            raise IgniteTasksError(f"{_NO_BROKER}; give the task acks_late=False, and it is started once at most")

    def reject(self, requeue: bool = False) -> None:
        """Refuses: the task says itself that it is to run again, or not.

        Raises:
            IgniteTasksError: Always.
        """
        raise IgniteTasksError(f"{_NO_BROKER}; raise Reject(requeue={requeue}) in the task")

    def info(self, safe: bool = False) -> dict[str, Any]:
        """Returns what ``inspect active`` tells of a task.

        Args:
            safe: True gives the arguments as text.
        """
        return {
            "id": self.id,
            "name": self.name,
            "args": self.argsrepr if safe else self.args,
            "kwargs": self.kwargsrepr if safe else self.kwargs,
            "type": self.type,
            "hostname": self.hostname,
            "time_start": self.time_start,
            "acknowledged": self.acknowledged,
            "delivery_info": self.delivery_info,
            "worker_pid": self.worker_pid,
        }

    def humaninfo(self) -> str:
        """Returns name and id."""
        return f"{self.name}[{self.id}]"

    def __str__(self) -> str:
        times = {"ETA": self._request.eta, "expires": self._request.expires}
        return "".join([self.humaninfo(), *(f"  {name}:[{value}]" for name, value in times.items() if value)])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.humaninfo()} {self.argsrepr} {self.kwargsrepr}>"


def _time(value: str | None) -> datetime | None:
    return parse_iso8601(value) if value else None
