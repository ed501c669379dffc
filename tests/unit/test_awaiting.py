"""The pump of awaited results: who leaves never waits, in the middle of whatever garbage collection finds it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ignitetasks import awaiting
from ignitetasks.waiters import Waiter

LIMIT = 10.0


class Hub:
    """Waits as the hub does, until somebody says that there is enough."""

    def wait(self, waiter: Waiter, _timeout: float | None) -> bool:
        while not waiter.satisfied:
            waiter.wake.wait(0.01)
            waiter.wake.clear()
        return True


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def pump():
    made = awaiting._Pump(Hub())
    made._running = True  # without a thread of its own, which would hold the lock at some moment of the test
    return made


def in_time(work):
    """Does something in a thread that must not be stopped by it."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LIMIT)
    assert not thread.is_alive(), "it waits for a lock that its own thread holds"


def test_who_is_collected_while_its_thread_wakes_the_pump_does_not_wait(pump, loop):
    future = awaiting._Future(loop, pump)
    pump.add(future)

    def collected_in_the_middle():
        with pump._waiter.wake._cond:
            pump.done(future)

    in_time(collected_in_the_middle)
    assert pump._waiter.satisfied


def test_who_is_collected_while_another_comes_or_goes_is_not_counted(pump, loop):
    first, second, third = (awaiting._Future(loop, pump) for _ in range(3))

    class Counted:
        """The pump's waiter, during whose change another coroutine is collected."""

        def __init__(self) -> None:
            self.wake = threading.Event()
            self.collected = [second]
            self.number = 0

        @property
        def left(self) -> int:
            return self.number

        @left.setter
        def left(self, number: int) -> None:
            while self.collected:
                pump.done(self.collected.pop())
            self.number = number

        @property
        def satisfied(self) -> bool:
            return self.number <= 0

    pump.add(first)
    pump.add(second)
    pump._waiter = Counted()
    in_time(lambda: pump.done(first))
    assert (pump._futures, pump._waiter.left) == (set(), 0)
    pump._waiter.collected.append(first)
    in_time(lambda: pump.add(third))
    assert (pump._futures, pump._waiter.left) == ({third}, 1)
    in_time(lambda: pump.done(third))
    assert pump._waiter.satisfied


def test_who_is_collected_while_another_thread_changes_the_pump_is_let_go_by_that(pump, loop):
    first, second = (awaiting._Future(loop, pump) for _ in range(2))
    pump.add(first)
    with pump._changed:
        in_time(lambda: pump.done(first))
    pump.add(second)
    assert pump._futures == {second}
    pump.done(second)
    assert pump._waiter.satisfied
