"""The handle of one task: ask for its result, its state, or its end.

A handle is an id and the way to a client; it holds no connection. Where it waits, `hub.ResultHub` does the work.
This file must not send tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from datetime import datetime, timezone
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from ignitetasks import deferred, states
from ignitetasks.client import Client, ResultSource, shared_client
from ignitetasks.config import Settings
from ignitetasks.errors import (
    RequestError,
    ResultExpired,
    ResultTimeout,
    TaskRejectedError,
    TaskRevokedError,
    UnknownResult,
    WorkerLostError,
)
from ignitetasks.failure import Failure
from ignitetasks.hub import Epoch, Waiter
from ignitetasks.message import COMPLETION_REF, EXPIRED_STATE, BlobRef, Completion, decode_result, is_terminal
from ignitetasks.serializers import Data
from ignitetasks.waiting import explain_timeout, warn_if_nobody_listens

R = TypeVar("R")

_WARN_AFTER_SECONDS = 2.0
_UNSET: Any = object()


class _DefaultSource:
    """Used by handles that were made without an app: the settings of the environment."""

    task_modules: Collection[str] = ()

    @property
    def client(self) -> Client:
        return shared_client(Settings.from_env())


_default_source: ResultSource = _DefaultSource()


def set_default_source(source: ResultSource) -> None:
    """Names the app whose client is used by handles that were made without one."""
    global _default_source
    _default_source = source


class Siblings(Protocol):
    """What a handle needs of the list it is from."""

    def completion_at(self, index: int) -> Completion | None:
        """Returns what the list was given for one place; from now on it collects for all of them."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def open_completion(client: Client, completion: Completion, modules: Collection[str]) -> tuple[bool, Any]:
    """Reads a completion.

    Args:
        client: Decodes, and fetches large values.
        completion: A terminal one.
        modules: Modules that may be imported to rebuild an exception.

    Returns:
        True and the value, or False and the exception to raise.
    """
    task_id, state, inline, flags = completion
    payload: Data | None = inline
    if state == EXPIRED_STATE:
        return False, ResultExpired(f"the result of task {task_id} was kept for its time and is gone")
    if payload is not None and flags & COMPLETION_REF:
        payload = client.transport.get_blob(BlobRef.unpack(payload))
    if state == states.SUCCESS_CODE:
        return True, decode_result(client.codecs, task_id, payload)
    if state == states.IGNORED_CODE:
        return True, None
    return False, _exception(task_id, state, payload, modules)


def _exception(task_id: str, state: int, payload: Data | None, modules: Collection[str]) -> BaseException:
    if payload is None:
        kind = {states.REVOKED_CODE: TaskRevokedError, states.DEAD_CODE: WorkerLostError}.get(state, TaskRejectedError)
        return kind(f"task {task_id} ended as {states.name_of(state)}")
    failure = Failure.decode(payload)
    if state == states.REJECTED_CODE:
        return TaskRejectedError(failure.message)
    return failure.rebuild(modules)


