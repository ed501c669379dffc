"""Sending and waiting from coroutines: nothing blocks the loop, and no call costs a thread."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Iterator

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.errors import ArgumentError, IdempotencyConflict
from ignitetasks.transport.memory import home_of

_numbers = itertools.count()


@pytest.fixture
def app() -> Iterator[IgniteTasks]:
    name = f"client-{os.getpid()}-{next(_numbers)}"
    app = IgniteTasks("client", transport=f"memory://{name}")

    @app.task(name="double")
    def double(n: int) -> int:
        return 2 * n

    @app.task(name="fail")
    def fail() -> None:
        raise ValueError("as asked")

    yield app
    app.close()
    home_of(name).close()


def test_send_and_await(app):
    double = app.tasks["double"]

    async def main() -> None:
        result = await double.adelay(4)
        assert await result == 8
        assert await (await double.aapply_async((5,), priority=3, countdown=0.01)) == 10
        with pytest.raises(ValueError, match="as asked"):
            await (await app.tasks["fail"].adelay())
        with pytest.raises(ArgumentError):
            await double.adelay(1, 2, 3)

    with app.local_worker(pool="threads"):
        asyncio.run(main())


def test_a_thousand_at_once_are_sent_in_a_handful_of_submits(app, monkeypatch):
    double, transport = app.tasks["double"], app.transport
    submits: list[int] = []
    submit = transport.submit

    def counted(groups, *args):
        submits.append(sum(len(group.items) for group in groups))
        return submit(groups, *args)

    monkeypatch.setattr(transport, "submit", counted)

    async def one(n: int) -> int:
        return await (await double.adelay(n))

    async def main() -> list[int]:
        return await asyncio.gather(*(one(n) for n in range(1000)))

    with app.local_worker(pool="threads"):
        before = threading.active_count()
        assert asyncio.run(main()) == [2 * n for n in range(1000)]
        # One sends and one polls, for all of them.
        assert threading.active_count() < before + 10
    assert sum(submits) == 1000
    assert len(submits) < 100


def test_one_key_in_one_batch_is_one_task(app):
    double = app.tasks["double"]

    async def main() -> None:
        calls = (double.aapply_async((1,), idempotency_key="k") for _ in range(5))
        results = await asyncio.gather(*calls)
        assert len({one.id for one in results}) == 1
        assert sorted(one.created for one in results) == [False] * 4 + [True]
        with pytest.raises(IdempotencyConflict):
            await double.aapply_async((2,), idempotency_key="k")

    asyncio.run(main())


def test_results_come_as_they_end(app):
    @app.task(name="sleepy")
    async def sleepy(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def main() -> None:
        results = sleepy.bulk([(0.3,), (0.0,), (0.15,)])
        assert [await one async for one in results] == [0.0, 0.15, 0.3]
        # Once more: all of them are there.
        assert {await one async for one in results} == {0.0, 0.15, 0.3}
        assert await results == [0.3, 0.0, 0.15]

    with app.local_worker(pool="asyncio"):
        asyncio.run(main())


def test_large_arguments_and_results(app):
    @app.task(name="echo")
    def echo(data: bytes) -> bytes:
        return data

    async def main() -> None:
        data = b"x" * 500_000
        assert await (await echo.adelay(data)) == data

    with app.local_worker(pool="solo"):
        asyncio.run(main())


def test_a_timeout_leaves_everything_usable(app):
    double = app.tasks["double"]

    async def main() -> None:
        result = await double.adelay(1)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(result._await(), 0.05)
        with app.local_worker(pool="solo"):
            assert await result == 2

    asyncio.run(main())


def test_several_loops_at_once_and_one_after_another(app):
    double = app.tasks["double"]
    sums: list[int] = []

    async def main(n: int) -> None:
        results = await asyncio.gather(*(double.adelay(n) for _ in range(20)))
        sums.append(sum(await asyncio.gather(*(one._await() for one in results))))

    with app.local_worker(pool="threads"):
        for _ in range(2):
            threads = [threading.Thread(target=lambda n=n: asyncio.run(main(n))) for n in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert sorted(sums) == [0, 0, 40, 40, 80, 80]


def test_after_a_fork_the_child_has_a_sender_of_its_own(app):
    double = app.tasks["double"]

    async def main() -> int:
        return await (await double.adelay(21))

    with app.local_worker(pool="threads"):
        assert asyncio.run(main()) == 42
        pid = os.fork()
        if not pid:
            try:
                os._exit(asyncio.run(asyncio.wait_for(main(), 20)))
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 42
