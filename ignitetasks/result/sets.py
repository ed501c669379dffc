"""Handles of several tasks together: `ResultSet`, and `GroupResult`, which a group gives.

Waiting for all of them is one registration in the hub. This file must not send tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from time import monotonic
from typing import Any, ClassVar, Generic, TypeVar

from ignitetasks import states, wire
from ignitetasks.client import ResultSource
from ignitetasks.errors import ChordError, ResultTimeout
from ignitetasks.ids import id_text
from ignitetasks.result.collecting import Collector
from ignitetasks.result.eager import EagerResult
from ignitetasks.result.family import failed_ancestor
from ignitetasks.result.guard import assert_will_not_block
from ignitetasks.result.handle import AsyncResult, handle_class
from ignitetasks.result.opening import default_source
from ignitetasks.store import Store
from ignitetasks.waiting import patience

R = TypeVar("R")

_BUCKET = "group"


class ResultSet(Generic[R]):
    """Several handles.

    Args:
        results: The handles; kept as given.
        app: Whose client to use; None takes that of the first handle.
        ready_barrier: Not needed.
        parent: The handle of what came before.

    Attributes:
        results: The handles.
        parent: The handle of what came before, or None.
    """

    #: The app whose class this is (``app.ResultSet``, ``app.GroupResult``), or None.
    bound_to: ClassVar[Any] = None

    def __init__(
        self, results: Any, app: ResultSource | None = None, ready_barrier: Any = None, *, parent: Any = None, **_: Any
    ) -> None:
        self.results: MutableSequence[Any] = results if isinstance(results, list) else list(results or ())
        self.parent = parent
        self._app = app or self.bound_to

    @property
    def app(self) -> Any:
        """Whose client is asked."""
        if self._app is not None:
            return self._app
        return self.results[0].app if self.results else default_source()

    @app.setter
    def app(self, app: Any) -> None:
        self._app = app

    def add(self, result: Any) -> None:
        """Adds a handle, unless it is there."""
        if result not in self.results:
            self.results.append(result)

    def remove(self, result: Any) -> None:
        """Takes out a handle, given as such or by its id.

        Raises:
            KeyError: It is not there.
        """
        for index, one in enumerate(self.results):
            if one == result:
                del self.results[index]
                return
        raise KeyError(result)

    def discard(self, result: Any) -> None:
        """Takes out a handle if it is there."""
        try:
            self.remove(result)
        except KeyError:
            return

    def update(self, results: Iterable[Any]) -> None:
        """Adds those handles that are not there."""
        for one in results:
            self.add(one)

    def clear(self) -> None:
        """Takes out all handles."""
        self.results.clear()

    def _leaves(self) -> Iterator[AsyncResult[Any]]:
        for one in self.results:
            if isinstance(one, ResultSet):
                yield from one._leaves()
            else:
                yield one

    def successful(self) -> bool:
        """Tells whether all tasks have ended well."""
        self._fetch()
        return all(one.successful() for one in self.results)

    def failed(self) -> bool:
        """Tells whether one of the tasks has failed."""
        self._fetch()
        return any(one.failed() for one in self.results)

    def waiting(self) -> bool:
        """Tells whether one of the tasks has not ended."""
        return not self.ready()

    def ready(self) -> bool:
        """Tells whether all tasks have ended."""
        self._fetch()
        return all(one.ready() for one in self.results)

    def completed_count(self) -> int:
        """Returns how many tasks have ended well."""
        self._fetch()
        return sum(1 for one in self._leaves() if one.successful())

    def _fetch(self) -> None:
        """Asks for all ends at once, so that looking at each handle costs no question of its own."""
        missing = [one for one in self._leaves() if not one.known()]
        if len(missing) > 1:
            self._collect(missing, 0.0, False)

    def _collect(self, handles: list[AsyncResult[Any]], timeout: float | None, first_failure: bool) -> bool:
        """Waits for handles; returns whether all there is to wait for is there."""
        timeout = patience(timeout)
        by_id: dict[str, list[AsyncResult[Any]]] = {}
        for one in handles:
            if not one.known():
                by_id.setdefault(one.id, []).append(one)
        if not by_id:
            return True
        hub = handles[0].source.client.hub
        collector = Collector(len(by_id), first_failure)
        tokens = {one._epoch for ones in by_id.values() for one in ones}
        try:
            hub.register(collector, by_id, tokens.pop() if len(tokens) == 1 else None)
            if timeout == 0.0:
                hub.pump()
                return collector.satisfied
            return hub.wait(collector, timeout)
        finally:
            if collector.left:
                got = {one.id for one in collector.found}
                hub.unregister(collector, [task_id for task_id in by_id if task_id not in got])
            for completion in collector.found:
                for one in by_id.get(completion.id, ()):
                    one._set(completion)

    def join(
        self,
        timeout: float | None = None,
        propagate: bool = True,
        interval: float = 0.5,
        callback: Callable[[str, Any], Any] | None = None,
        no_ack: bool = True,
        on_message: Callable[[Any], Any] | None = None,
        disable_sync_subtasks: bool = True,
        on_interval: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Waits for all tasks and returns their results in order; the result of a group inside is a list.

        Args:
            timeout: Seconds for all together; None means without end.
            propagate: True raises the first exception, as soon as it is known; False puts exceptions into the list.
            interval: Not needed: nothing polls.
            callback: Called with id and value of each instead of collecting them.
            no_ack: Not needed.
            on_message: Called with a map for each end.
            disable_sync_subtasks: False allows waiting inside a task.
            on_interval: Not needed.

        Raises:
            ResultTimeout: The time was over first.
            Exception: The exception of a task that failed.
        """
        if disable_sync_subtasks:
            assert_will_not_block()
        leaves = list(self._leaves())
        waiting = [one for one in leaves if isinstance(one, AsyncResult) and not isinstance(one, EagerResult)]
        longest = patience(timeout)
        # Never 0, which would only look.
        left = None if longest is None else max(longest, 0.001)
        if waiting and not self._collect(waiting, left, propagate):
            missing = sum(1 for one in waiting if not one.known())
            raise ResultTimeout(f"{missing} of {len(leaves)} results are missing after {timeout:g} seconds")
        if propagate:
            for one in leaves:
                if one.known() and one.state in states.PROPAGATE_STATES:
                    self._raise(one)
        values: list[Any] = []
        for one in self.results:
            value = one.get(timeout=timeout, propagate=propagate, disable_sync_subtasks=False)
            if on_message is not None:
                on_message({"task_id": one.id, "result": value})
            if callback is None:
                values.append(value)
            else:
                callback(one.id, value)
        return values

    def _raise(self, one: AsyncResult[Any]) -> None:
        try:
            one.get(propagate=True, disable_sync_subtasks=False)
        except ChordError:
            error = failed_ancestor(self) if self.parent is not None else None
            if error is not None:
                raise error from error.__cause__
            raise

    get = join_native = join

    def __await__(self) -> Any:
        """Waits for all without blocking the event loop."""
        return self._await_all().__await__()

    async def _await_all(self) -> list[Any]:
        return [await one for one in self.results]

    def iterate(self, timeout: float | None = None, propagate: bool = True, interval: float = 0.5) -> Iterator[Any]:
        """Yields results as their tasks end.

        Raises:
            ResultTimeout: The time was over before the last one.
        """
        for one in self._as_ended(timeout):
            yield one.get(propagate=propagate, disable_sync_subtasks=False)

    def iter_native(
        self,
        timeout: float | None = None,
        interval: float = 0.5,
        no_ack: bool = True,
        on_message: Callable[[Any], Any] | None = None,
        on_interval: Callable[..., Any] | None = None,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields ids, and maps of state and result, as the tasks end; ``on_message`` is called with each map first."""
        for one in self._as_ended(timeout):
            value = one.get(propagate=False, disable_sync_subtasks=False)
            found = {"task_id": one.id, "status": one.state, "result": value, "children": one.children}
            found["traceback"] = one.traceback
            if on_message is not None:
                on_message(found)
            yield one.id, found

    def _as_ended(self, timeout: float | None) -> Iterator[AsyncResult[Any]]:
        timeout = patience(timeout)
        deadline = None if timeout is None else monotonic() + timeout
        waiting = list(self._leaves())
        while waiting:
            ended = [one for one in waiting if one.known()]
            if not ended:
                hub = waiting[0].source.client.hub
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    raise ResultTimeout(f"{len(waiting)} results are missing after {timeout:g} seconds")
                self._wait_for_one(waiting, hub, left)
                continue
            yield from ended
            waiting = [one for one in waiting if one not in ended]

    def _wait_for_one(self, waiting: list[AsyncResult[Any]], hub: Any, left: float | None) -> None:
        by_id = {one.id: one for one in waiting}
        collector = Collector(len(by_id), False)
        collector.enough = len(by_id) - 1
        try:
            hub.register(collector, by_id, None)
            hub.wait(collector, left)
        finally:
            got = {one.id for one in collector.found}
            hub.unregister(collector, [task_id for task_id in by_id if task_id not in got])
            for completion in collector.found:
                by_id[completion.id]._set(completion)

    def maybe_throw(self, callback: Callable[[str, Any], Any] | None = None, propagate: bool = True) -> None:
        """Raises the exception of the first task that failed."""
        for one in self.results:
            one.maybe_throw(callback=callback, propagate=propagate)

    maybe_reraise = maybe_throw

    def then(self, callback: Callable[[Any], Any], on_error: Any = None, weak: bool = False) -> None:
        """Calls a function with this set once all tasks have ended."""
        left = list(self._leaves())
        count = [len(left)]

        def one_more(_: Any) -> None:
            count[0] -= 1
            if not count[0]:
                callback(self)

        if not left:
            callback(self)
        for one in left:
            one.then(one_more, on_error)

    def forget(self) -> None:
        """Deletes the records of all tasks."""
        for one in self.results:
            one.forget()

    def revoke(
        self, connection: Any = None, terminate: bool = False, signal: str | None = None,
        wait: bool = False, timeout: float | None = None,
    ) -> None:  # fmt: skip
        """Keeps the tasks from running, all by one call; see `AsyncResult.revoke`."""
        sent = []
        for one in self._leaves():
            if isinstance(one, EagerResult):
                one.revoke()
            else:
                sent.append(one.id)
        if sent:
            self.app.control.revoke(
                sent, connection=connection, terminate=terminate, signal=signal, reply=wait, timeout=timeout
            )

    @property
    def supports_native_join(self) -> bool:
        """True: all results come by one question."""
        return bool(self.results)

    @property
    def backend(self) -> Any:
        """The app's result backend."""
        return getattr(self.app, "backend", None)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __getitem__(self, index: Any) -> Any:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __eq__(self, other: object) -> bool:
        return self.results == other.results if isinstance(other, ResultSet) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: [{', '.join(str(one.id) for one in self.results)}]>"


class GroupResult(ResultSet[R]):
    """The handles of a group, under the group's id.

    Args:
        id: The group's id.
        results: The handles.
        parent: The handle of what came before.
        app: Whose client to use.

    Attributes:
        id: The group's id.
    """

    def __init__(
        self, id: str | None = None, results: Any = None, parent: Any = None, app: ResultSource | None = None, **_: Any
    ) -> None:
        super().__init__(results, app, parent=parent)
        self.id: str | None = id_text(id)

    @property
    def children(self) -> Any:
        """The handles."""
        return self.results

    def as_tuple(self) -> Any:
        """Returns ids only, as nested tuples; `result_from_tuple` reads them."""
        return (self.id, self.parent and self.parent.as_tuple()), [one.as_tuple() for one in self.results]

    def as_list(self) -> list[str]:
        """Returns the ids of all tasks."""
        return [one.id for one in self._leaves()]

    def save(self, backend: Any = None) -> GroupResult[R]:
        """Keeps the group's ids in the cluster, so that `restore` finds it by its id; returns itself."""
        if not self.id:
            raise ValueError("a group result without an id cannot be saved")
        Store(self.app.client.transport, _BUCKET).put(self.id, wire.pack(self.as_tuple()))
        return self

    def delete(self, backend: Any = None) -> None:
        """Forgets what `save` kept."""
        if self.id:
            Store(self.app.client.transport, _BUCKET).delete(self.id)

    @classmethod
    def restore(cls, id: str, backend: Any = None, app: Any = None) -> Any:
        """Returns the group that was saved under an id, or None."""
        source = app or cls.bound_to or default_source()
        found = Store(source.client.transport, _BUCKET).get(id)
        return None if found is None else result_from_tuple(wire.unpack(found.value), source)

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupResult, (self.id, list(self.results), self.parent)

    def __bool__(self) -> bool:
        return bool(self.id or self.results)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, GroupResult):
            return other.id == self.id and other.results == self.results and other.parent == self.parent
        return other == self.id if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.id)

    def __str__(self) -> str:
        return str(self.id)

    def __repr__(self) -> str:
        return f"<GroupResult: {self.id} [{', '.join(str(one.id) for one in self.results)}]>"


def result_from_tuple(r: Any, app: Any = None) -> Any:
    """Returns the handle that ``as_tuple`` describes; a handle is returned as it is.

    Args:
        r: Nested tuples or lists of ids.
        app: Whose client the handles use.
    """
    if isinstance(r, (AsyncResult, ResultSet)):
        return r
    head, members = r
    task_id, parent = head if isinstance(head, (list, tuple)) else (head, None)
    above = result_from_tuple(parent, app) if parent else None
    if members is not None:
        return group_class(app)(task_id, [result_from_tuple(one, app) for one in members], above, app=app)
    return handle_class(app)(task_id, app=app, parent=above)


def group_class(source: Any) -> type[GroupResult[Any]]:
    """Returns the class of handles of groups that an app has, or that of all."""
    kind = getattr(source, "GroupResult", None)
    return kind if isinstance(kind, type) and issubclass(kind, GroupResult) else GroupResult