class AsyncResult(Generic[R]):
    """The handle of one task; equal to every other handle of the same id.

    Args:
        id: The task's id.
        app: Whose client to use; None means the default app.

    Attributes:
        id: The task's id.
        created: False when a call with the same idempotency key or id had made the task before.
        queue: Its queue where the handle was made by sending, else None.
        task_name: The task's name where known, else None.
    """

    __slots__ = ("_completion", "_epoch", "_opened", "_place", "_source", "created", "id", "queue", "task_name")

    def __init__(
        self,
        id: str,
        app: ResultSource | None = None,
        *,
        task_name: str | None = None,
        queue: str | None = None,
        created: bool = True,
        epoch: Epoch | None = None,
        place: tuple[Siblings, int] | None = None,
    ) -> None:
        if not _is_text(id):
            raise RequestError(f"a task id is a text that is not empty, not {id!r}")
        self.id = id
        self.created = created
        self.queue = queue
        self.task_name = task_name
        self._source = app
        self._epoch = epoch
        self._place = place
        self._completion: Completion | None = None
        self._opened: tuple[bool, Any] = _UNSET

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self.id

    @property
    def source(self) -> ResultSource:
        """Where the result is asked for."""
        return self._source if self._source is not None else _default_source

    def get(self, timeout: float | None = None, propagate: bool = True) -> R:
        """Waits for the task's end and returns its result.

        Args:
            timeout: Seconds to wait; None means without end.
            propagate: True raises the task's exception, False returns it.

        Returns:
            The task's return value.

        Raises:
            ResultTimeout: The time was over first; the message says what is known about the task.
            ResultExpired: The task ended, and its result is no longer kept.
            TaskError: The task was revoked, expired, lost or rejected.
            Exception: The task's own exception, with the remote traceback as its cause.
        """
        if self._completion is None:
            self._wait(timeout)
        return self._give(propagate)

    wait = get

    def _give(self, propagate: bool) -> R:
        good, value = self._open()
        if not good and (propagate or isinstance(value, ResultExpired)):
            raise value
        return value  # type: ignore[no-any-return]

    def _open(self) -> tuple[bool, Any]:
        if self._opened is _UNSET:
            assert self._completion is not None  # noqa: S101  # callers waited
            source = self.source
            self._opened = open_completion(source.client, self._completion, source.task_modules)
        return self._opened

    def _set(self, completion: Completion) -> None:
        self._completion = completion

    def _look(self) -> Completion | None:
        """Looks whether the list this handle is from has been given the completion: it comes only once."""
        if self._completion is None and self._place is not None:
            self._completion = self._place[0].completion_at(self._place[1])
        return self._completion

    def _wait(self, timeout: float | None) -> None:
        if self._look():
            return
        client = self.source.client
        waiter = Waiter(1, self._set)
        start = monotonic()
        hub = client.hub
        try:
            hub.register(waiter, (self.id,), self._epoch)
            # The list may have got it between the look and the registering; what comes now goes to both.
            if self._look():
                return
            first = _WARN_AFTER_SECONDS if timeout is None else min(timeout, _WARN_AFTER_SECONDS)
            if hub.wait(waiter, first):
                return
            if timeout is None or timeout > _WARN_AFTER_SECONDS:
                warn_if_nobody_listens(client, self.id, self.queue, self.task_name)
                left = None if timeout is None else timeout - (monotonic() - start)
                if hub.wait(waiter, left):
                    return
        finally:
            if waiter.left:
                hub.unregister(waiter, (self.id,))
        raise ResultTimeout(explain_timeout(client, self.id, timeout or 0.0))

    def __await__(self) -> Generator[Any, None, R]:
        """Waits without blocking the event loop and without a thread of its own."""
        return self._await().__await__()

    async def _await(self) -> R:
        futures = deferred.load("futures")
        hub = self.source.client.hub
        if self._place is not None and (self._epoch is None or not hub.is_current(self._epoch)):
            await futures.in_thread(self._look)  # the list asks the node, for a moment
        if not self._look():
            self._completion = await futures.completion_of(hub, self.id, self._epoch, self._look)
        assert self._completion is not None  # noqa: S101  # looked up or awaited
        if self._opened is _UNSET and self._completion.flags & COMPLETION_REF:
            await futures.in_thread(self._open)
        return self._give(True)

    def info_map(self) -> Mapping[str, Any] | None:
        """Returns the task's record, or None for an id the cluster has never heard of.

        Raises:
            ResultExpired: The record was there and is swept.
        """
        record = self.source.client.transport.call("info", [self.id])[0]
        if record == "expired":
            raise ResultExpired(f"the result of task {self.id} was kept for its time and is gone")
        return record  # type: ignore[no-any-return]

    def exists(self) -> bool:
        """Tells whether the cluster knows the id: its record is there, or was and has expired."""
        try:
            return self._completion is not None or self.info_map() is not None
        except ResultExpired:
            return True

    def _state_code(self) -> int:
        if not self._look():
            self._completion = self.source.client.hub.claim(self.id)
        if self._completion is None:
            try:
                record = self.info_map()
            except ResultExpired:
                self._completion = Completion(self.id, EXPIRED_STATE, None)
                return EXPIRED_STATE
            if record is None:
                return 0
            code = int(record["state"])
            if not is_terminal(code):
                return code
            flags = COMPLETION_REF if record.get("result_ref") else 0
            self._completion = Completion(self.id, code, record.get("result"), flags)
        return self._completion.state

    @property
    def state(self) -> str:
        """The task's state; ``PENDING`` also for an unknown id, and for one whose record has expired."""
        code = self._state_code()
        return states.PENDING if code == EXPIRED_STATE else states.name_of(code)

    status = state

    @property
    def result(self) -> Any:
        """The return value, the exception of a task that failed, or None while there is neither."""
        if not self.ready():
            return None
        return self._open()[1]

    @property
    def info(self) -> Any:
        """The same as `result`."""
        return self.result

    @property
    def traceback(self) -> str | None:
        """The remote traceback of a task that failed, else None."""
        if not self.ready():
            return None
        good, value = self._open()
        if good:
            return None
        text = getattr(value.__cause__, "text", None)
        return str(text) if text is not None else None

    def ready(self) -> bool:
        """Tells whether the task has ended."""
        code = self._state_code()
        return is_terminal(code) or code == EXPIRED_STATE

    def successful(self) -> bool:
        """Tells whether the task has ended well."""
        return self._state_code() == states.SUCCESS_CODE

    def failed(self) -> bool:
        """Tells whether the task has ended with an exception, or was lost for good."""
        return self._state_code() in (states.FAILURE_CODE, states.DEAD_CODE)

    def forget(self) -> None:
        """Deletes the task's record, and with it the result; a running task is not stopped."""
        self.source.client.transport.call("forget", [self.id])
        self._completion, self._opened, self._place = None, _UNSET, None

    def revoke(self, terminate: bool = False, signal: str = "SIGTERM") -> str:
        """Keeps the task from running.

        Args:
            terminate: True also ends the process that runs it now.
            signal: Signal to end it with.

        Returns:
            The task's state after the call.

        Raises:
            UnknownResult: The cluster has never heard of the id.
        """
        code = self.source.client.transport.call("revoke", [self.id], bool(terminate), str(signal))[0]
        if code < 0:
            raise UnknownResult(f"no task has the id {self.id}; it was never sent, or its record has expired")
        return states.name_of(code)

    @property
    def date_done(self) -> datetime | None:
        """When the task ended (UTC), or None."""
        try:
            record = self.info_map()
        except ResultExpired:
            return None
        finished = record.get("finished_ms") if record else None
        return datetime.fromtimestamp(finished / 1000, timezone.utc) if finished else None

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, AsyncResult) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # A handle is its id: the other process has its own client.
        return (AsyncResult, (self.id,))
