"""What a schedule entry may call: tasks, signatures, canvases; a canvas starts once for each tick."""

from __future__ import annotations

import itertools
import json
import os

import pytest
from beats import Clock

from ignitetasks import IgniteTasks, chain, chord, current_request, group, periodic
from ignitetasks.beat import PersistentScheduler
from ignitetasks.errors import ScheduleError, ScheduleTypeError
from ignitetasks.transport.memory import home_of

LIMIT = 20
_numbers = itertools.count()


@pytest.fixture
def app():
    name = f"periodic-{os.getpid()}-{next(_numbers)}"
    app = IgniteTasks("periodic", transport=f"memory://{name}")
    app.ran = []

    @app.task(name="add")
    def add(x, y):
        app.ran.append((x, y))
        return x + y

    @app.task(name="total", queue="sums")
    def total(values):
        return sum(values)

    @app.task(name="told", queue="told")
    def told():
        return dict(current_request().headers)

    yield app
    app.close()
    home_of(name).close()


@pytest.fixture
def clock():
    return Clock()


def beat(app, clock):
    return PersistentScheduler(app, clock=clock, monotonic=clock.monotonic)


def ticks_of(app, name, count):
    """Returns the handles of an entry's first ticks."""
    entry = app.schedule.get(name)
    clock_start = entry.last_run_at - (entry.total_run_count - 1) * entry.schedule.run_every
    whens = [clock_start + number * entry.schedule.run_every for number in range(count)]
    queue = "sums" if "total" in str(entry.kwargs.get("canvas", {}).get("task")) else "celery"
    return [app.AsyncResult(periodic.tick_id(app.settings.namespace, name, when, queue)) for when in whens]


def canvases(app):
    add, total = app.tasks["add"], app.tasks["total"]
    return {
        "chain": (chain(add.s(1, 2), add.s(10)), 13),
        "pipe": (add.s(1, 2) | group(add.s(1), add.s(2)) | total.s(), 9),
        "group": (group(add.s(1, 1), add.s(2, 2)), [2, 4]),
        "chord": (chord([add.s(1, 1), add.s(2, 2)], total.s()), 6),
        "chunks": (add.chunks([(1, 1), (2, 2), (3, 3)], 2), [[2, 4], [6]]),
        "starmap": (add.starmap([(1, 1), (2, 2)]), [2, 4]),
    }


@pytest.mark.parametrize("kind", ["chain", "pipe", "group", "chord", "chunks", "starmap"])
def test_a_canvas_runs_once_for_each_tick_of_any_number_of_beats(app, clock, kind):
    canvas, expected = canvases(app)[kind]
    name = app.add_periodic_task(10.0, canvas, name=kind)
    beats = [beat(app, clock) for _ in range(3)]
    for _ in range(25):
        clock.forward(seconds=1)
        for one in beats:
            one.tick()
    handles = ticks_of(app, name, 2)
    # A beat that was killed after it has sent: the next one sends the tick again.
    entry = app.schedule.get(name)
    assert not beats[0].apply_entry(entry, tick=entry.last_run_at).created
    with app.local_worker(pool="threads", queues=["celery", "sums"]):
        assert [one.get(timeout=LIMIT) for one in handles] == [expected, expected]
        assert not beats[0].apply_entry(entry, tick=entry.last_run_at).created, "nor after its end"
    calls = {"chain": 2, "pipe": 3, "group": 2, "chord": 2, "chunks": 3, "starmap": 2}[kind]
    assert len(app.ran) == 2 * calls


def test_first_calls_are_told_which_tick_they_are(app, clock):
    app.add_periodic_task(10.0, chain(app.tasks["told"].s().set(headers={"mine": 1})), name="telling")
    one = beat(app, clock)
    clock.forward(seconds=10)
    one.tick()
    entry = app.schedule.get("telling")
    tick = app.AsyncResult(periodic.tick_id(app.settings.namespace, "telling", entry.last_run_at, "told"))
    assert tick.exists(), "it was sent to the queue of the canvas's first call"
    with app.local_worker(pool="threads", queues=["told"]):
        headers = tick.get(timeout=LIMIT)
    assert headers["mine"] == 1
    assert headers["periodic_task_name"] == "telling"
    assert headers["scheduled_at"] == entry.last_run_at.isoformat()


