"""`Manager`: what integration tests ask of workers and wait for.

This file must not start anything: `start_worker` does.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TextIO

from ignitetasks import states
from ignitetasks.app.inspect import Inspect
from ignitetasks.errors import NotConnected, ResultTimeout
from ignitetasks.result import AsyncResult, ResultSet

__all__ = ["Manager", "ManagerMixin", "Sentinel"]

Catch = type[BaseException] | tuple[type[BaseException], ...]

#: Seconds between two looks at the workers while `wait_until_idle` waits.
_IDLE_PAUSE = 0.1


class Sentinel(Exception):
    """What was waited for is not there yet."""


class ManagerMixin:
    """The abilities of a `Manager`, for classes of your own that have an ``app``."""

    app: Any
    stdout: TextIO
    stderr: TextIO
    block_timeout: float
    no_join: bool

    def _init_manager(
        self,
        block_timeout: float = 30 * 60.0,
        no_join: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.block_timeout = block_timeout
        self.no_join = no_join

    def remark(self, s: str, sep: str = "-") -> None:
        """Prints a line about how the test goes."""
        print(f"{sep}{s}", file=self.stdout)

    def missing_results(self, r: Iterable[AsyncResult[Any]]) -> list[str]:
        """Returns the ids of those tasks whose ends have not come here."""
        return [one.id for one in r if not one.known()]

    def retry_over_time(
        self,
        fun: Callable[..., Any],
        catch: Catch,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        errback: Callable[[BaseException, Iterator[float], int], float] | None = None,
        max_retries: int | None = 10,
        interval_start: float = 0.1,
        interval_step: float = 0.5,
        interval_max: float = 5.0,
    ) -> Any:
        """Calls a function until it raises no more, with growing pauses.

        Args:
            fun: The function.
            catch: The exceptions that mean: not yet.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            errback: Called with the exception, the pauses to come and the number of the try; returns the next pause.
            max_retries: Most calls after the first; None means without end.
            interval_start: Seconds of the first pause.
            interval_step: By how much each pause is longer than the one before.
            interval_max: Longest pause.

        Raises:
            BaseException: That of the last call.
        """
        pauses = _pauses(interval_start, interval_step, interval_max)
        tries = 0
        while True:
            try:
                return fun(*args, **(kwargs or {}))
            except catch as error:
                if max_retries is not None and tries >= max_retries:
                    raise
                pause = next(pauses) if errback is None else errback(error, pauses, tries)
                tries += 1
            time.sleep(pause)

    def wait_for(
        self,
        fun: Callable[..., Any],
        catch: Catch,
        desc: str = "thing",
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        errback: Callable[[BaseException, float, int], Any] | None = None,
        max_retries: int | None = 10,
        interval_start: float = 0.1,
        interval_step: float = 0.5,
        interval_max: float = 5.0,
        emit_warning: bool = False,
        **options: Any,
    ) -> Any:
        """Calls a function until it raises no more, and returns what it returns.

        Args:
            fun: The function.
            catch: The exceptions that mean: not yet.
            desc: What is waited for, for the remarks.
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            errback: Called with the exception, the pause and the number of the try before each pause.
            max_retries: Most calls after the first; None means without end.
            interval_start: Seconds of the first pause.
            interval_step: By how much each pause is longer than the one before.
            interval_max: Longest pause.
            emit_warning: True prints a remark before each pause.
            **options: Further arguments of `retry_over_time`.
        """

        def not_yet(error: BaseException, pauses: Iterator[float], tries: int) -> float:
            pause = next(pauses)
            if emit_warning:
                self.remark(f"Waiting for {desc}; looked in vain, looking again in {pause:g} s: {error!r}", "!")
            if errback is not None:
                errback(error, pause, tries)
            return pause

        return self.retry_over_time(
            fun, catch, args, kwargs, not_yet, max_retries, interval_start, interval_step, interval_max, **options
        )

    def ensure_not_for_a_while(
        self,
        fun: Callable[..., Any],
        catch: Catch,
        desc: str = "thing",
        max_retries: int = 20,
        interval_start: float = 0.1,
        interval_step: float = 0.02,
        interval_max: float = 1.0,
        emit_warning: bool = False,
        **options: Any,
    ) -> None:
        """Fails if a function stops raising while it is called again and again; see `wait_for` for the arguments.

        Raises:
            AssertionError: It has returned.
        """
        try:
            self.wait_for(
                fun, catch, desc, max_retries=max_retries, interval_start=interval_start, interval_step=interval_step,
                interval_max=interval_max, emit_warning=emit_warning, **options,
            )  # fmt: skip
        except catch:
            return
        raise AssertionError(f"this must not happen, and did: {desc}")

    def true_or_raise(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Returns what a function returns.

        Raises:
            Sentinel: That is not true.
        """
        found = fun(*args, **kwargs)
        if not found:
            raise Sentinel
        return found

    def join(self, r: Any, propagate: bool = False, max_retries: int | None = 10, **kwargs: Any) -> Any:
        """Waits for tasks, again where the time of one wait is over or the node was away; returns their results.

        Args:
            r: A handle or several.
            propagate: True raises the exceptions of tasks.
            max_retries: Most waits; None or 0 means without end.
            **kwargs: Arguments of ``get``, such as ``timeout``.

        Raises:
            AssertionError: Tasks are missing after that many waits.
        """
        if self.no_join:
            return None
        several = r if isinstance(r, ResultSet) else self.app.ResultSet([r])
        tries = 0
        while not max_retries or tries < max_retries:
            tries += 1
            try:
                return several.get(propagate=propagate, **kwargs)
            except ResultTimeout:
                missing = self.missing_results(several._leaves())
                self.remark(f"Missing {len(missing)} of {len(several)} results: {', '.join(missing):.200}", "!")
            except NotConnected as error:
                self.remark(f"join: the node was away: {error}", "!")
        raise AssertionError("the results of tasks are missing")

    # -- asking workers -------------------------------------------------------------------------------------------

    def inspect(self, timeout: float = 3.0) -> Inspect:
        """Returns what asks workers."""
        found: Inspect = self.app.control.inspect(timeout=timeout)
        return found

    def query_tasks(self, ids: Iterable[str], timeout: float = 0.5) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yields what each worker knows of tasks."""
        yield from (self.inspect(timeout).query_task(*ids) or {}).items()

    def query_task_states(self, ids: Iterable[str], timeout: float = 0.5) -> dict[str, set[str]]:
        """Returns the ids of tasks by the state that workers have them in."""
        found: dict[str, set[str]] = defaultdict(set)
        for _, answer in self.query_tasks(ids, timeout):
            for task_id, (state, _) in answer.items():
                found[state].add(task_id)
        return found

    def is_received(self, ids: Iterable[str], timeout: float = 0.5, **_: Any) -> bool:
        """Tells whether workers have tasks, or are done with them."""
        return self._ids_matches_state(("reserved", "active", "ready"), ids, timeout)

    def is_accepted(self, ids: Iterable[str], timeout: float = 0.5, **_: Any) -> bool:
        """Tells whether workers run tasks, or are done with them."""
        return self._ids_matches_state(("active", "ready"), ids, timeout)

    def _ids_matches_state(self, expected: Iterable[str], ids: Iterable[str], timeout: float) -> bool:
        wanted = set(ids)
        found = self.query_task_states(wanted, timeout)
        return wanted <= set().union(*(found.get(state, ()) for state in expected))

    @staticmethod
    def is_result_task_in_progress(results: Iterable[AsyncResult[Any]], **_: Any) -> bool:
        """Tells whether every task has started, or ended well."""
        return all(one.state in (states.STARTED, states.SUCCESS) for one in results)

    def assert_received(
        self, ids: Iterable[str], interval: float = 0.5, desc: str = "tasks to be received", **policy: Any
    ) -> Any:
        """Waits until workers have tasks; see `wait_for`."""
        return self.assert_task_worker_state(self.is_received, ids, interval, desc=desc, **policy)

    def assert_accepted(
        self, ids: Iterable[str], interval: float = 0.5, desc: str = "tasks to be accepted", **policy: Any
    ) -> Any:
        """Waits until workers run tasks; see `wait_for`."""
        return self.assert_task_worker_state(self.is_accepted, ids, interval, desc=desc, **policy)

    def assert_result_tasks_in_progress_or_completed(
        self,
        async_results: Iterable[AsyncResult[Any]],
        interval: float = 0.5,
        desc: str = "tasks to be started or completed",
        **policy: Any,
    ) -> Any:
        """Waits until tasks have started or ended, by what their handles say; see `wait_for`."""
        return self.assert_task_state_from_result(
            self.is_result_task_in_progress, async_results, interval, desc=desc, **policy
        )

    def assert_task_worker_state(
        self, fun: Callable[..., Any], ids: Iterable[str], interval: float = 0.5, **policy: Any
    ) -> Any:
        """Waits until a function says yes to ids; see `wait_for`."""
        return self.wait_for(partial(self.true_or_raise, fun, list(ids), timeout=interval), (Sentinel,), **policy)

    def assert_task_state_from_result(
        self, fun: Callable[..., Any], results: Iterable[AsyncResult[Any]], interval: float = 0.5, **policy: Any
    ) -> Any:
        """Waits until a function says yes to handles; see `wait_for`."""
        return self.wait_for(partial(self.true_or_raise, fun, list(results), timeout=interval), (Sentinel,), **policy)

    def wait_until_idle(self) -> None:
        """Removes the tasks that wait, and returns when no worker runs one."""
        while self.app.control.purge():
            pass
        inspect = self.app.control.inspect()
        while any(len(tasks) for tasks in (inspect.active() or {}).values()):
            time.sleep(_IDLE_PAUSE)


class Manager(ManagerMixin):
    """Helpers of integration tests.

    Args:
        app: The application.
        **kwargs: ``block_timeout``, ``no_join``, ``stdout``, ``stderr``.
    """

    def __init__(self, app: Any, **kwargs: Any) -> None:
        self.app = app
        self._init_manager(**kwargs)


def _pauses(start: float, step: float, most: float) -> Iterator[float]:
    pause = start
    while True:
        yield min(pause, most)
        pause += step
