"""In which order tasks start, on which queue, and which do not start any more."""

from __future__ import annotations

import random
import time

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import IgniteTasks, TaskExpiredError, TaskRevokedError

PATIENCE = 60


def test_priority_then_arrival_exactly(app, workers, queue, log, label):
    dice = random.Random(7)
    priorities = [dice.choice((0, 1, 5, 9, 255)) for _ in range(300)]
    for number, priority in enumerate(priorities[:100]):
        suite.mark.apply_async((f"{label} {number}",), queue=queue, priority=priority)
    app.bulk(
        suite.mark.signature((f"{label} {number + 100}",), queue=queue, priority=priority)
        for number, priority in enumerate(priorities[100:])
    )
    workers(queues=[queue], concurrency=1)
    until(lambda: log.count(label) == 300, "300 executions")
    started = [int(line.split()[1]) for line in log.lines(label)]
    assert started == sorted(range(300), key=lambda number: (-priorities[number], number))


@pytest.mark.parametrize("seconds", [0.025, 0.12], ids=["a moment", "longer than the worker keeps what waits"])
def test_tasks_that_turn_out_slow_change_no_order(app, workers, queue, log, label, seconds):
    """What waited behind them goes back, and comes again before what was on its way."""
    dice = random.Random(11)
    slow = [number for number in range(200, 1000) if dice.random() < 0.02]
    workers(queues=[queue], concurrency=1)
    app.bulk(
        suite.mark_slowly.signature((f"{label} {number}", seconds if number in slow else 0.0), queue=queue)
        for number in range(1000)
    )
    until(lambda: log.count(label) == 1000, "1000 executions")
    assert [int(line.split()[1]) for line in log.lines(label)] == list(range(1000))


def test_a_higher_priority_overtakes_what_waits(workers, queue, log, label, door):
    workers(queues=[queue], concurrency=1)
    gate = suite.gate.apply_async((f"{label}.gate", str(door)), queue=queue)
    until(lambda: log.count(f"{label}.gate start"), "the gate to run")
    low = suite.mark.bulk([(f"{label} low",)] * 3, queue=queue)
    high = suite.mark.apply_async((f"{label} high",), queue=queue, priority=10)
    door.touch()
    assert gate.get(timeout=PATIENCE)
    low.get(timeout=PATIENCE)
    high.get(timeout=PATIENCE)
    assert log.lines(label) == [f"{label} high", *[f"{label} low"] * 3]


def test_a_delayed_task_takes_its_place_by_priority_when_due(workers, queue, log, label, door):
    workers(queues=[queue], concurrency=1)
    gate = suite.gate.apply_async((f"{label}.gate", str(door)), queue=queue)
    until(lambda: log.count(f"{label}.gate start"), "the gate to run")
    late = suite.mark.apply_async((f"{label} delayed",), queue=queue, priority=5, countdown=0.2)
    due = time.time() + 0.25
    plain = suite.mark.apply_async((f"{label} plain",), queue=queue)
    until(lambda: time.time() > due, "the task to be due")
    door.touch()
    for one in (gate, late, plain):
        one.get(timeout=PATIENCE)
    assert log.lines(label) == [f"{label} delayed", f"{label} plain"]


def test_a_worker_takes_from_its_queues_only(workers, queue, log, label):
    other = f"{queue}.other"
    mine = suite.mark.bulk([(f"{label} mine",)] * 10, queue=queue)
    others = suite.mark.bulk([(f"{label} other",)] * 10, queue=other)
    workers(queues=[queue, f"{queue}.unused"], pool="solo")
    mine.get(timeout=PATIENCE)
    assert log.count(f"{label} other") == 0
    assert others.completed_count() == 0
    workers(queues=[other], pool="solo")
    others.get(timeout=PATIENCE)
    assert log.counts(label) == {f"{label} mine": 10, f"{label} other": 10}


def test_the_decorators_queue_is_used(node, queue):
    with IgniteTasks("queued", **node.overrides) as app:

        @app.task(queue=queue, priority=3)
        def task_of_a_queue():
            return None

        sent = task_of_a_queue.delay()
        record = node.record(sent.id)
        assert (record["queue"], record["priority"]) == (queue, 3)
        elsewhere = task_of_a_queue.apply_async(queue=f"{queue}.2", priority=0)
        record = node.record(elsewhere.id)
        assert (record["queue"], record["priority"]) == (f"{queue}.2", 0)
        sent.revoke()
        elsewhere.revoke()


def test_an_expired_task_is_not_started(app, workers, queue, log, label, node):
    late = suite.mark.apply_async((label,), queue=queue, expires=0.2)
    in_time = suite.mark.apply_async((f"{label}.in-time",), queue=queue, expires=3600)
    with pytest.raises(TaskExpiredError, match="expired before it was started"):
        late.get(timeout=PATIENCE)
    assert late.state == "REVOKED"
    assert isinstance(late.result, TaskRevokedError)
    workers(queues=[queue], pool="solo")
    assert in_time.get(timeout=PATIENCE) is None
    assert log.count(label) == 0


def test_an_expiry_of_zero_is_never_started(queue, log, label, worker):
    sent = suite.mark.apply_async((label,), expires=0)
    with pytest.raises(TaskExpiredError):
        sent.get(timeout=PATIENCE)
    assert log.count(label) == 0
