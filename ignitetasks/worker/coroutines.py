"""Coroutine functions as tasks: driven step by step, so that a limit can be thrown into one where it waits.

In pools without an event loop of their own each thread keeps one, made at its first such task: starting a loop for
each run would cost ten times what a short task does. This file must not know deliveries or outcomes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from ignitetasks.errors import SoftTimeLimitExceeded, TimeLimitExceeded
from ignitetasks.worker import limits
from ignitetasks.worker.model import RunnableTask

_LIMITS = (SoftTimeLimitExceeded, TimeLimitExceeded)


class Steered:
    """Awaits a coroutine; an exception can be thrown into it where it waits, once its first step is done.

    Args:
        coroutine: What to run.
        step: Told before each step (True) and after it (False); None for nobody.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], step: Callable[[bool], None] | None = None) -> None:
        self._coroutine = coroutine
        self._step = step
        self._thrown: BaseException | None = None
        self._begun = False

    def throw(self, task: asyncio.Task[Any], error: BaseException) -> None:
        """Makes the coroutine meet an exception at the place where it waits, or at the first one it comes to.

        Args:
            task: The task that awaits this object.
            error: What it meets.
        """
        self._thrown = error
        if self._begun:
            # Before its first step this would end the task without the coroutine.
            task.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, step = self._coroutine, self._step
        error: BaseException | None = None
        while True:
            if step is not None:
                step(True)
            try:
                awaited = coroutine.send(None) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            finally:
                if step is not None:
                    step(False)
            error = None
            if not self._begun:
                self._begun = True
                self._deliver()
            try:
                yield awaited
            except BaseException as met:
                error = self._meant(met)

    def _deliver(self) -> None:
        """Lets what was thrown before the first step arrive where that step has led."""
        task = asyncio.current_task()
        if self._thrown is not None and task is not None:
            task.cancel()

    def _meant(self, met: BaseException) -> BaseException:
        """Returns what was to be thrown where a cancellation has only carried it here."""
        if self._thrown is None or not isinstance(met, asyncio.CancelledError):
            return met
        thrown, self._thrown = self._thrown, None
        task = asyncio.current_task()
        if task is not None and hasattr(task, "uncancel"):
            # Otherwise `asyncio.timeout` inside the coroutine would take it for a cancellation of its own.
            task.uncancel()
        return thrown


class _Loop:
    """The event loop of one thread, closed with it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.steered: Steered | None = None
        self.task: asyncio.Task[Any] | None = None
        self._thread = threading.get_ident()
        # Neither may hold this object: it closes the loop when the thread that holds it ends.
        self.loop.set_exception_handler(functools.partial(_on_error, weakref.ref(self)))
        limits.wakers[self._thread] = functools.partial(_wake, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs a coroutine to its end; what it has started and left behind is cancelled."""
        steered = self.steered = Steered(coroutine)
        outermost = _outermost(steered)
        try:
            task = self.task = self.loop.create_task(outermost)
            while True:
                try:
                    return self.loop.run_until_complete(task)
                except _LIMITS as error:
                    if task.done():
                        raise
                    # It struck while the loop was waiting: the coroutine shall meet it, and may go on.
                    steered.throw(task, error)
        finally:
            self.steered = self.task = None
            self._cancel_rest()
            # A limit may strike before the first step of either: nobody has awaited them then.
            outermost.close()
            coroutine.close()

    def _cancel_rest(self) -> None:
        rest = asyncio.all_tasks(self.loop)
        if rest:
            for one in rest:
                one.cancel()
            self.loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))

    def close(self) -> None:
        """Closes the loop."""
        limits.wakers.pop(self._thread, None)
        if not self.loop.is_closed() and not self.loop.is_running():
            self.loop.close()

    def __del__(self) -> None:
        self.close()


class _Thread(threading.local):
    own: _Loop | None = None


_thread = _Thread()
_inherited: list[_Loop] = []


def _after_fork() -> None:
    if _thread.own is not None:
        # Kept, not closed: its selector is the parent's, too.
        _inherited.append(_thread.own)
        _thread.own = None
    limits.wakers.clear()


os.register_at_fork(after_in_child=_after_fork)


def _nothing() -> None:
    return


def _wake(loop: asyncio.AbstractEventLoop) -> None:
    """Lets a limit arrive that was raised while the loop sleeps."""
    with contextlib.suppress(RuntimeError):  # closed meanwhile
        loop.call_soon_threadsafe(_nothing)


def _on_error(own: weakref.ref[_Loop], loop: asyncio.AbstractEventLoop, facts: dict[str, Any]) -> None:
    error, held = facts.get("exception"), own()
    if isinstance(error, _LIMITS) and held is not None and held.steered is not None and held.task is not None:
        # It struck between two steps, in code of the loop itself, which only reports it.
        held.steered.throw(held.task, error)
        return
    loop.default_exception_handler(facts)


async def _outermost(steered: Steered) -> Any:
    return await steered


def bridged(fn: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Makes a coroutine function callable where tasks run one at a time.

    Args:
        fn: The coroutine function.
    """

    @functools.wraps(fn)
    def run(*args: Any, **kwargs: Any) -> Any:
        own = _thread.own
        if own is None:
            own = _thread.own = _Loop()
        return own.run(fn(*args, **kwargs))

    return run


def is_coroutine(task: RunnableTask) -> bool:
    """Tell whether a task's function is a coroutine function.

    Args:
        task: The task; also one whose method it is, or a class with a ``__call__`` of its own.
    """
    return inspect.iscoroutinefunction(task.target) or inspect.iscoroutinefunction(task.fn)
