"""Receivers of ``task_received`` are called in the worker's parent process, before the task is run."""

from __future__ import annotations

import os
import threading

import pytest

from ignitetasks import IgniteTasks, signals
from ignitetasks.contrib.testing.worker import start_worker

LIMIT = 30.0


@pytest.fixture(scope="module")
def app():
    app = IgniteTasks("announcing", transport="memory", set_as_current=False)

    @app.task(name="pid")
    def pid(*args, **kwargs):
        return os.getpid()

    @app.task(name="listeners")
    def listeners():
        signals.task_received.connect(_nothing)  # in a child: of no consequence
        return os.getpid()

    yield app
    app.close()


@pytest.fixture(scope="module", params=["prefork", "threads", "solo", "asyncio"])
def worker(app, request):
    with start_worker(app, pool=request.param, concurrency=2) as worker:
        yield worker


@pytest.fixture
def told():
    told = []

    def tell(sender=None, request=None, **_):
        told.append((sender.hostname, os.getpid(), request))

    signals.task_received.connect(tell)
    yield told
    signals.task_received.disconnect(tell)


def _nothing(**_):
    return


def test_a_receiver_connected_late_hears_of_every_task_in_this_process(app, worker, told):
    sent = app.tasks["pid"].apply_async((1,), {"two": 3}, headers={"trace": "t-1"}, priority=4)
    pid = sent.get(timeout=LIMIT)
    assert (pid == os.getpid()) is (worker.pool != "prefork")
    ((hostname, here, request),) = told
    assert (hostname, here) == (worker.hostname, os.getpid())
    assert (request.id, request.name, request.args, request.kwargs) == (sent.id, "pid", [1], {"two": 3})
    assert (request.trace, request.priority, request.delivery_info["priority"]) == ("t-1", 4, 4)


def test_each_of_many_is_told_once_and_in_time(app, worker, told):
    sent = [app.tasks["pid"].delay(number) for number in range(50)]
    for one in sent:
        one.get(timeout=LIMIT)
        assert one.id in {request.id for _, _, request in told}
    assert len(told) == 50


def test_the_run_waits_for_the_receivers(app, worker):
    go, seen = threading.Event(), threading.Event()

    def hold(**_):
        seen.set()
        go.wait(LIMIT)

    signals.task_received.connect(hold)
    try:
        sent = app.tasks["pid"].delay()
        assert seen.wait(LIMIT) and not sent.ready()
        go.set()
        sent.get(timeout=LIMIT)
    finally:
        go.set()
        signals.task_received.disconnect(hold)


def test_large_arguments_are_left_out(app, worker, told):
    app.tasks["pid"].delay("x" * 300_000).get(timeout=LIMIT)
    assert [request.args for _, _, request in told] == [[]]


def test_what_a_receiver_raises_stops_no_task(app, worker):
    def fail(**_):
        raise ValueError("the receiver's own")

    signals.task_received.connect(fail)
    try:
        assert app.tasks["pid"].delay().get(timeout=LIMIT)
    finally:
        signals.task_received.disconnect(fail)


def test_nobody_is_told_while_nobody_listens(app, worker):
    told = []

    def tell(request=None, **_):
        told.append(request.id)

    signals.task_received.connect(tell)
    first = app.tasks["pid"].delay()
    first.get(timeout=LIMIT)
    signals.task_received.disconnect(tell)
    app.tasks["pid"].delay().get(timeout=LIMIT)
    assert told == [first.id]


def test_a_receiver_in_a_child_changes_nothing_for_others(app, told):
    with start_worker(app, pool="prefork", concurrency=1):
        app.tasks["listeners"].delay().get(timeout=LIMIT)
        before = len(told)
        app.tasks["pid"].delay().get(timeout=LIMIT)
        assert len(told) == before + 1
