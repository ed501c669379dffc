"""The handle of one task: ask for its result, its state, or its end.

A handle is an id and the way to a client; it holds no connection. Where it waits, `hub.ResultHub` does the work.
This file must not send tasks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from ignitetasks import deferred, wire
from ignitetasks.client import ResultSource
from ignitetasks.errors import ChordError, InvalidOption, ResultExpired, ResultTimeout
from ignitetasks.hub import Epoch, Waiter
from ignitetasks.ids import id_text
from ignitetasks.message import COMPLETION_REF, Completion, decode_result
from ignitetasks.result.family import failed_ancestor
from ignitetasks.result.guard import assert_will_not_block
from ignitetasks.result.kin import Kin
from ignitetasks.result.opening import default_source, open_completion
from ignitetasks.waiting import Pace, Wait, explain_timeout, paced, patience, warn_if_nobody_listens

R = TypeVar("R")

_ASK_SECONDS = 1.0
_WARN_AFTER_SECONDS = 2.0
_UNSET: Any = object()


class Siblings(Protocol):
    """What a handle needs of the list it is from."""

    def completion_at(self, index: int) -> Completion | None:
        """Returns what the list was given for one place; from now on it collects for all of them."""


def _app_of(backend: Any) -> Any:
    app = getattr(backend, "app", None)
    if app is None:
        raise InvalidOption(f"backend={backend!r} is no result backend of an app; give the app as app=")
    return app


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


class AsyncResult(Kin, Generic[R]):
    """The handle of one task; equal to every other handle of the same id.

    Args:
        id: The task's id.
        backend: What ``backend`` shows, where it is not the app's; names the app where ``app`` is not given.
        task_name: The task's name where known.
        app: Whose client to use; None means the default app.
        parent: The handle of what comes before it.
        queue: Its queue where known.
        created: False when another call had made the task.
        epoch: What spares asking for an end that will be told.
        place: The list it is from, and its place there.

    Attributes:
        id: The task's id.
        created: False when a call with the same idempotency key or id had made the task before.
        task_name: The task's name where known, else None.
        parent: The handle of what comes before it in a workflow, or None.
        led_to: The handles of what comes after it, where it was made by sending the workflow.
        ignored: True where no result is kept (``ignore_result``): ``get`` returns None at once.
    """

    __slots__ = (
        "__dict__", "__weakref__", "_backend", "_epoch", "_opened", "_place", "_queue", "_source", "created", "id",
        "ignored", "led_to", "parent", "task_name",
    )  # fmt: skip

    #: Raised when a timeout is over.
    TimeoutError = ResultTimeout
    #: The app whose handles a subclass makes.
    bound_to: Any = None

    def __init__(
        self,
        id: str,
        backend: Any = None,
        task_name: str | None = None,
        app: ResultSource | None = None,
        parent: Any = None,
        *,
        queue: str | None = None,
        created: bool = True,
        epoch: Epoch | None = None,
        place: tuple[Siblings, int] | None = None,
    ) -> None:
        id = id_text(id)
        if not _is_text(id):
            raise InvalidOption(f"a task id is a text that is not empty, not {id!r}")
        if backend is not None and app is None:
            app = _app_of(backend)
        self.id = id
        self.created = created
        self.parent = parent
        self.led_to: tuple[Any, ...] = ()
        self.ignored = False
        self._queue = queue
        self.task_name = task_name
        self._source = app if app is not None else self.bound_to
        self._backend = backend
        self._epoch = epoch
        self._place = place
        self._completion: Completion | None = None
        self._opened: tuple[bool, Any] = _UNSET

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self.id

    @task_id.setter
    def task_id(self, task_id: str) -> None:
        self.id = task_id

    @property
    def source(self) -> ResultSource:
        """Where the result is asked for."""
        return self._source if self._source is not None else default_source()

    @property
    def app(self) -> Any:
        """The app it belongs to."""
        return self.source

    @app.setter
    def app(self, app: Any) -> None:
        self._source = app

    @property
    def backend(self) -> Any:
        """The app's result backend, or the one it was made with."""
        return self._backend if self._backend is not None else getattr(self.source, "backend", None)

    @backend.setter
    def backend(self, backend: Any) -> None:
        self._backend = backend

    def get(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        no_ack: bool = True,
        follow_parents: bool = True,
        callback: Callable[[str, Any], Any] | None = None,
        on_message: Callable[[Any], Any] | None = None,
        on_interval: Callable[..., Any] | None = None,
        disable_sync_subtasks: bool = True,
    ) -> R:
        """Waits for the task's end and returns its result.

        Args:
            timeout: Seconds to wait; None means without end.
            propagate: True raises the task's exception, False returns it.
            interval: Seconds between two calls of ``on_interval``; nothing polls.
            no_ack: Not needed.
            follow_parents: True raises the exception of a task before it, for which this one will never run.
            callback: Called with id and value.
            on_message: Called with a map of state and result: for what the task tells while it runs, and for its end.
            on_interval: Called without arguments now and then while it waits; what it raises ends the waiting.
            disable_sync_subtasks: False allows waiting inside a task.

        Returns:
            The task's return value.

        Raises:
            ResultTimeout: The time was over first; the message says what is known about the task.
            ResultExpired: The task ended, and its result is no longer kept.
            TaskError: The task was revoked, expired, lost or rejected.
            RuntimeError: Called inside a task.
            Exception: The task's own exception, with the remote traceback as its cause.
        """
        if self.ignored:
            return None  # type: ignore[return-value]
        if disable_sync_subtasks:
            assert_will_not_block()
        follow = follow_parents and propagate and self.parent is not None
        if self._completion is None:
            self._wait(timeout, follow, on_message, on_interval and paced(on_interval, interval))
        if callback is not None or on_message is not None:
            self._tell(callback, on_message)
        return self._give(propagate, follow)

    def _tell(self, callback: Callable[[str, Any], Any] | None, on_message: Callable[[Any], Any] | None) -> None:
        value = self._open()[1]
        if on_message is not None:
            on_message({"task_id": self.id, "status": self.state, "result": value})
        if callback is not None:
            callback(self.id, value)

    wait = get

    def _give(self, propagate: bool, follow: bool = False) -> R:
        good, value = self._open()
        if not good and follow and isinstance(value, ChordError):
            self._raise_for_parents()
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

    def known(self) -> bool:
        """Tells whether there is nothing to wait for: the end was told here, or `get` is not this class's own."""
        return getattr(self.get, "__func__", None) is not _GET or self._look() is not None

    def _raise_for_parents(self) -> None:
        error = failed_ancestor(self)
        if error is not None:
            raise error

    def _word(self, said: Completion) -> dict[str, Any]:
        """Returns what a running task tells as what ``on_message`` gets."""
        state, data = wire.unpack(said.payload or b"\xc0")
        value = decode_result(self.source.client.codecs, self.id, data)
        return {"task_id": self.id, "status": state, "result": value}

    def _wait(
        self,
        timeout: float | None,
        follow: bool = False,
        on_message: Callable[[Any], Any] | None = None,
        pace: Pace | None = None,
    ) -> None:
        timeout = patience(timeout)
        if self._look():
            return
        client = self.source.client
        waiter = Waiter(1, self._set)
        if on_message is not None:
            tell = on_message
            waiter.hear = lambda said: tell(self._word(said))
        start = monotonic()
        hub = client.hub
        wait = hub.wait if pace is None else pace(hub.wait)
        try:
            # A question to the node takes a moment, however little time the caller has.
            longest = None if timeout is None else max(timeout, _ASK_SECONDS)
            hub.register(waiter, (self.id,), self._epoch, longest)
            # The list may have got it between the look and the registering; what comes now goes to both.
            if self._look():
                return
            first = _WARN_AFTER_SECONDS if timeout is None else min(timeout, _WARN_AFTER_SECONDS)
            if wait(waiter, first):
                return
            long = timeout is None or timeout > _WARN_AFTER_SECONDS
            if long and self._wait_on(waiter, wait, None if timeout is None else start + timeout, follow):
                return
        finally:
            if waiter.left:
                hub.unregister(waiter, (self.id,))
        raise ResultTimeout(explain_timeout(client, self.id, timeout or 0.0))

    def _wait_on(self, waiter: Waiter, wait: Wait, deadline: float | None, follow: bool) -> bool:
        """Goes on waiting; looks now and then whether something before it has failed, so that it will never run."""
        if not follow:
            return self._wait_and_warn(waiter, wait, deadline)
        pause = _WARN_AFTER_SECONDS
        while True:
            left = None if deadline is None else deadline - monotonic()
            self._raise_for_parents()
            if wait(waiter, pause if left is None else max(min(left, pause), 0.001)):
                return True
            if left is not None and left <= pause:
                return False
            pause = min(pause * 2, 60.0)

    def _wait_and_warn(self, waiter: Waiter, wait: Wait, deadline: float | None) -> bool:
        client = self.source.client
        while True:
            again = warn_if_nobody_listens(client, self.id, self._queue, self.task_name)
            left = None if deadline is None else max(deadline - monotonic(), 0.001)
            if again is None or (left is not None and left <= again):
                return wait(waiter, left)
            if wait(waiter, again):
                return True

    def __await__(self) -> Generator[Any, None, R]:
        """Waits without blocking the event loop and without a thread of its own."""
        return self._await().__await__()

    def progress(self) -> AsyncIterator[Any]:
        """Yields what the task tells while it runs (`Task.update_state`), until its end.

        For coroutines: ``async for said in result.progress(): print(said.state, said.info)``, and ``await result``
        afterwards. The last word counts: one that comes before it was heard may be left out.
        """
        said: AsyncIterator[Any] = deferred.load("progress").words_of(self)
        return said

    async def _await(self) -> R:
        if self.ignored:
            return None  # type: ignore[return-value]
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

    def forget(self) -> None:
        """Deletes the task's record, with the result, and those of what comes before it; stops nothing."""
        if self.parent is not None:
            self.parent.forget()
        self.source.client.transport.call("forget", [self.id])
        self._completion, self._opened, self._place = None, _UNSET, None

    def revoke(
        self,
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Keeps the task from running, by ``app.control.revoke``; `state` tells what became of it.

        An id that nobody has sent yet may be revoked, too: whoever sends it within a day sends a task that is revoked.

        Args:
            connection: Not needed.
            wait: Not needed: it is done when this returns.
            timeout: Not needed.
            terminate: True also ends the process that runs it now.
            signal: Signal to end it with; None means SIGTERM.
        """
        self.app.control.revoke(
            self.id, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout
        )

    def revoke_by_stamped_headers(
        self,
        headers: Mapping[str, Any],
        connection: Any = None,
        terminate: bool = False,
        signal: str | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Revokes every task whose stamps have these values; see ``app.control``, and `revoke` for the arguments."""
        return self.app.control.revoke_by_stamped_headers(
            headers, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout
        )

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AsyncResult):
            return self.id == other.id
        return self.id == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"<AsyncResult: {self.id}>"

    def __copy__(self) -> AsyncResult[R]:
        return type(self)(self.id, self._backend, self.task_name, self._source, self.parent)

    def __reduce__(self) -> tuple[Any, ...]:
        # A handle is its id and what comes before it: the other process has its own client.
        return _rebuilt, (self.id, self.parent)


_GET = AsyncResult.get


def _rebuilt(task_id: str, parent: Any) -> AsyncResult[Any]:
    return AsyncResult(task_id, parent=parent)


def handle_class(source: Any) -> type[AsyncResult[Any]]:
    """Returns the class of handles that an app has, or that of all."""
    kind = getattr(source, "AsyncResult", None)
    return kind if isinstance(kind, type) and issubclass(kind, AsyncResult) else AsyncResult
