"""Rates for the whole cluster, and workers that hold no more than they run."""

from __future__ import annotations

import time

import flow_app as flow
from support import until

from ignitetasks import rates

PATIENCE = 60


def starts(log, label, kind):
    return [float(line.split()[-1]) for line in log.lines(f"{label} {kind}")]


def numbers(log, label, kind):
    return [int(line.split()[-2]) for line in log.lines(f"{label} {kind}")]


def test_two_workers_share_one_rate_and_other_tasks_pass(flow_on_node, workers, queue, log, label):
    for _ in range(2):
        workers(module="flow_app", queues=[queue], concurrency=2)
    limited = flow.limited.bulk([(label, number) for number in range(30)], queue=queue)
    plain = flow.plain.bulk([(label, number) for number in range(100)], queue=queue)
    plain.get(timeout=PATIENCE)
    assert log.count(f"{label} limited") < 20, "the others did not wait for the limited ones"
    limited.get(timeout=PATIENCE)
    times = sorted(starts(log, label, "limited"))
    assert len(times) == 30
    assert times[-1] - times[0] >= 2.8, "29 intervals of 100 ms"
    assert times[-1] - times[0] < 15
    for first in times:
        assert sum(first <= one < first + 1 for one in times) <= 13, "10 a second, and what jitter adds"
    assert sorted(numbers(log, label, "limited")) == list(range(30))


def test_a_rate_set_at_run_time_wins_and_is_lifted(flow_on_node, workers, queue, log, label):
    workers(module="flow_app", queues=[queue], concurrency=2)
    transport = flow.app.client.transport
    rates.set_rate(transport, flow.limited.name, "1/h")
    try:
        results = flow.limited.bulk([(label, number) for number in range(50)], queue=queue)
        flow.plain.apply_async((label, 0), queue=queue).get(timeout=PATIENCE)
        assert log.count(f"{label} limited") <= 1
        rates.set_rate(transport, flow.limited.name, None)
        results.get(timeout=PATIENCE)
        assert sorted(numbers(log, label, "limited")) == list(range(50))
    finally:
        rates.reset_rate(transport, flow.limited.name)


def test_a_limited_task_that_waits_can_be_revoked(flow_on_node, workers, queue, log, label):
    workers(module="flow_app", queues=[queue], concurrency=1)
    results = flow.limited.bulk([(label, number) for number in range(20)], queue=queue)
    results[-1].revoke()
    until(lambda: log.count(f"{label} limited") == 19, "all but the revoked one")
    assert results[-1].state == "REVOKED"
    assert 19 not in numbers(log, label, "limited")


def test_no_worker_holds_what_a_free_one_could_run(flow_on_node, workers, queue, log, label):
    busy = workers(module="flow_app", queues=[queue], concurrency=1)
    flow.doze.apply_async((f"{label}.warm", 0.01), queue=queue).get(timeout=PATIENCE)
    long = flow.doze.apply_async((f"{label}.long", 8.0), queue=queue)
    until(lambda: log.count(f"{label}.long doze"), "the long task to run")
    waiting = flow.doze.bulk([(f"{label}.short", 0.01)] * 20, queue=queue)
    start = time.monotonic()
    free = workers(module="flow_app", queues=[queue], concurrency=1)
    ran = set(waiting.get(timeout=PATIENCE))
    assert not long.ready(), f"took {time.monotonic() - start} s"
    assert len(ran) == 1 and busy is not free


def test_the_prefetch_multiplier_bounds_what_a_worker_holds(flow_on_node, workers, queue, log, label):
    workers(module="flow_app", queues=[queue], concurrency=2, options=["--prefetch-multiplier", "1"])
    results = flow.plain.bulk([(label, number) for number in range(200)], queue=queue)
    results.get(timeout=PATIENCE)
    assert sorted(numbers(log, label, "plain")) == list(range(200))


def test_a_worker_leaves_out_the_queues_it_is_told_to(flow_on_node, workers, queue, node, log, label):
    other = f"{queue}-other"
    worker = workers(module="flow_app", queues=[queue, other], concurrency=1, options=["-X", other])
    assert node.worker_status(worker.name)["queues"] == [queue]
    left = flow.plain.apply_async((label, 1), queue=other)
    flow.plain.apply_async((label, 2), queue=queue).get(timeout=PATIENCE)
    assert left.state == "PENDING"
    flow.app.control.add_consumer(other, destination=[worker.name], reply=True)
    left.get(timeout=PATIENCE)
    flow.app.control.cancel_consumer(other, destination=[worker.name], reply=True)
    again = flow.plain.apply_async((label, 3), queue=other)
    flow.plain.apply_async((label, 4), queue=queue).get(timeout=PATIENCE)
    assert again.state == "PENDING"
    again.revoke()
