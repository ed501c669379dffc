"""Time limits, recycled children, and the pools."""

from __future__ import annotations

import os
from collections import Counter

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import SoftTimeLimitExceeded, TimeLimitExceeded

PATIENCE = 60


@pytest.mark.usefixtures("worker")
class TestLimits:
    def test_a_soft_limit_lets_the_task_clean_up(self, log, label):
        assert suite.softly.delay(label).get(timeout=PATIENCE) == "cleaned up"
        assert log.count(label) == 1

    def test_a_soft_limit_nobody_catches_is_a_failure(self, log, label):
        sent = suite.sleeps.apply_async((label, 60), soft_time_limit=0.2)
        with pytest.raises(SoftTimeLimitExceeded, match=r"longer than its soft limit of 0\.2 s"):
            sent.get(timeout=PATIENCE)
        assert (sent.state, log.count(label)) == ("FAILURE", 1)

    def test_a_hard_limit_ends_the_task_once_and_for_all(self, log, label, worker):
        before = set(worker.children)
        sent = suite.sleeps.apply_async((label, 60), time_limit=0.3)
        with pytest.raises(TimeLimitExceeded, match="limit"):
            sent.get(timeout=PATIENCE)
        assert (sent.state, log.count(label)) == ("FAILURE", 1)
        until(lambda: len(worker.children) == 2 and set(worker.children) != before, "the child to be replaced")
        assert suite.add.delay(1, 2).get(timeout=PATIENCE) == 3

    def test_a_limit_that_is_not_reached_changes_nothing(self, label):
        sent = suite.sleeps.apply_async((label, 0.01), soft_time_limit=30, time_limit=60)
        assert sent.get(timeout=PATIENCE) == label


def test_limits_of_the_worker_hold_for_tasks_without(workers, queue, log, label):
    workers(queues=[queue], options=["--soft-time-limit", "0.2", "--time-limit", "30"])
    with pytest.raises(SoftTimeLimitExceeded):
        suite.sleeps.apply_async((label, 60), queue=queue).get(timeout=PATIENCE)
    own = suite.sleeps.apply_async((label, 0.4), queue=queue, soft_time_limit=30)
    assert own.get(timeout=PATIENCE) == label


def test_children_are_replaced_after_their_tasks(workers, queue):
    workers(queues=[queue], options=["--max-tasks-per-child", "5"])
    pids = suite.pid.bulk([()] * 40, queue=queue).get(timeout=PATIENCE)
    counts = Counter(pids)
    assert len(counts) == 8
    assert set(counts.values()) == {5}


def test_children_that_have_grown_are_replaced(workers, queue):
    worker = workers(queues=[queue], options=["--max-memory-per-child", "150000"])
    first = suite.grow.apply_async((1,), queue=queue).get(timeout=PATIENCE)
    assert suite.grow.apply_async((200,), queue=queue).get(timeout=PATIENCE) == first
    until(lambda: worker.children and first not in worker.children, "the child to be replaced")
    assert suite.pid.apply_async(queue=queue).get(timeout=PATIENCE) != first


def test_threads_run_at_once_in_one_process(workers, queue, log, label, door):
    worker = workers(queues=[queue], pool="threads", concurrency=8)
    gates = suite.gate.bulk([(f"{label} {number}", str(door)) for number in range(8)], queue=queue)
    until(lambda: sum(line.endswith("start") for line in log.lines(label)) == 8, "eight tasks at once")
    assert len(worker.children) == 1
    door.touch()
    assert gates.get(timeout=PATIENCE) == [f"{label} {number}" for number in range(8)]
    seen = suite.request_facts.bulk([()] * 50, queue=queue)
    assert [one["id"] for one in seen.get(timeout=PATIENCE)] == list(seen.ids)


def test_failures_retries_and_soft_limits_in_threads(workers, queue, label, log):
    workers(queues=[queue], pool="threads", concurrency=2)
    with pytest.raises(suite.ShopError):
        suite.fail.apply_async(("shop",), queue=queue).get(timeout=PATIENCE)
    assert suite.flaky.apply_async((label, 2), queue=queue).get(timeout=PATIENCE) == 2
    assert suite.coroutine.apply_async((1,), queue=queue).get(timeout=PATIENCE) == 2
    values = [suite.pattern(100_000, seed) for seed in range(4)]
    assert suite.echo.bulk(values, queue=queue).get(timeout=PATIENCE) == values


def test_solo_runs_in_the_worker_itself(workers, queue, label, log):
    worker = workers(queues=[queue], pool="solo")
    assert suite.pid.apply_async(queue=queue).get(timeout=PATIENCE) == worker.pid
    with pytest.raises(suite.ShopError):
        suite.fail.apply_async(("shop",), queue=queue).get(timeout=PATIENCE)
    assert suite.flaky.apply_async((label, 2), queue=queue).get(timeout=PATIENCE) == 2
    value = suite.pattern(200_000)
    assert suite.echo.apply_async((value,), queue=queue).get(timeout=PATIENCE) == value
    assert worker.stop() == 0


def test_prefork_runs_in_children(workers, queue):
    worker = workers(queues=[queue], concurrency=2)
    pids = set(suite.pid.bulk([()] * 50, queue=queue).get(timeout=PATIENCE))
    assert pids <= set(worker.children)
    assert os.getpid() not in pids and worker.pid not in pids
