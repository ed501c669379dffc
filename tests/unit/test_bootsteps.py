"""Steps of an application: made, started and stopped with its workers, in order, with a timer to be called by."""

from __future__ import annotations

import functools
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from ignitetasks import IgniteTasks, bootsteps
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.errors import ConfigurationError
from ignitetasks.worker import components, lifecycle
from ignitetasks.worker.steps import Steps
from ignitetasks.worker.timer import Timer


@pytest.fixture
def app():
    made = IgniteTasks("stepped", transport="memory", set_as_current=False)
    made.task(name="add")(lambda x, y: x + y)
    yield made
    made.close()


class Off(bootsteps.StartStopStep):
    def include_if(self, worker):
        return False

    def start(self, worker):
        raise AssertionError("not this one")


@pytest.mark.parametrize("pool", ["solo", "prefork"])
def test_a_worker_has_the_steps_of_its_application(app, pool):
    told, ticked = [], threading.Event()

    class Service:
        start = functools.partial(told.append, "service starts")
        stop = functools.partial(told.append, "service stops")

    class Probe(bootsteps.StartStopStep):
        requires = ("ignitetasks.worker.components:Timer", components.Pool)

        def __init__(self, worker, concurrency=None, **options):
            told.append(("made", worker.hostname, concurrency, options["hostname"]))

        def start(self, worker):
            told.append(("starts", worker.pool.num_processes))
            self.entry = worker.timer.call_repeatedly(0.01, lambda: ticked.set() or self.entry.cancel(), priority=10)

        def stop(self, worker):
            told.append("stops")

    class After(bootsteps.StartStopStep):
        requires = (Probe,)

        def create(self, worker):
            return Service()

    class Info(bootsteps.Step):
        def start(self, parent):
            told.append(("info", parent.hostname, parent.controller.plan.pool))
            assert parent.app is app and parent.connection and parent.timer.call_after
            with pytest.raises(AttributeError, match="workers do not talk to each other"):
                _ = parent.gossip

        def shutdown(self, parent):
            told.append("shutdown")

    app.steps["worker"].update([After, Probe, Off])
    app.steps["consumer"].add(Info)
    with start_worker(app, pool=pool, hostname="s@here", perform_ping_check=False):
        assert app.send_task("add", (1, 2)).get(timeout=30) == 3
        assert ticked.wait(30)
    assert told == [
        ("made", "s@here", 1, "s@here"), ("starts", 1), "service starts", ("info", "s@here", pool),
        "service stops", "stops", "shutdown",
    ]  # fmt: skip


class Parent:
    stopped_cold = True
    app = None
    hostname = "w"
    consumer = None


def test_steps_are_terminated_when_a_worker_stops_at_once_and_one_that_fails_keeps_no_other():
    told = []

    class First(bootsteps.StartStopStep):
        def __init__(self, parent, given=None):
            self.given = given

        def terminate(self, parent):
            told.append(self.given)

    class Second(bootsteps.StartStopStep):
        last = True

        def stop(self, parent):
            raise OSError("no")

    worker = Parent()
    worker.steps = Steps(worker, {"worker": [Second, First]}, {"given": 3, "other": 4})
    lifecycle.became_ready(worker)
    lifecycle.ended(worker)
    assert told == [3]


def test_what_cannot_be_a_step_is_said():
    class Hub(bootsteps.Step):
        requires = ("celery.worker.components:Hub",)

    class Reader(bootsteps.ConsumerStep):
        def get_consumers(self, channel):
            return []

    class Egg(bootsteps.Step):
        requires = ("Hen",)

    class Hen(bootsteps.Step):
        requires = (Egg,)

    for chosen, words in (
        ([Hub], "there is no event loop"),
        ([Reader], "Reader is a ConsumerStep"),
        ([Egg, Hen], "->"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            Steps(Parent(), {"worker": chosen}, {})
    with pytest.raises(ConfigurationError, match="no class based on"):
        Steps(Parent(), {"worker": [print]}, {})
    assert repr(Hub(None)) == "<step: Hub>"


def test_another_thread_wakes_the_timer_of_an_idle_worker(app):
    called, kept = threading.Event(), []

    class Keeps(bootsteps.StartStopStep):
        def start(self, worker):
            kept.append(worker.timer)

    app.steps["worker"].add(Keeps)
    with start_worker(app, pool="solo", perform_ping_check=False):
        kept[0].call_after(0, called.set)
        assert called.wait(30)


def test_the_timer_calls_in_order_of_time(caplog):
    timer, told = Timer(), []
    timer.call_at(datetime.now(timezone.utc) - timedelta(seconds=2), told.append, (1,))
    timer.call_at(time.time() - 1, told.append, (2,))
    timer.call_after(-0.5, told.extend, kwargs=None, args=([3],))
    timer.call_after(-0.4, int, ("x",))
    late = timer.call_after(1000, told.append, (4,))
    timer.run()
    assert told == [1, 2, 3] and timer.next() is not None
    late.cancel()
    assert late.cancelled and timer.next() is None
    again = timer.call_repeatedly(0.0, told.clear)
    timer.run()
    assert told == [] and timer.next() is not None
    timer.cancel(again)
    timer.run()
    assert timer.next() is None
