"""Results for event loops: any number of awaiting coroutines, one thread per process that does the poll for them.

This file must not decode results. The thread is a daemon, starts at the first await and waits in `ResultHub` like
any other follower.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from ignitetasks.hub import Epoch, ResultHub, Waiter
from ignitetasks.message import Completion
from ignitetasks.perprocess import PerProcess

_IDLE_SECONDS = 30.0


class _Future(Waiter):
    """One coroutine that awaits one completion."""

    __slots__ = ("_loop", "_pump", "future")

    def __init__(self, loop: asyncio.AbstractEventLoop, pump: _Pump) -> None:
        super().__init__(1, self._arrived)
        self._loop = loop
        self._pump = pump
        self.future: asyncio.Future[Completion] = loop.create_future()

    def _arrived(self, completion: Completion) -> None:
        self._pump.done(self)
        self._post(completion)

    def fail(self, error: BaseException) -> None:
        """Ends the waiting with an error."""
        self._post(error)

    def _post(self, outcome: Completion | BaseException) -> None:
        try:
            self._loop.call_soon_threadsafe(self._settle, outcome)
        except RuntimeError:
            return  # the loop was closed: nobody waits any more

    def _settle(self, outcome: Completion | BaseException) -> None:
        if self.future.done():
            return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class _Pump:
    """Keeps a hub polling while coroutines await; its thread ends when nobody has for a while."""

    def __init__(self, hub: ResultHub) -> None:
        self._hub = hub
        # Not re-entrant: whatever is collected as garbage in the middle of a change must not see half of it.
        self._changed = threading.Condition(threading.Lock())
        self._futures: set[_Future] = set()
        self._leaving: deque[_Future] = deque()
        self._running = False
        # Stands in for all coroutines in the hub: it has enough when none is left.
        self._waiter = Waiter(0, lambda _completion: None)

    def add(self, future: _Future) -> None:
        """Takes care of one more coroutine; its ids are registered after this."""
        with self._changed:
            self._futures.add(future)
            self._waiter.left = len(self._futures)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="ignitetasks-results", daemon=True).start()
            self._changed.notify()
        self._see_off()

    def done(self, future: _Future) -> None:
        """Lets go of a coroutine whose completion is there or not wanted any more."""
        # Never waits for a lock, nor wakes anybody, which takes one too: coroutines that are collected as garbage
        # call this, in the middle of what holds it. A thread that polls for nobody looks up by itself.
        self._leaving.append(future)
        self._see_off()

    def _see_off(self) -> None:
        """Forgets those who have left; whoever holds the lock does it when it lets go."""
        while self._leaving and self._changed.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._changed.release()

    def _let_go(self) -> None:
        """Forgets those who have left; with the lock."""
        while self._leaving:
            self._futures.discard(self._leaving.popleft())
        self._waiter.left = len(self._futures)

    def _run(self) -> None:
        while self._has_work():
            try:
                self._hub.wait(self._waiter, None)
            except Exception as error:
                self._fail_all(error)

    def _has_work(self) -> bool:
        with self._changed:
            self._let_go()
            if not self._futures:
                self._changed.wait(_IDLE_SECONDS)
                self._let_go()
            # Decided under the lock, so that `add` either sees a running thread or starts one.
            self._running = running = bool(self._futures)
        self._see_off()
        return running

    def _fail_all(self, error: Exception) -> None:
        with self._changed:
            futures, self._futures = self._futures, set()
            self._waiter.left = 0
        self._see_off()
        for future in futures:
            future.fail(error)


_pumps = PerProcess(_Pump)


async def in_thread(work: Callable[[], None]) -> None:
    """Awaits a function that blocks, which runs in one of the loop's threads."""
    await asyncio.get_running_loop().run_in_executor(None, work)


async def completion_of(
    hub: ResultHub, task_id: str, epoch: Epoch | None, look: Callable[[], Completion | None] = lambda: None
) -> Completion:
    """Awaits one completion.

    Args:
        hub: Whose.
        task_id: The task.
        epoch: As for `ResultHub.register`.
        look: Asked once it is registered: whether somebody else was given the completion before.

    Raises:
        NotConnected: The node could not be reached for longer than the hub's patience.
    """
    loop = asyncio.get_running_loop()
    pump = _pumps.of(hub)
    waiting = _Future(loop, pump)
    pump.add(waiting)
    try:
        if epoch is None or not hub.is_current(epoch):
            # This asks the node, for a moment; the waiting itself takes no thread.
            await loop.run_in_executor(None, hub.register, waiting, (task_id,), epoch)
        else:
            hub.register(waiting, (task_id,), epoch)
        return look() or await waiting.future
    finally:
        hub.unregister(waiting, (task_id,))
        pump.done(waiting)


class _Callback(_Future):
    """Somebody who is called when a completion comes."""

    __slots__ = ("_call",)

    def __init__(self, pump: _Pump, call: Callable[[Completion | BaseException], None]) -> None:
        Waiter.__init__(self, 1, self._arrived)
        self._pump = pump
        self._call = call

    def _post(self, outcome: Completion | BaseException) -> None:
        # A thread of its own: what is called may wait for other results, which the pump brings.
        threading.Thread(target=self._call, args=(outcome,), name="ignitetasks-then", daemon=True).start()


def call_back(
    hub: ResultHub, task_id: str, epoch: Epoch | None, keep: Callable[[Completion], None], call: Callable[[], None]
) -> None:
    """Calls a function once a completion is there.

    Args:
        hub: Whose.
        task_id: The task.
        epoch: As for `ResultHub.register`.
        keep: Is given the completion first.
        call: Called after that.
    """

    def arrived(outcome: Completion | BaseException) -> None:
        if isinstance(outcome, Completion):
            keep(outcome)
            call()

    waiting = _Callback(_pumps.of(hub), arrived)
    waiting._pump.add(waiting)
    hub.register(waiting, (task_id,), epoch)


class Bell(_Future):
    """Tells one coroutine that something has come for it; rung from any thread, while the pump polls."""

    __slots__ = ("_error", "_rung")

    def __init__(self, hub: ResultHub) -> None:
        super().__init__(asyncio.get_running_loop(), _pumps.of(hub))
        self._rung = asyncio.Event()
        self._error: BaseException | None = None
        self._pump.add(self)

    def ring(self) -> None:
        """Wakes the coroutine, or spares it its next waiting."""
        try:
            self._loop.call_soon_threadsafe(self._rung.set)
        except RuntimeError:
            return  # the loop was closed: nobody waits any more

    def fail(self, error: BaseException) -> None:
        """Ends the waiting with an error."""
        self._error = error
        self.ring()

    async def wait(self) -> None:
        """Waits until it is rung.

        Raises:
            NotConnected: The node could not be reached for longer than the hub's patience.
        """
        await self._rung.wait()
        self._rung.clear()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Lets go of the pump."""
        self._pump.done(self)
