"""Coroutine functions as tasks: together in one loop in the asyncio pool, one at a time in every other pool."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import itertools
import os
import threading
import time
from collections.abc import Iterator

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.canvas import chord
from ignitetasks.context import current_request
from ignitetasks.errors import SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded
from ignitetasks.transport.memory import home_of
from ignitetasks.worker import aio, asyncrunner, continued, coroutines, limits
from ignitetasks.worker.inprocess import InProcessWorker
from ignitetasks.worker.main import make_plan
from ignitetasks.worker.model import SEQ, TASK

_numbers = itertools.count()
ALL_POOLS = ["asyncio", "solo", "threads", "prefork"]


@pytest.fixture
def app() -> Iterator[IgniteTasks]:
    name = f"aio-{os.getpid()}-{next(_numbers)}"
    app = IgniteTasks("aio", transport=f"memory://{name}")
    yield app
    app.close()
    home_of(name).close()


def until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("pool", ALL_POOLS)
def test_coroutine_functions_run_in_every_pool(app, pool):
    @app.task(name="double")
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    @app.task(name="fail")
    async def fail() -> None:
        raise ValueError("as asked")

    with app.local_worker(pool=pool):
        assert double.bulk([(n,) for n in range(50)]).get(timeout=20) == [2 * n for n in range(50)]
        with pytest.raises(ValueError, match="as asked"):
            fail.delay().get(timeout=20)


def test_they_run_at_the_same_time(app):
    arrived: list[int] = []
    together = threading.Event()

    @app.task(name="meet")
    async def meet(n: int) -> int:
        arrived.append(n)
        while len(arrived) < 50:
            await asyncio.sleep(0.001)
        together.set()
        return threading.get_ident()

    with app.local_worker(pool="asyncio", concurrency=50):
        threads = meet.bulk([(n,) for n in range(50)]).get(timeout=20)
    assert together.is_set()
    assert len(set(threads)) == 1


def test_no_more_at_once_than_asked_for(app):
    running, most = [0], [0]

    @app.task(name="count")
    async def count() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        await asyncio.sleep(0.005)
        running[0] -= 1

    with app.local_worker(pool="asyncio", concurrency=4):
        count.bulk([()] * 20).get(timeout=20)
    assert most[0] == 4


def test_each_has_a_context_and_a_request_of_its_own(app):
    word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")

    @app.task(name="context", bind=True)
    async def context(self, text: str) -> list[str]:
        before = word.get()
        word.set(text)
        await asyncio.sleep(0.01)
        return [before, word.get(), self.request.id, current_request().id]

    with app.local_worker(pool="asyncio"):
        results = context.bulk([(f"w{n}",) for n in range(10)])
        for n, (before, after, mine, current) in enumerate(results.get(timeout=20)):
            assert (before, after) == ("none", f"w{n}")
            assert mine == current == results[n].id


def test_plain_functions_run_in_threads_beside_the_loop(app):
    entered, leave = threading.Event(), threading.Event()

    @app.task(name="block")
    def block() -> int:
        entered.set()
        assert leave.wait(20)
        return threading.get_ident()

    @app.task(name="here")
    async def here() -> int:
        return threading.get_ident()

    with app.local_worker(pool="asyncio"):
        blocked = block.delay()
        assert entered.wait(20)
        loop_thread = here.delay().get(timeout=20)
        leave.set()
        assert blocked.get(timeout=20) != loop_thread


def test_retries(app):
    @app.task(name="again", bind=True, max_retries=3, default_retry_delay=0.01)
    async def again(self) -> int:
        if self.request.retries < 2:
            raise self.retry()
        return self.request.retries

    with app.local_worker(pool="asyncio"):
        assert again.delay().get(timeout=20) == 2


@pytest.mark.parametrize("pool", ALL_POOLS)
def test_a_soft_limit_is_met_where_the_coroutine_waits(app, pool):
    @app.task(name="polite", soft_time_limit=0.1)
    async def polite() -> str:
        try:
            await asyncio.sleep(60)
        except SoftTimeLimitExceeded:
            await asyncio.sleep(0.01)
            return "went on"
        return "never"

    @app.task(name="plain", soft_time_limit=0.1)
    async def plain() -> None:
        await asyncio.sleep(60)

    with app.local_worker(pool=pool, concurrency=1):
        assert polite.delay().get(timeout=20) == "went on"
        with pytest.raises(SoftTimeLimitExceeded):
            plain.delay().get(timeout=20)


@pytest.mark.parametrize("pool", ["asyncio", "solo", "threads"])
def test_a_hard_limit_ends_it(app, pool):
    @app.task(name="long", time_limit=0.1)
    async def long() -> None:
        await asyncio.sleep(60)

    with app.local_worker(pool=pool, concurrency=1), pytest.raises(TimeLimitExceeded):
        long.delay().get(timeout=20)


def test_timeouts_inside_still_work_after_a_limit(app):
    @app.task(name="timeouts", soft_time_limit=0.05)
    async def timeouts() -> list[str]:
        seen = []
        try:
            await asyncio.sleep(60)
        except SoftTimeLimitExceeded:
            seen.append("limit")
        try:
            await asyncio.wait_for(asyncio.sleep(60), 0.01)
        except asyncio.TimeoutError:
            seen.append("timeout")
        return seen

    with app.local_worker(pool="asyncio"):
        assert timeouts.delay().get(timeout=20) == ["limit", "timeout"]


def test_one_that_swallows_its_hard_limit_is_left_to_itself(app, monkeypatch, caplog):
    monkeypatch.setattr(asyncrunner, "PATIENCE_SECONDS", 0.1)
    leave = threading.Event()

    @app.task(name="stubborn", time_limit=0.05)
    async def stubborn() -> None:
        while not leave.is_set():
            try:
                await asyncio.sleep(0.01)
            except TimeLimitExceeded:
                continue

    with app.local_worker(pool="asyncio", concurrency=1):
        with pytest.raises(TimeLimitExceeded):
            stubborn.delay().get(timeout=20)
        leave.set()
    assert "task left to itself" in caplog.text


@pytest.mark.parametrize("inside", [True, False])
def test_revoke_cancels_the_one_and_not_its_neighbours(app, inside, tmp_path):
    door = tmp_path / "door"

    @app.task(name="wait", track_started=True)
    async def wait() -> str:
        try:
            while not door.exists():
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            (tmp_path / "cancelled").touch()
            raise
        return "not disturbed"

    plan = make_plan(app, pool="asyncio", concurrency=10)
    worker = InProcessWorker(app, plan) if inside else InProcessWorker(app, plan, children=True)
    with worker:
        one, other = wait.delay(), wait.delay()
        until(lambda: one.state == other.state == "STARTED")
        one.revoke(terminate=True)
        assert one.state == "REVOKED"
        until((tmp_path / "cancelled").exists)
        door.touch()
        assert other.get(timeout=20) == "not disturbed"
        with pytest.raises(TaskRevokedError):
            one.get(timeout=20)


def test_a_warm_shutdown_waits(app):
    started = threading.Event()

    @app.task(name="finish")
    async def finish() -> str:
        started.set()
        await asyncio.sleep(0.2)
        return "finished"

    with app.local_worker(pool="asyncio", concurrency=1):
        running, waiting = finish.delay(), finish.delay()
        assert started.wait(20)
    assert running.get(timeout=5) == "finished"
    assert waiting.state == "PENDING"


def test_a_blocked_loop_is_named_in_the_log(app, monkeypatch, caplog):
    monkeypatch.setattr(aio, "BLOCKED_SECONDS", 0.1)

    @app.task(name="blocker")
    async def blocker() -> None:
        time.sleep(0.5)

    with app.local_worker(pool="asyncio"):
        blocker.delay().get(timeout=20)
    assert "event loop blocked" in caplog.text
    assert "blocker" in caplog.text


def test_a_child_whose_loop_is_blocked_over_a_hard_limit_is_replaced(app, monkeypatch):
    monkeypatch.setattr(aio, "BLOCKED_SECONDS", 0.1)

    @app.task(name="blocker", time_limit=0.3)
    async def blocker() -> None:
        time.sleep(60)

    @app.task(name="neighbour")
    async def neighbour() -> str:
        await asyncio.sleep(1)
        return "ran again"

    plan = make_plan(app, pool="asyncio", concurrency=2)
    with InProcessWorker(app, plan, children=True):
        beside, blocked = neighbour.delay(), blocker.delay()
        with pytest.raises(TimeLimitExceeded):
            blocked.get(timeout=20)
        assert beside.get(timeout=20) == "ran again"
        assert beside.info_map()["deliveries"] == 0


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_other_pools_keep_one_loop_per_thread_and_cancel_what_is_left_behind(app, pool):
    loops: set[int] = set()
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    @app.task(name="leave")
    async def leave() -> None:
        loops.add(id(asyncio.get_running_loop()))
        leave.kept = asyncio.ensure_future(forever())
        await asyncio.sleep(0)

    with app.local_worker(pool=pool, concurrency=1):
        for _ in range(3):
            leave.delay().get(timeout=20)
    assert cancelled.is_set()
    assert len(loops) == 1


def test_the_loop_of_a_thread_is_closed_with_it():
    loops = []

    async def remember() -> None:
        loops.append(asyncio.get_running_loop())

    thread = threading.Thread(target=coroutines.bridged(remember))
    thread.start()
    thread.join()
    until(lambda: loops[0].is_closed())
    assert not limits.wakers.keys() & {thread.ident}


def test_what_follows_a_coroutine_follows_it(app):
    loops: set[int] = set()

    @app.task(name="plus")
    async def plus(a: int, b: int) -> int:
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0.001)
        return a + b

    @app.task(name="total")
    async def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="long", time_limit=0.1)
    async def long(_: int) -> None:
        await asyncio.sleep(60)

    with app.local_worker(pool="asyncio"):
        assert (plus.s(1, 2) | plus.s(3) | plus.s(4)).apply_async().get(timeout=20) == 10
        assert chord([plus.s(n, n) for n in range(5)], total.s()).apply_async().get(timeout=20) == 20
        with pytest.raises(TimeLimitExceeded):
            (plus.s(1, 2) | long.s() | plus.s(3)).apply_async().get(timeout=20)
    assert len(loops) == 1


def test_tasks_that_something_follows_run_at_the_same_time_and_take_no_threads(app):
    arrived: list[int] = []

    @app.task(name="meet")
    async def meet(n: int) -> int:
        arrived.append(n)
        while len(arrived) < 60:
            await asyncio.sleep(0.001)
        return await asyncio.to_thread(lambda: n)

    @app.task(name="next")
    async def following(n: int) -> int:
        return n + 1

    with app.local_worker(pool="asyncio", concurrency=60):
        results = [(meet.s(n) | following.s()).apply_async() for n in range(60)]
        assert [one.get(timeout=20) for one in results] == list(range(1, 61))


def test_a_task_that_something_follows_can_be_revoked(app, tmp_path):
    @app.task(name="wait")
    async def wait() -> None:
        try:
            (tmp_path / "began").touch()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            (tmp_path / "cancelled").touch()
            raise

    with app.local_worker(pool="asyncio"):
        last = (wait.s() | wait.si()).apply_async()
        first = last.parent
        until((tmp_path / "began").exists)
        first.revoke(terminate=True)
        until((tmp_path / "cancelled").exists)
        with pytest.raises(TaskRevokedError):
            last.get(timeout=20)


def test_a_revoke_that_comes_before_the_coroutine_begins_keeps_it_from_beginning(app, tmp_path, monkeypatch):
    entered, asked, held = threading.Event(), threading.Event(), threading.Event()
    begin, revoke = continued.Continued.begin, asyncrunner.Run.revoke

    def begin_later(self):
        entered.set()
        held.wait(20)
        return begin(self)

    def revoke_and_say(self):
        revoke(self)
        asked.set()

    monkeypatch.setattr(continued.Continued, "begin", begin_later)
    monkeypatch.setattr(asyncrunner.Run, "revoke", revoke_and_say)

    @app.task(name="begins")
    async def begins() -> None:
        (tmp_path / "began").touch()

    with app.local_worker(pool="asyncio"):
        last = (begins.s() | begins.si()).apply_async()
        assert entered.wait(20)
        last.parent.revoke(terminate=True)
        assert asked.wait(20)
        held.set()
        with pytest.raises(TaskRevokedError):
            last.get(timeout=20)
    assert not (tmp_path / "began").exists()


def test_a_revoke_before_the_first_step_ends_the_task_and_frees_its_place(app, monkeypatch):
    begin, began = aio.AsyncioChild._begin, threading.Event()

    def begin_and_cancel(self, runner, delivery):
        begin(self, runner, delivery)
        if delivery[TASK] == "begins":
            self.cancel(delivery[SEQ])

    monkeypatch.setattr(aio.AsyncioChild, "_begin", begin_and_cancel)

    @app.task(name="begins")
    async def begins() -> None:
        began.set()

    @app.task(name="after")
    async def after() -> str:
        return "has the place"

    with app.local_worker(pool="asyncio", concurrency=1):
        with pytest.raises(TaskRevokedError):
            begins.delay().get(timeout=20)
        assert after.delay().get(timeout=20) == "has the place"
    assert not began.is_set()


async def _waits() -> str:
    try:
        await asyncio.sleep(60)
    except SoftTimeLimitExceeded:
        return "met"
    return "never"


def test_a_limit_that_strikes_before_the_first_step_is_met_at_the_first_wait():
    own = coroutines._Loop()
    complete = own.loop.run_until_complete
    strikes = iter([SoftTimeLimitExceeded()])

    def complete_late(task):
        for strike in strikes:
            raise strike
        return complete(task)

    own.loop.run_until_complete = complete_late
    assert own.run(_waits()) == "met"
    own.close()


def test_a_coroutine_that_a_limit_keeps_from_beginning_is_closed(monkeypatch):
    own = coroutines._Loop()

    def strike(_coroutine):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(own.loop, "create_task", strike)
    coroutine = _waits()
    with pytest.raises(SoftTimeLimitExceeded):
        own.run(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    own.close()
