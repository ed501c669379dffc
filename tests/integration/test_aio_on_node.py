"""Coroutines on a real node: as tasks in the asyncio pool, and as clients that send and wait."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import aio_app as aio
import pytest
from support import until
from support.processes import kill_pid

from ignitetasks import chain, chord
from ignitetasks.errors import TaskRevokedError, TimeLimitExceeded

PATIENCE = 60


@pytest.fixture(scope="module")
def aio_on_node(node, log):
    aio.app.configure(**node.overrides)
    yield aio.app
    aio.app.close()


@pytest.fixture(scope="module")
def start(aio_on_node, workers):
    """Starts workers with the asyncio pool."""

    def go(queue, concurrency=100):
        return workers(module="aio_app", queues=[queue], concurrency=concurrency, pool="asyncio")

    return go


@pytest.fixture(scope="module")
def aio_queue(start):
    """A queue that one worker listens to, for all tests that leave it alone."""
    start("aio")
    return "aio"


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_a_hundred_run_together_in_one_child(aio_queue, label):
    met = aio.meet.bulk([(label, 100, number) for number in range(100)], queue=aio_queue).get(timeout=PATIENCE)
    assert len({pid for pid, _ in met}) == 1
    assert [number for _, number in met] == list(range(100))


def test_those_that_something_follows_run_together_too(aio_queue, label):
    members = [
        chain(aio.meet.s(label, 50, number).set(queue=aio_queue), aio.second.s().set(queue=aio_queue))
        for number in range(50)
    ]
    assert chord(members, aio.total.s().set(queue=aio_queue)).apply_async().get(timeout=PATIENCE) == sum(range(50))


def test_limits(aio_queue):
    stopped, killed = aio.soft.apply_async(queue=aio_queue), aio.hard.apply_async(queue=aio_queue)
    called = aio.double.apply_async((21,), queue=aio_queue, time_limit=20)
    assert called.get(timeout=PATIENCE) == 42
    assert stopped.get(timeout=PATIENCE) == "stopped in time"
    with pytest.raises(TimeLimitExceeded):
        killed.get(timeout=PATIENCE)


def test_retries_and_errors(aio_queue, log, label):
    assert aio.flaky.apply_async((label,), queue=aio_queue).get(timeout=PATIENCE) == 2
    assert log.count(label) == 3
    with pytest.raises(ValueError, match="as asked"):
        aio.fail.apply_async(("as asked",), queue=aio_queue).get(timeout=PATIENCE)


def test_progress(aio_queue, door):
    sent = aio.telling.apply_async((str(door),), queue=aio_queue)
    until(lambda: (sent.state, sent.info) == ("HALF", {"done": 50}), "the progress")
    door.touch()
    assert sent.get(timeout=PATIENCE) == "over"


def gates(label, door, numbers, queue):
    return aio.gate.bulk([(label, number, str(door)) for number in numbers], queue=queue)


def test_a_revoke_cancels_the_one_and_disturbs_no_other(start, queue, log, label, door):
    worker = start(queue)
    (one,) = gates(label, door, [99], queue)
    others = gates(label, door, range(20), queue)
    until(lambda: log.count(f"{label} start") == 21, "all to run")
    children = worker.children
    one.revoke(terminate=True)
    until(lambda: log.count(f"{label} cancelled 99"), "the coroutine to be cancelled")
    with pytest.raises(TaskRevokedError):
        one.get(timeout=PATIENCE)
    door.touch()
    assert others.get(timeout=PATIENCE) == list(range(20))
    assert worker.children == children
    assert (log.count(f"{label} cancelled"), log.count(f"{label} end")) == (1, 20)


@pytest.mark.parametrize("who", ["child", "worker"])
def test_what_a_killed_process_ran_runs_again(start, queue, log, label, door, who):
    worker = start(queue)
    sent = gates(label, door, range(40), queue)
    until(lambda: log.count(f"{label} start") == 40, "all to run")
    if who == "child":
        kill_pid(int(log.lines(label)[0].split()[-1]))
    else:
        worker.kill()
        start(queue)
    until(lambda: log.count(f"{label} start") == 80, "all to run again")
    door.touch()
    assert sent.get(timeout=PATIENCE) == list(range(40))
    assert log.count(f"{label} end") == 40


def test_a_warm_shutdown_lets_coroutines_end_and_gives_back_the_rest(start, queue, log, label, door, node):
    worker = start(queue, concurrency=10)
    sent = gates(label, door, range(30), queue)
    until(lambda: log.count(f"{label} start") == 10, "as many as fit to run")
    worker.running.send_signal(signal.SIGTERM)
    until(lambda: "warm shutdown" in worker.text(), "the shutdown to start")
    until(lambda: node.queue_status(queue)["pending"] == 20, "the rest to be given back")
    assert worker.running.alive
    door.touch()
    assert worker.running.wait() == 0
    assert log.count(f"{label} end") == 10
    start(queue)
    assert sent.get(timeout=PATIENCE) == list(range(30))
    assert log.count(f"{label} start") == 30, "nothing ran twice"


# -- clients ----------------------------------------------------------------------------------------------------------


def test_a_thousand_send_and_wait_without_a_thread_each(aio_queue):
    before = threading.active_count()
    most = before

    async def one(number):
        nonlocal most
        result = await aio.double.aapply_async((number,), queue=aio_queue)
        most = max(most, threading.active_count())
        return await result

    async def main():
        return await asyncio.gather(*(one(number) for number in range(1000)))

    assert asyncio.run(main()) == [2 * number for number in range(1000)]
    # The sender, the poll, and the loop's few own threads, whatever the number of calls.
    assert most - before <= min(32, (os.cpu_count() or 1) + 4) + 2


def test_results_come_as_they_end(aio_queue, log, label, tmp_path):
    doors = [tmp_path / f"door{number}" for number in range(5)]

    async def main():
        found = []
        sent = aio.gate.bulk([(label, n, str(door)) for n, door in enumerate(doors)], queue=aio_queue)
        doors[3].touch()
        async for one in sent:
            found.append(await one)
            left = [n for n in (1, 4, 0, 2) if n not in found]
            if left:
                doors[left[0]].touch()
        return found

    assert asyncio.run(main()) == [3, 1, 4, 0, 2]


def test_errors_revokes_and_timeouts_are_met_where_they_are_awaited(aio_queue, log, label, door):
    async def main():
        with pytest.raises(ValueError, match="as asked"):
            await (await aio.fail.aapply_async(("as asked",), queue=aio_queue))
        sent = await aio.gate.aapply_async((label, 0, str(door)), queue=aio_queue)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.ensure_future(wait_for(sent)), 0.2)
        waiting = asyncio.ensure_future(wait_for(sent))
        await asyncio.sleep(0)
        await asyncio.to_thread(sent.revoke, terminate=True)
        with pytest.raises(TaskRevokedError):
            await waiting

    async def wait_for(sent):
        return await sent

    asyncio.run(main())
    until(lambda: log.count(f"{label} cancelled"), "the coroutine to be cancelled")


def test_several_loops_at_once(aio_queue):
    found = []

    async def main():
        results = [await aio.double.aapply_async((number,), queue=aio_queue) for number in range(20)]
        found.extend(await asyncio.gather(*results))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE)
    assert sorted(found) == sorted([2 * number for number in range(20)] * 3)