def test_what_an_entry_calls(app):
    add = app.tasks["add"]
    app.add_periodic_task(1.0, add.s(2), args=(1,), kwargs={"z": 3}, name="signature", priority=9)
    app.add_periodic_task(1.0, add.si(2, 3), args=(1,), name="immutable")
    app.add_periodic_task(1.0, add, args=(1, 2), name="task")
    app.add_periodic_task(1.0, "add", args=(1, 2), name="by name")
    app.add_periodic_task(1.0, json.loads(json.dumps(add.s(5, 6))), name="from JSON")
    assert app.add_periodic_task(1.0, add.s(1, 2)) == "add(1, 2)"
    assert len(app.add_periodic_task(1.0, chain(add.s(1, number) for number in range(100)))) < 200
    assert app.add_periodic_task(1.0, add) == "add()"
    entries = app.conf.beat_schedule
    found = {name: (one["task"], tuple(one["args"]), one["kwargs"]) for name, one in entries.items()}
    assert found["signature"] == ("add", (1, 2), {"z": 3})
    assert entries["signature"]["options"] == {"priority": 9}
    assert found["immutable"] == ("add", (2, 3), {})
    assert found["task"] == found["by name"] == found["add(1, 2)"] == ("add", (1, 2), {})
    assert found["from JSON"] == ("add", (5, 6), {})


def test_options_of_a_canvas_go_where_they_count(app):
    app.add_periodic_task(
        1.0, group(app.tasks["add"].s(1)), args=(5,), name="x", queue="slow", expires=60, countdown=3, headers={"a": 1}
    )
    entry = app.conf.beat_schedule["x"]
    assert entry["options"] == {"queue": "slow", "expires": 60, "countdown": 3}
    inner = entry["kwargs"]["canvas"]["options"]
    assert inner == {"queue": "slow", "expires": 60, "headers": {"a": 1}}, "it does not wait twice"


def test_what_cannot_be_called_is_refused(app):
    add = app.tasks["add"]
    frozen = chain(add.s(1, 1), add.s(1))
    frozen.freeze()
    for wrong, word in (
        (frozen, "ids already"),
        (chain(add.s(1, 1).set(task_id="mine"), add.s(1)), "ids already"),
        (group([]), "empty"),
        (7, "7"),
        (None, "None"),
    ):
        with pytest.raises(ScheduleError, match=word):
            app.add_periodic_task(1.0, wrong)
    with pytest.raises(ScheduleTypeError, match="signature"):
        app.add_periodic_task(1.0, object())


def test_canvases_at_run_time(app, clock):
    add = app.tasks["add"]
    app.schedule.add("later", chain(add.s(2), add.s(3)), 5.0, args=(1,), options={"priority": 3})
    app.schedule.add("plain", add.s(1, 2), 5.0, kwargs={})
    assert app.schedule.get("plain").args == (1, 2)
    app.schedule.set("later", catch_up="skip")
    one = beat(app, clock)
    with app.local_worker(pool="threads"):
        assert app.schedule.run("later").get(timeout=LIMIT) == 6
    one.close()
    with pytest.raises(ScheduleError, match="empty"):
        app.schedule.add("nothing", group([]), 5.0)


def test_a_beat_without_a_command_line_knows_what_was_added(app, clock):
    fresh = IgniteTasks("fresh", transport=app.settings.transport)
    fresh.add_periodic_task(10.0, "add", args=(1, 2), name="before anything was read")
    assert "before anything was read" in beat(fresh, clock).schedule
    fresh.close()
